"""Text that came from elsewhere, made safe to show."""

from __future__ import annotations


def printable(text: str) -> str:
    """``text`` without the control characters that could move the cursor or change a terminal's state."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)
