"""JMS message selectors, in the form in which RabbitMQ's JMS client sends them: read, checked, evaluated.

The client compiles SQL (`colour = 'blue' AND weight > 5`) into the text of an Erlang term. `tokens` cuts that
text, `reading` has the terms of it one inside the other, `grammar` knows what each may be and makes an
`expression` of it, whose values are those of `values`; `like` matches patterns. `selector` is the whole.
Nothing is recursive but the evaluation, which goes no deeper than DEPTH_MAX.
"""
