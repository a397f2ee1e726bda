"""Appends records in a process of its own and prints the id of each once it is durable.

``python -m tests.storage.appender FOLDER COUNT``; a COUNT of 0 goes on until it is killed.
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

from rig.kernel.errors import RigError
from tests.storage.support import open_journal, received, stamp
from tests.support import TIMEOUT


def main(folder: str, count: int) -> int:
    with open_journal(Path(folder), clock=None, timeout=TIMEOUT) as journal:
        for number in range(count) if count else itertools.count():
            name = f"command:{os.getpid()}-{number}"
            try:
                (recorded,) = journal.append([received(name)], stamp(id=name))
            except RigError as error:
                print(error.code, error.message, flush=True)
                return error.exit
            print(recorded.id, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
