"""What a running broker is asked and told from outside AMQP: requests, the operations they mean, replies.

Pure like the core: no socket, no clock, no file. Whoever reaches it is the operator (`access.operator`).
"""
