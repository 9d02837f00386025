"""A relay before a broker, with the two calls of a management API by which suites break their connections.

    python -m interop.relay BROKER_PORT [PORT [MANAGEMENT_PORT]]

GET /api/connections/ lists the names that clients gave their connections, DELETE /api/connections/NAME cuts
one. On 127.0.0.1 alone, by default on RabbitMQ's ports.
"""

import json
import re
import socket
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

PORT, MANAGEMENT_PORT = 5672, 15672
HOST = "127.0.0.1"
CHUNK_BYTES = 65_536
NAME = re.compile(rb"\x0fconnection_nameS\x00\x00(..)", re.DOTALL)
"""In the properties of a client, before the name: its field, its type, its length."""


class Relayed:
    """One connection, there and back. Its name is what the client says of itself."""

    def __init__(self, client: socket.socket, broker: socket.socket) -> None:
        self.client, self.broker = client, broker
        self.name = ""

    def run(self) -> None:
        """Until one of the two ends; then both have."""
        back = threading.Thread(target=self._copy, args=(self.broker, self.client), daemon=True)
        back.start()
        self._copy(self.client, self.broker)
        back.join()

    def cut(self) -> None:
        """End both sides, whatever is under way."""
        for end in (self.client, self.broker):
            with suppress(OSError):  # it may have ended by itself
                end.shutdown(socket.SHUT_RDWR)

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # the other side may have gone
            while octets := source.recv(CHUNK_BYTES):
                if not self.name and (found := NAME.search(octets)):
                    length = int.from_bytes(found[1], "big")
                    self.name = octets[found.end() : found.end() + length].decode()
                sink.sendall(octets)
        self.cut()


class Relay:
    """All connections to one broker."""

    def __init__(self, broker_port: int) -> None:
        self.broker_port = broker_port
        self.open: list[Relayed] = []

    def serve(self, port: int) -> None:
        """For ever."""
        with socket.create_server((HOST, port)) as listener:
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection((HOST, self.broker_port)) as broker:
            relayed = Relayed(client, broker)
            for end in (client, broker):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.open.append(relayed)
            relayed.run()
            self.open.remove(relayed)


class Management(BaseHTTPRequestHandler):
    """The two calls."""

    relay: Relay

    def do_GET(self) -> None:
        found = [
            {"name": each.name, "client_properties": {"connection_name": each.name}}
            for each in self.relay.open
            if each.name
        ]
        self._answer(200, json.dumps(found).encode())

    def do_DELETE(self) -> None:
        name = unquote(self.path.rpartition("/")[2])
        for each in [each for each in self.relay.open if each.name == name]:
            each.cut()
        self._answer(204, b"")

    def log_message(self, format: str, *args: object) -> None:
        """Silence: the suites say themselves what they do."""

    def _answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(broker_port: int, port: int = PORT, management_port: int = MANAGEMENT_PORT) -> None:
    """Both servers, until the process is ended."""
    Management.relay = Relay(broker_port)
    server = ThreadingHTTPServer((HOST, management_port), Management)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Management.relay.serve(port)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
