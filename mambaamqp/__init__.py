"""mambaamqp: a message broker for AMQP 0-9-1 that RabbitMQ clients use unchanged.

Holds the version and nothing else, so that every room may import it.
"""

from typing import Final

__version__: Final = "0.1.0"
