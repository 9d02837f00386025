"""File descriptors: take as many as the system lets this process have, and keep some for the journal."""

RESERVED = 64
"""For the journal, logs, listeners and what Python needs: never given to connections."""


def raise_limit() -> None:
    """Raise the soft limit to the hard one, where there are such limits."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard and hard != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connections_possible(wanted: int) -> int:
    """How many of the wanted connections the descriptor limit allows, at least one."""
    try:
        import resource
    except ImportError:
        return wanted
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, soft - RESERVED))
