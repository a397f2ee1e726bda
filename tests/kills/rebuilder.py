"""Rebuilds the projections of a journal, divided into parts however short it is: ``FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import patch

from storage.projections import beside, runner
from tests.storage.records import PROJECTIONS, open_record

PARTS = 3


def main() -> None:
    """In a process of its own, which starts one for each part."""
    with (
        patch.object(runner, "PAGE", 1),
        patch.object(beside, "processes_for", lambda records: PARTS),
        open_record(Path(sys.argv[1])) as journal,
    ):
        journal.rebuild(PROJECTIONS)


if __name__ == "__main__":
    main()
