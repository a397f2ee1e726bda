"""Imports msgspec at half its price: what takes long in it is not needed."""

import sys


def import_msgspec() -> None:
    """Import msgspec as if `typing_extensions` were not installed.

    That module brings `inspect`, `ast` and `dis` along, a sixth of what a local command takes in all. msgspec asks it
    for three names, and takes them from `typing` where it is missing, which has had them all since Python 3.11.
    """
    if "msgspec" in sys.modules or "typing_extensions" in sys.modules:
        return
    # An entry of None makes an import fail (docs.python.org, "The import system", section 5.3.1).
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]
    try:
        import msgspec  # noqa: F401
    finally:
        del sys.modules["typing_extensions"]
