"""What goes over the wire from a browser to the service, byte by byte."""

import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer

import httpx


class Wire(ThreadingTCPServer):
    """Passes connections on to a service, and keeps all that it was sent."""

    def __init__(self, service: httpx.URL) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.service = (service.host, service.port)
        self.sent: list[bytearray] = []
        """By connection."""
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def take(self) -> Counter[bytes]:
        """Every request since it was last asked, as it was sent, and how often it was."""
        taken = Counter(request for sent in self.sent for request in _requests(bytes(sent)))
        for sent in self.sent:
            sent.clear()
        return taken


@contextmanager
def wire_to(service: httpx.Client) -> Iterator[Wire]:
    """A wire of its own, on a free port of this machine."""
    with Wire(service.base_url) as wire:
        thread = threading.Thread(target=wire.serve_forever)
        thread.start()
        try:
            yield wire
        finally:
            wire.shutdown()
            thread.join()


class _Connection(BaseRequestHandler):
    server: Wire
    request: socket.socket

    def handle(self) -> None:
        sent = bytearray()
        self.server.sent.append(sent)
        with socket.create_connection(self.server.service) as service:
            back = threading.Thread(target=_pass_on, args=(service, self.request, bytearray()))
            back.start()
            _pass_on(self.request, service, sent)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):  # one side hung up, and so does the other
        while data := source.recv(65536):
            kept += data
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _requests(sent: bytes) -> Iterator[bytes]:
    """What one connection was sent, request by request."""
    while sent:
        head, end, rest = sent.partition(b"\r\n\r\n")
        announced = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        length = int(announced[1]) if announced else 0
        yield head + end + rest[:length]
        sent = rest[length:]
