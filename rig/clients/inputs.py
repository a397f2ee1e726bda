"""What a user hands over besides the command line: files, standard input, and what is typed unseen."""

from __future__ import annotations

import sys

from rig.contract.variables import MAX_TOTAL
from rig.kernel.client import Terminal
from rig.kernel.errors import RigError, declined

LIMIT = 2 * MAX_TOTAL
"""Bytes that are read at all; what is longer is refused, not cut."""


class Inputs:
    """Files and standard input, to their end and byte by byte."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def file(self, path: str) -> bytes:
        """The content of a file; ``-`` is standard input. Raises `RigError` ``usage`` or ``too_large``."""
        if path == "-":
            return _whole(sys.stdin.buffer.read(LIMIT + 1))
        try:
            with open(path, "rb") as file:
                return _whole(file.read(LIMIT + 1))
        except OSError as error:
            raise RigError("usage", f"{path} cannot be read: {error.strerror}.", "Is it the right file?") from error

    def secret(self, prompt: str) -> bytes:
        """A value that is typed and not shown, or sent by standard input.

        Raises `RigError` ``input_required``, and ``cancelled`` on Ctrl-C or Ctrl-D: nothing has been sent by then.
        """
        if not sys.stdin.isatty():
            return self.file("-")
        if not self._terminal.interactive:
            raise RigError(
                "input_required",
                "There is nobody to ask for the value.",
                "Send it by standard input, or name a file with `--from-file`.",
            )
        from getpass import getpass

        try:
            return getpass(prompt, stream=sys.stderr).encode()
        except (KeyboardInterrupt, EOFError):
            self._terminal.tell("")
            raise declined() from None


def _whole(data: bytes) -> bytes:
    if len(data) > LIMIT:
        raise RigError("too_large", f"There are more than {LIMIT} bytes.", "Is it the right file?")
    return data
