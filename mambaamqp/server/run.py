"""Start and stop a broker, in order.

Start: lock and open the store, recover, listen, say so. Stop: accept nobody any more, then as `stopping` has it,
ending with the record of a clean stop; unlock.

Exit codes: 0 after a stop that was asked for, 1 after the store failed or could not be closed cleanly. What keeps
the broker from starting is raised: ConfigError, StoreError, ListenError, each with one clear line.
"""

from mambaamqp.config import Config


def run(config: Config) -> int:
    """Run a broker until a signal stops it; the process's exit code."""
    raise NotImplementedError
