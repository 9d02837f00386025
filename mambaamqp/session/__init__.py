"""One AMQP connection: octets on one side, calls to the broker on the other. Pure: time is an argument."""
