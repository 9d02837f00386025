"""mambaamqp.access.users: the registry."""

from mambaamqp.access.users import User, Users


def test_put_get_replace_remove() -> None:
    """The registry holds one user a name, the last one put."""
    users = Users()
    first, second = User("kim", "h1"), User("kim", "h2")

    users.put(first)
    users.put(second)

    assert users.get("kim") is second
    assert "kim" in users
    assert list(users) == [second]
    assert len(users) == 1
    assert users.remove("kim") is True
    assert users.remove("kim") is False
    assert users.get("kim") is None


def test_names_are_compared_exactly() -> None:
    """Case and form of a name count."""
    users = Users()
    users.put(User("Kim", "h"))

    assert users.get("kim") is None


def test_a_user_prints_without_its_hash() -> None:
    """A hash in a log is a gift to whoever guesses offline."""
    assert "h4sh" not in repr(User("kim", "h4sh"))


def test_only_the_tag_impersonates() -> None:
    """The user-id property is checked for everybody else, administrators too."""
    assert User("kim", "h", frozenset({"impersonator"})).may_impersonate
    assert not User("kim", "h", frozenset({"administrator"})).may_impersonate
