"""The signals that stop a broker, of which the first asks and the second insists, and SIGHUP: read again.

Windows knows SIGINT and SIGBREAK; signals reach the main thread only, so that a broker run in another thread
(a test) is stopped in another way.
"""

import signal
import threading
from collections.abc import Callable

import trio

RELOAD = "SIGHUP"
NAMES = ("SIGTERM", "SIGINT", "SIGBREAK", RELOAD)


async def watch_signals(received: Callable[[str], None]) -> None:
    """Report each of the signals by its name, for ever."""
    if threading.current_thread() is not threading.main_thread():
        return
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    with trio.open_signal_receiver(*numbers) as signals:
        async for number in signals:
            received(signal.Signals(number).name)
