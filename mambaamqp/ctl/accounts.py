"""`mambaamqp ctl user`, `permissions`, `topic-permissions` and `vhost`."""

import click

from mambaamqp.access.passwords import hash_password
from mambaamqp.config import Secret
from mambaamqp.ctl.asking import Asker, asking, parsed, vhost_option

password_option = click.option(
    "--password",
    prompt=True,
    hide_input=True,
    confirmation_prompt=True,
    envvar="MAMBAAMQP_PASSWORD",
    help="Asked for if not given; a flag is seen by other users of the machine.",
)


def hashed(password: str) -> str:
    """What goes over the socket: never the password itself."""
    try:
        return hash_password(Secret(password))
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@click.group()
def user() -> None:
    """Add, change or delete users."""


@user.command("add")
@password_option
@click.option("--tag", "tags", multiple=True, help="administrator, monitoring, …; may be repeated.")
@click.argument("name")
@asking
def user_add(asker: Asker, name: str, password: str, tags: tuple[str, ...]) -> None:
    """Add a user, who may do nothing yet: see `permissions set`."""
    asker.show(asker.ask("user add", name=name, password_hash=hashed(password), tags=list(tags)))


@user.command("delete")
@click.argument("name")
@asking
def user_delete(asker: Asker, name: str) -> None:
    """Delete a user; its connections are closed."""
    asker.show(asker.ask("user delete", name=name))


@user.command("password")
@password_option
@click.argument("name")
@asking
def user_password(asker: Asker, name: str, password: str) -> None:
    """Give a user another password."""
    asker.show(asker.ask("user password", name=name, password_hash=hashed(password)))


@user.command("tags")
@click.argument("name")
@click.argument("tags", nargs=-1)
@asking
def user_tags(asker: Asker, name: str, tags: tuple[str, ...]) -> None:
    """Give a user exactly these TAGS; none takes them all."""
    asker.show(asker.ask("user tags", name=name, tags=list(tags)))


@user.command("set-limits")
@click.argument("name")
@click.argument("limits")
@asking
def user_set_limits(asker: Asker, name: str, limits: str) -> None:
    """Bound a user: LIMITS is '{"max-connections": 10, "max-channels": 100}'."""
    asker.show(asker.ask("user set-limits", name=name, limits=parsed(limits, "LIMITS")))


@user.command("clear-limits")
@click.argument("name")
@asking
def user_clear_limits(asker: Asker, name: str) -> None:
    """Take a user's limits off."""
    asker.show(asker.ask("user clear-limits", name=name))


@click.group()
def permissions() -> None:
    """What users may do in a virtual host."""


@permissions.command("set")
@vhost_option
@click.argument("user_name", metavar="USER")
@click.argument("configure")
@click.argument("write")
@click.argument("read")
@asking
def permissions_set(asker: Asker, user_name: str, configure: str, write: str, read: str, vhost: str) -> None:
    """Three regular expressions: the names that USER may CONFIGURE, WRITE to and READ from."""
    rights = {"configure": configure, "write": write, "read": read}
    asker.show(asker.ask("permissions set", vhost=vhost, user=user_name, **rights))


@permissions.command("clear")
@vhost_option
@click.argument("user_name", metavar="USER")
@asking
def permissions_clear(asker: Asker, user_name: str, vhost: str) -> None:
    """Take everything from USER in a virtual host."""
    asker.show(asker.ask("permissions clear", vhost=vhost, user=user_name))


@click.group("topic-permissions")
def topic_permissions() -> None:
    """With which routing keys users may publish to and bind to topic exchanges."""


@topic_permissions.command("set")
@vhost_option
@click.argument("user_name", metavar="USER")
@click.argument("exchange")
@click.argument("write")
@click.argument("read")
@asking
def topic_permissions_set(
    asker: Asker, user_name: str, exchange: str, write: str, read: str, vhost: str
) -> None:
    """Two regular expressions of routing keys at EXCHANGE, for publishing and for binding."""
    rule = {"exchange": exchange, "write": write, "read": read}
    asker.show(asker.ask("topic-permissions set", vhost=vhost, user=user_name, **rule))


@topic_permissions.command("clear")
@vhost_option
@click.argument("user_name", metavar="USER")
@click.argument("exchange", required=False)
@asking
def topic_permissions_clear(asker: Asker, user_name: str, exchange: str | None, vhost: str) -> None:
    """Take the rule for EXCHANGE off, or all of USER's."""
    asker.show(asker.ask("topic-permissions clear", vhost=vhost, user=user_name, exchange=exchange))


# Virtual hosts


@click.group()
def vhost() -> None:
    """Add, bound or delete virtual hosts."""


@vhost.command("add")
@click.option("--description", default=None)
@click.option("--default-queue-type", default=None, help="classic or quorum.")
@click.argument("name")
@asking
def vhost_add(asker: Asker, name: str, description: str | None, default_queue_type: str | None) -> None:
    """Add a virtual host, which nobody may open yet: see `permissions set`."""
    said = {"description": description, "default_queue_type": default_queue_type}
    asker.show(asker.ask("vhost add", name=name, **said))


@vhost.command("delete")
@click.argument("name")
@asking
def vhost_delete(asker: Asker, name: str) -> None:
    """Delete a virtual host with its queues and messages; connections into it are closed."""
    asker.show(asker.ask("vhost delete", name=name))


@vhost.command("set-limits")
@click.argument("name")
@click.argument("limits")
@asking
def vhost_set_limits(asker: Asker, name: str, limits: str) -> None:
    """Bound a virtual host: LIMITS is '{"max-connections": 100, "max-queues": 1000}'."""
    asker.show(asker.ask("vhost set-limits", vhost=name, limits=parsed(limits, "LIMITS")))


@vhost.command("clear-limits")
@click.argument("name")
@asking
def vhost_clear_limits(asker: Asker, name: str) -> None:
    """Take a virtual host's limits off."""
    asker.show(asker.ask("vhost clear-limits", vhost=name))
