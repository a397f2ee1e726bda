"""What a journal does on a disk that is full, or read-only. Run in a mount namespace of its own.

``python -m tests.storage.small_disk full|read-only FOLDER``; FOLDER is the mount point of a small tmpfs. It prints what
it has found, and exits with 0 where all is as it should be.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rig.kernel.errors import RigError
from tests.storage.support import fill, findings, open_journal, received, stamp


def append_until_refused(folder: Path) -> tuple[int, RigError]:
    with open_journal(folder) as journal:
        for number in range(100_000):
            try:
                journal.append([received(f"command:full-{number}")], stamp(id=f"full-{number}"))
            except RigError as error:
                return number, error
    raise AssertionError("the disk was never full")


def count(folder: Path) -> int:
    with open_journal(folder) as journal:
        return len(journal.read(limit=200_000))


def full(disk: Path) -> None:
    folder = disk / "home"
    fill(folder, 5)
    spare = disk / "spare"
    spare.write_bytes(bytes(64 * 1024))
    acknowledged, error = append_until_refused(folder)
    assert error.code == "journal_unavailable", error
    assert "the disk did not take it" in error.message, error
    assert "Make room" in error.hint, error
    assert count(folder) == 5 + acknowledged
    verdict, codes = findings(folder)
    # The last pin may not have fitted; it is older then, and still true.
    assert verdict == "verified", codes
    spare.unlink()
    fill(folder, 1)
    assert count(folder) == 6 + acknowledged
    assert findings(folder)[0] == "verified"
    print("full", acknowledged)


def read_only(disk: Path) -> None:
    folder = disk / "home"
    fill(folder, 5)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert count(folder) == 5
    assert findings(folder) == ("verified", [])
    with open_journal(folder) as journal:
        assert len(list(journal.rows("SELECT * FROM audit"))) == 5
        with pytest.raises(RigError, match="read-only") as refused:
            journal.append([received("command:no")], stamp())
        assert refused.value.code == "journal_unavailable"
    print("read-only")


if __name__ == "__main__":
    {"full": full, "read-only": read_only}[sys.argv[1]](Path(sys.argv[2]))
