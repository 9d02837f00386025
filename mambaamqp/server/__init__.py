"""The shell: sockets, tasks, timers, signals and the thread that syncs. Everything that waits is here.

It decides nothing about AMQP. It moves bytes between sockets and sessions, tells them the time,
and tells them how far the journal is durable.
"""
