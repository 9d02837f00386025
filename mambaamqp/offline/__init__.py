"""A store without its broker: what stands in it, written down, and made whole again.

For operators, on the command line: `mambaamqp store check | dump | repair`. Refuses to know sockets.
"""
