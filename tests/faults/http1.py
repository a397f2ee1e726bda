"""Reading HTTP/1.1 messages whole, as far as rig and its node write them."""

from __future__ import annotations

from io import BufferedIOBase

import msgspec


class Message(msgspec.Struct, frozen=True):
    """A request or an answer, as it came."""

    head: bytes
    """Everything up to and including the empty line."""
    body: bytes
    """As it was sent: chunked stays chunked."""

    @property
    def line(self) -> str:
        """The first line, as ``GET /v1 HTTP/1.1``."""
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = [line.partition(":") for line in lines if line]
        return {name.lower(): value.strip() for name, _, value in pairs}

    @property
    def whole(self) -> bytes:
        return self.head + self.body


def read_message(stream: BufferedIOBase) -> Message | None:
    """The next message of a connection; None at its end, also where that came too early."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return None
        head += line
    message = Message(head, b"")
    headers = message.headers
    if headers.get("transfer-encoding") == "chunked":
        body = _read_chunks(stream)
    else:
        length = int(headers.get("content-length", "0"))
        body = stream.read(length)
        if len(body) < length:
            return None
    return None if body is None else Message(head, body)


def _read_chunks(stream: BufferedIOBase) -> bytes | None:
    body = b""
    while True:
        line = stream.readline()
        if not line:
            return None
        size = int(line, 16)
        chunk = stream.read(size + 2)
        body += line + chunk
        if size == 0:
            return body
