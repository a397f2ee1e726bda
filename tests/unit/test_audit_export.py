"""What `rig audit export` writes: pages, spreadsheets, OCSF events, and nothing of what is in them that could run."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from handlers.export_audit import FIELDS, UNPROVEN, document, facts
from handlers.export_html import page
from handlers.export_ocsf import AUTHENTICATION, event
from rig.contract.review import AuditEntry, ExportAudit, Replicated

EVIL = """</td></script><script>document.title="hacked"</script><img src=x onerror="document.title='hacked'">"'&"""
ENTRY = AuditEntry(
    source="observed",
    pos=3,
    id="01a1f787-5a65-7b5c-b0c9-c389a8758591",
    at="2026-11-20T05:56:45.285Z",
    ended_at="2026-11-20T05:56:46.000Z",
    actor="user:ana",
    action="app.delete",
    target="demo/shop",
    outcome="denied",
    code="forbidden",
    reason="You have viewer in network `demo`.",
    src="127.0.0.1",
    session="s1",
    corr="c1",
    privileged=True,
)
OTHER = msgspec.structs.replace(
    ENTRY, source="local", pos=4, id="other", actor="user:bea", action="deploy", outcome="success"
)
HOSTILE = msgspec.structs.replace(
    ENTRY, id=EVIL, actor=EVIL, action=EVIL, target=EVIL, src=EVIL, reason=EVIL, code=EVIL, at=EVIL
)


# -- OCSF: the required attributes of schema 1.3.0, as schema.ocsf.io lists them --------------------------------------

