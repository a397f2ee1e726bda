"""Documents that a command writes to a file which its user names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rig.kernel.errors import RigError
from rig.kernel.files import require_absent


@contextmanager
def writing_to(path: str, *, overwrite: bool) -> Iterator[Callable[[str], Any]]:
    """Gives what writes to ``path``, which is there when the block has ended well. See `ClientPorts.writing`."""
    if not overwrite:
        require_absent(path)
    partial = f"{path}.{os.getpid()}.partial"
    try:
        # What is exported was for the eyes of whoever exported it.
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            yield file.write
        os.replace(partial, path)
    except OSError as error:
        raise RigError(
            "usage", f"{path} cannot be written: {error.strerror or error}.", "Name another file with `--file`."
        ) from error
    finally:
        if os.path.lexists(partial):
            os.unlink(partial)
