"""The load command: producers and consumers against any AMQP 0-9-1 broker. Knows no broker of ours."""
