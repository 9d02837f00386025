"""Users, their rights and virtual hosts at the operator's command."""

from typing import Final

from mambaamqp.broker import administration, enrolment
from mambaamqp.control.changes import (
    NAME,
    Change,
    an_object,
    flag,
    of_broker,
    of_vhost,
    text,
    texts,
    together,
    whatever_of,
)

USER: Final = text("user")
PASSWORD: Final = text("password_hash")
TAGS: Final = texts("tags")
LIMITS: Final = an_object("limits")

OPERATIONS: Final[dict[str, Change]] = {
    "user add": of_broker(enrolment.add_user, NAME, PASSWORD, TAGS),
    "user delete": of_broker(enrolment.delete_user, NAME),
    "user password": of_broker(enrolment.set_password, NAME, PASSWORD),
    "user tags": of_broker(enrolment.set_tags, NAME, TAGS),
    "user set-limits": of_broker(administration.set_user_limits, NAME, LIMITS),
    "user clear-limits": of_broker(enrolment.clear_user_limits, NAME),
    "permissions set": of_vhost(enrolment.set_permissions, USER, together("configure", "write", "read")),
    "permissions clear": of_vhost(enrolment.clear_permissions, USER),
    "topic-permissions set": of_vhost(
        enrolment.set_topic_permission, USER, text("exchange"), together("write", "read")
    ),
    "topic-permissions clear": of_vhost(enrolment.clear_topic_permissions, USER, text("exchange", "")),
    "vhost add": of_broker(enrolment.add_vhost, NAME, whatever_of("description", "default_queue_type")),
    "vhost delete": of_broker(enrolment.delete_vhost, NAME),
    "vhost set-limits": of_vhost(administration.set_vhost_limits, LIMITS),
    "vhost clear-limits": of_vhost(administration.clear_vhost_limits),
    "trace": of_vhost(enrolment.trace, flag("on")),
}
