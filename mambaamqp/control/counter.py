"""What an operation of the control has at hand: the broker, the machine, and the operator as an actor."""

from mambaamqp.access.operator import Operator
from mambaamqp.access.permissions import Actor
from mambaamqp.broker.broker import Broker
from mambaamqp.broker.vhost import VirtualHost
from mambaamqp.control.machine import Machine
from mambaamqp.control.requests import Request
from mambaamqp.errors import NotFound


class Counter:
    """Of one broker."""

    def __init__(self, broker: Broker, machine: Machine) -> None:
        self.broker = broker
        self.machine = machine
        self.actor: Actor = Operator("", broker.access)

    def vhost(self, request: Request) -> VirtualHost:
        """The virtual host of a request, "/" if it names none; 404 if it is not there."""
        name = request.text("vhost", "/")
        vhost = self.broker.vhosts.get(name)
        if vhost is None:
            raise NotFound(f"no vhost '{name}'")
        return vhost

    def actor_in(self, vhost: VirtualHost) -> Actor:
        """The operator at work there."""
        return Operator(vhost.name, self.broker.access)

    def vhosts(self, request: Request) -> list[VirtualHost]:
        """The virtual host of a request, or all of them if it names none."""
        if request.text("vhost", ""):
            return [self.vhost(request)]
        return [self.broker.vhosts[name] for name in sorted(self.broker.vhosts)]
