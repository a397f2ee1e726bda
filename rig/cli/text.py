"""Text that came from elsewhere, made safe to show."""

from __future__ import annotations

import os

from rig.kernel.errors import RigError


def readable(argv: list[str]) -> list[str]:
    """Arguments as the text that they are in UTF-8, whatever the locale says. Raises `RigError` ``usage`` for others.

    What cannot be written down cannot be put on the record.
    """
    try:
        "".join(argv).encode()
    except UnicodeEncodeError:
        try:
            return [os.fsencode(argument).decode() for argument in argv]
        except UnicodeDecodeError as error:
            shown = error.object.decode(errors="backslashreplace")
            raise RigError(
                "usage", f"`{shown}` is no text in UTF-8.", "Rename the file, or write it in UTF-8."
            ) from error
    return argv


def printable(text: str) -> str:
    """``text`` without the control characters that could move the cursor or change a terminal's state."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)
