"""docs/journal.md tells what the code does: every finding is explained, the table of tampering is the tested one."""

from __future__ import annotations

import re
from pathlib import Path

from tests.storage import tampering

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "journal.md").read_text()
SOURCES = ("verify.py", "verify_records.py", "verify_tables.py", "verify_export.py")


def test_the_table_of_tampering_is_the_tested_one() -> None:
    assert tampering.table() in PAGE, "`python -m tests.storage.tampering` prints it"


def test_every_finding_is_explained() -> None:
    code = "".join((ROOT / "storage" / name).read_text() for name in SOURCES)
    findings = set(re.findall(r'"([A-Z]{3,}(?:_[A-Z]+)+|EDITED|GAP|DAMAGED|UNSIGNED|TRUNCATED|UNREADABLE)"', code))
    assert len(findings) > 20
    explained = set(re.findall(r"`([A-Z_]{3,})`", PAGE))
    assert {name for name in findings - explained if not name.startswith("SQLITE_")} == set()
