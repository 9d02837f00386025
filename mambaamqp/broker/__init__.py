"""What decides: virtual hosts, exchanges, queues, delivery. Pure: no clock, socket, task or file."""