BASE = {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"}
REQUIRED = {3002: BASE | {"user"}, 6003: BASE | {"actor", "api", "src_endpoint"}}
ONE_OF = {3002: {"service", "dst_endpoint"}, 6003: BASE}
ENUMS = {
    "activity_id": {3002: {0, 1, 2, 99}, 6003: {0, 1, 2, 3, 4, 99}},
    "severity_id": {3002: {0, 1, 2, 3, 4, 5, 6, 99}, 6003: {0, 1, 2, 3, 4, 5, 6, 99}},
    "status_id": {3002: {0, 1, 2, 99}, 6003: {0, 1, 2, 99}},
}
CAPTIONS = {
    "severity_id": {1: "Informational", 2: "Low", 3: "Medium"},
    "status_id": {0: "Unknown", 1: "Success", 2: "Failure"},
}
ACTIONS = [
    *AUTHENTICATION,
    "deploy",
    "app.create",
    "app.deleted",
    "audit.list",
    "release.rollback",
    "something.new",
    "x",
]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("outcome", ["success", "failure", "denied", "error", "unknown"])
@pytest.mark.parametrize("src", ["", "laptop", "192.0.2.7", "::1"])
def test_an_event_has_what_its_class_requires(action: str, outcome: Any, src: str) -> None:
    told = event(msgspec.structs.replace(ENTRY, action=action, outcome=outcome, src=src), "0.1.0")
    kind = told["class_uid"]
    assert kind == (3002 if action in AUTHENTICATION else 6003)
    assert told["category_uid"] == kind // 1000
    assert told["type_uid"] == kind * 100 + told["activity_id"]
    assert REQUIRED[kind] <= set(told)
    assert ONE_OF[kind] & set(told)
    for name, allowed in ENUMS.items():
        assert told[name] in allowed[kind]
    assert told["time"] == 1_795_154_205_285
    assert set(told["metadata"]) >= {"product", "version"}
    assert set(told["metadata"]["product"]) >= {"name", "vendor_name"}
    ends = {"": {"name": "unknown"}, "laptop": {"hostname": "laptop"}}
    assert told["src_endpoint"] == ends.get(src, {"ip": src})
    user = told["user"] if kind == 3002 else told["actor"]["user"]
    assert (user["name"], user["uid"], user["type"]) == ("ana", "user:ana", "User")
    # What stands beside a number is its caption, or where the number is "Other", the word of the source.
    for name, captions in CAPTIONS.items():
        assert told[name.removesuffix("_id")] == captions[told[name]]
    assert told["unmapped"]["outcome"] == outcome
    assert told["activity_name"] == {0: "Unknown", 99: action}.get(told["activity_id"], told["activity_name"])
    if kind == 6003:
        assert told["api"]["operation"] == action
    json.dumps(told)


@pytest.mark.parametrize(
    ("action", "activity"),
    [("app.create", 1), ("deploy", 1), ("audit.list", 2), ("app.scaled", 3), ("app.deleted", 4), ("anything", 99)],
)
def test_what_was_done_is_a_create_read_update_or_delete(action: str, activity: int) -> None:
    assert event(msgspec.structs.replace(ENTRY, action=action), "0.1.0")["activity_id"] == activity


def test_an_event_tells_who_else_than_people_acts_and_leaves_out_what_is_not_known() -> None:
    told = event(msgspec.structs.replace(ENTRY, actor="token:ci", code="", reason="", ended_at=""), "0.1.0")
    assert told["actor"]["user"] == {"name": "ci", "uid": "token:ci", "type_id": 99, "type": "token"}
    assert not {"status_code", "status_detail", "end_time"} & set(told)


# -- CSV, JSON Lines --------------------------------------------------------------------------------------------------


def written(format: Any, *entries: AuditEntry) -> str:
    return "".join(document(ExportAudit(format=format), iter(entries), ["It is what it is."], "0.1.0"))


def test_csv_is_read_back_as_it_was() -> None:
    multiline = msgspec.structs.replace(ENTRY, reason='It said "no",\nand more\r')
    header, *rows = csv.reader(io.StringIO(written("csv", ENTRY, multiline), newline=""))
    assert tuple(header) == FIELDS
    assert [dict(zip(header, row, strict=True))["reason"] for row in rows] == [ENTRY.reason, multiline.reason]


def test_a_spreadsheet_runs_nothing() -> None:
    formula = msgspec.structs.replace(ENTRY, reason="=cmd|' /C calc'!A0")
    (_, row) = csv.reader(io.StringIO(written("csv", formula)))
    assert dict(zip(FIELDS, row, strict=True))["reason"] == "'=cmd|' /C calc'!A0"


# -- HTML -------------------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """The elements of a page, and the text of its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "td":
            self._in_cell = True
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag != "td"

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.cells[-1] += data


def test_a_page_is_one_file_that_loads_nothing() -> None:
    read = Reader("".join(page(iter([ENTRY]), ["It is what it is."])))
    for tag, attributes in read.elements:
        assert tag not in {"link", "img", "iframe", "object", "base"}
        assert not {"src", "href", "action", "onload", "onclick", "style"} & set(attributes)
    assert [tag for tag, _ in read.elements].count("script") == 1


def test_its_policy_allows_its_own_script_and_style_by_their_hashes() -> None:
    text = written("html", ENTRY)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    for kind in ("style", "script"):
        (body,) = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        digest = b64encode(sha256(body.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_what_is_hostile_is_text() -> None:
    read = Reader(written("html", HOSTILE))
    assert read.cells.count(EVIL) >= 5
    assert [tag for tag, _ in read.elements].count("script") == 1
    assert not [attributes for tag, attributes in read.elements if tag == "img"]


def test_a_page_says_what_it_is_and_what_it_is_not() -> None:
    known = Replicated(origin="rig/node/1", size=9, withheld=2, synced_at="2026-11-20T05:56:47Z", forked="it lies")
    said = facts(ExportAudit(format="html", actor="user:*"), "local+observed", known, 1_795_000_000_000_000_000)
    assert said[0].endswith(" from the record of one machine, and the platform's.")
    assert "Filters: actor user:*." in said
    assert any("9 records, 2 of them withheld" in text for text in said)
    assert any("it lies" in text for text in said)
    assert said[-1] == UNPROVEN


@pytest.mark.needs("chromium")
def test_a_browser_filters_it_and_runs_nothing_else(tmp_path: Path) -> None:
    """Opened from the disk. The address may ask for a part of it."""
    file = tmp_path / "audit.html"
    file.write_text(written("html", HOSTILE, ENTRY, OTHER), encoding="utf-8")
    shown = dump(file.as_uri(), tmp_path)
    read = Reader(shown)
    assert "<title>rig: audit</title>" in shown
    assert "3 of 3 entries shown" in shown
    options = [attributes.get("value") for tag, attributes in read.elements if tag == "option"]
    assert {"user:ana", "user:bea", "app.delete", "deploy", "denied", "success"} <= set(options)
    assert ("form", {}) in read.elements  # its script ran, and showed what it can do
    part = dump(f"{file.as_uri()}#who=user:ana&outcome=denied", tmp_path)
    assert "1 of 3 entries shown" in part
    assert sum("hidden" in attributes for tag, attributes in Reader(part).elements if tag == "tr") == 2
    part = dump(f"{file.as_uri()}#text=onerror", tmp_path)
    assert "1 of 3 entries shown" in part
    assert "<title>rig: audit</title>" in part


def dump(address: str, folder: Path) -> str:
    """The page as it is after its script has run."""
    done = subprocess.run(
        [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={folder / 'profile'}", "--dump-dom", address,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )  # fmt: skip
    return done.stdout
