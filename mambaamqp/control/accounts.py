"""Users, their rights and virtual hosts at the operator's command."""

from mambaamqp.broker import administration, enrolment
from mambaamqp.control.counter import Counter
from mambaamqp.control.requests import Reply, Request


def add_user(counter: Counter, request: Request) -> Reply:
    name, password_hash, tags = request.text("name"), request.text("password_hash"), request.texts("tags")
    request.check_all_read()
    enrolment.add_user(counter.broker, counter.actor, name, password_hash, tags)
    return Reply()


def delete_user(counter: Counter, request: Request) -> Reply:
    name = request.text("name")
    request.check_all_read()
    enrolment.delete_user(counter.broker, counter.actor, name)
    return Reply()


def set_password(counter: Counter, request: Request) -> Reply:
    name, password_hash = request.text("name"), request.text("password_hash")
    request.check_all_read()
    enrolment.set_password(counter.broker, counter.actor, name, password_hash)
    return Reply()


def set_tags(counter: Counter, request: Request) -> Reply:
    name, tags = request.text("name"), request.texts("tags")
    request.check_all_read()
    enrolment.set_tags(counter.broker, counter.actor, name, tags)
    return Reply()


def set_user_limits(counter: Counter, request: Request) -> Reply:
    name, limits = request.text("name"), request.object("limits")
    request.check_all_read()
    administration.set_user_limits(counter.broker, counter.actor, name, limits)
    return Reply()


def clear_user_limits(counter: Counter, request: Request) -> Reply:
    name = request.text("name")
    request.check_all_read()
    enrolment.clear_user_limits(counter.broker, counter.actor, name)
    return Reply()


def set_permissions(counter: Counter, request: Request) -> Reply:
    vhost, user = counter.vhost(request), request.text("user")
    rights = {right: request.text(right) for right in ("configure", "write", "read")}
    request.check_all_read()
    enrolment.set_permissions(vhost, counter.actor_in(vhost), user, rights)
    return Reply()


def clear_permissions(counter: Counter, request: Request) -> Reply:
    vhost, user = counter.vhost(request), request.text("user")
    request.check_all_read()
    enrolment.clear_permissions(vhost, counter.actor_in(vhost), user)
    return Reply()


def set_topic_permissions(counter: Counter, request: Request) -> Reply:
    vhost, user, exchange = counter.vhost(request), request.text("user"), request.text("exchange")
    rule = {right: request.text(right) for right in ("write", "read")}
    request.check_all_read()
    enrolment.set_topic_permission(vhost, counter.actor_in(vhost), user, exchange, rule)
    return Reply()


def clear_topic_permissions(counter: Counter, request: Request) -> Reply:
    vhost, user, exchange = counter.vhost(request), request.text("user"), request.text("exchange", "")
    request.check_all_read()
    enrolment.clear_topic_permissions(vhost, counter.actor_in(vhost), user, exchange)
    return Reply()


def add_vhost(counter: Counter, request: Request) -> Reply:
    name = request.text("name")
    said = {key: request.text(key, "") for key in ("description", "default_queue_type")}
    request.check_all_read()
    value = {key: value for key, value in said.items() if value}
    enrolment.add_vhost(counter.broker, counter.actor, name, value)
    return Reply()


def delete_vhost(counter: Counter, request: Request) -> Reply:
    name = request.text("name")
    request.check_all_read()
    enrolment.delete_vhost(counter.broker, counter.actor, name)
    return Reply()


def set_vhost_limits(counter: Counter, request: Request) -> Reply:
    vhost, limits = counter.vhost(request), request.object("limits")
    request.check_all_read()
    administration.set_vhost_limits(vhost, counter.actor_in(vhost), limits)
    return Reply()


def clear_vhost_limits(counter: Counter, request: Request) -> Reply:
    vhost = counter.vhost(request)
    request.check_all_read()
    administration.clear_vhost_limits(vhost, counter.actor_in(vhost))
    return Reply()


def trace(counter: Counter, request: Request) -> Reply:
    vhost, on = counter.vhost(request), request.flag("on")
    request.check_all_read()
    enrolment.trace(vhost, counter.actor_in(vhost), on)
    return Reply()


OPERATIONS = {
    "user add": add_user,
    "user delete": delete_user,
    "user password": set_password,
    "user tags": set_tags,
    "user set-limits": set_user_limits,
    "user clear-limits": clear_user_limits,
    "permissions set": set_permissions,
    "permissions clear": clear_permissions,
    "topic-permissions set": set_topic_permissions,
    "topic-permissions clear": clear_topic_permissions,
    "vhost add": add_vhost,
    "vhost delete": delete_vhost,
    "vhost set-limits": set_vhost_limits,
    "vhost clear-limits": clear_vhost_limits,
    "trace": trace,
}
