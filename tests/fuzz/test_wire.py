"""A broker on a real socket and peers that talk nonsense to it, before login and after it.

MAMBAAMQP_FUZZ sets how many times as many frames are sent as by default; `make fuzz` sends 100,000.
"""

import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pika
import psutil
import pytest

from tests.fuzz.wire import HEADER, codes, exchange, login, spoil, work
from tests.support.process import BrokerProcess

FRAMES: Final = 2500 * int(os.environ.get("MAMBAAMQP_FUZZ", "1"))
PEERS: Final = 4
WARM_UP_FRAMES: Final = 500
GROWTH_BYTES_MAX: Final = 50 << 20
PASSWORDS: Final = ("guest",) * 27 + ("wrong", "", "x" * 9000)
"""Few are wrong: each of those costs 30 ms, as it should."""
REPLY_CODES: Final = {200, 320, 403, 404, 405, 406, 501, 502, 503, 504, 505, 530, 540}
"""What a peer may be told; 541 is a fault of the broker's own."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    directory: Path = tmp_path_factory.mktemp("wire")
    with BrokerProcess(directory / "data", MAMBAAMQP_PROTOCOL_LOGIN_FAILURE_DELAY_SECONDS="0") as running:
        yield running


def stranger(rng: random.Random) -> list[bytes]:
    """Spoilt before the broker knows who it is."""
    frames = login(rng.choice(PASSWORDS))
    for _ in range(rng.randint(1, 3)):
        frames = spoil(frames, rng) or frames
    return frames


def customer(rng: random.Random) -> list[bytes]:
    """Logged in as it should, and spoilt after that."""
    frames = work(f"queue {rng.randrange(3)}")
    for _ in range(rng.randint(1, 3)):
        frames = spoil(frames, rng) or frames
    return login() + frames


PEOPLE: Final = {"before login": stranger, "after login": customer}


def session(port: int, who: str, seed: str) -> int:
    """One connection, its answers checked; the frames that it sent."""
    rng = random.Random(seed)
    frames = PEOPLE[who](rng)
    try:
        heard = exchange(port, HEADER + b"".join(frames), rng)
        assert heard, "closed without a word"
        assert set(codes(heard)) <= REPLY_CODES
    except Exception as failure:
        failure.add_note(f"seed {seed!r}")
        raise
    return len(frames)


def talk(port: int, who: str, frames: int) -> int:
    """Connections, a few at a time, until so many frames have been sent."""
    sent = number = 0
    with ThreadPoolExecutor(PEERS) as pool:
        while sent < frames:
            seeds = [f"{who} {number + peer}" for peer in range(50)]
            sent += sum(pool.map(lambda seed: session(port, who, seed), seeds))
            number += len(seeds)
    return sent


@pytest.mark.parametrize("who", PEOPLE)
def test_nonsense_is_answered_and_harms_nobody(broker: BrokerProcess, who: str) -> None:
    """Right codes, a bystander's message arrives, nothing is left behind, memory neither."""
    process = psutil.Process(broker.process.pid)
    with broker.connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("bystander", durable=True)
        talk(broker.port, who, WARM_UP_FRAMES)
        memory = process.memory_info().rss
        for share in range(5):
            assert talk(broker.port, who, FRAMES // 2 // 5) >= FRAMES // 2 // 5
            persistent = pika.BasicProperties(delivery_mode=2)
            channel.basic_publish("", "bystander", b"%d" % share, persistent, mandatory=True)
            _, _, body = channel.basic_get("bystander", auto_ack=True)
            assert body == b"%d" % share
        assert process.memory_info().rss - memory < GROWTH_BYTES_MAX
        assert len([link for link in process.net_connections() if link.status == "ESTABLISHED"]) == 1


def test_the_broker_never_lost_its_temper(broker: BrokerProcess) -> None:
    """After all that (or a single session, run alone) it stops cleanly and its log has no traceback."""
    session(broker.port, "after login", "last")
    assert broker.terminate() == 0
    assert "Traceback" not in broker.errors()
