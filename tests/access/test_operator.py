"""mambaamqp/access/operator.py: who may open the control socket may do everything."""

from mambaamqp.access.operator import NAME, Operator
from mambaamqp.access.permissions import Access, authorize, authorize_any, authorize_tag, authorize_topic
from mambaamqp.access.users import ADMINISTRATOR


def test_nobody_can_take_anything_from_it() -> None:
    """It is no user: whatever happens to users and permissions, it may go on."""
    access = Access()
    operator = Operator("v", access)
    access.add_vhost("v")
    access.remove_user(NAME)
    for right in ("configure", "write", "read"):
        authorize(operator, right, "queue", "q")
        authorize_topic(operator, right, "x", "a.b")
    authorize_any(operator, "exchange", "")
    authorize_tag(operator, ADMINISTRATOR)
    assert NAME not in access.users
