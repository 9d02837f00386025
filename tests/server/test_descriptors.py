"""mambaamqp/server/descriptors.py: connections leave some descriptors to the journal."""

import resource

from mambaamqp.server import descriptors


def test_some_descriptors_are_kept() -> None:
    """Connections never get the last descriptors of the process."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert descriptors.connections_possible(10**9) == soft - descriptors.RESERVED
    assert descriptors.connections_possible(5) == 5


def test_the_limit_is_raised() -> None:
    """Afterwards the soft limit is the hard one."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))
        descriptors.raise_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
