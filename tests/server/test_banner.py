"""mambaamqp/server/banner.py: what is printed when the broker is ready."""

from pathlib import Path

from mambaamqp.server.banner import banner
from mambaamqp.server.ports import Address


def test_one_fact_a_line() -> None:
    """Scripts can read the port."""
    text = banner(
        version="1.2.3",
        compiled=False,
        listeners=[Address("127.0.0.1", 5672), Address("::1", 5672)],
        data_dir=Path("/var/lib/mambaamqp"),
        sync="always",
    )
    assert text.splitlines() == [
        "mambaamqp 1.2.3",
        "core: pure Python",
        "listening: 127.0.0.1:5672",
        "listening: [::1]:5672",
        "data directory: /var/lib/mambaamqp",
        "sync: always (a confirm means on disk)",
        "ready",
    ]
