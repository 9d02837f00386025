"""The RabbitMQ JMS client: a JMS program that changes its connection factory only."""

from interop import jvm
from interop.broker import BrokerProcess


def test_the_sample(broker: BrokerProcess) -> None:
    """The classic producer and consumer, as docs/migrating-from-jms.md shows them."""
    assert jvm.run("JmsSample", broker.url.rstrip("/")) == "Hello\n"


def test_scenarios(broker: BrokerProcess) -> None:
    """Every scenario of the JMS client passes."""
    assert "FAILED" not in jvm.run("JmsScenarios", broker.url.rstrip("/"))
