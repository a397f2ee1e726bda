"""The tour names functions that are really called, by the client or by the node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.checkout import Checkout
from tests.docs.markdown import ROOT

pytestmark = pytest.mark.xdist_group("tour")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py:[\w.]+)`", (ROOT / "docs" / "tour.md").read_text(encoding="utf-8"))))

TRACER = """\
import os, sys, threading

ROOT, LOG = {root!r}, {log!r}
ROOMS = tuple(os.path.join(ROOT, room) + os.sep for room in ("rig", "handlers", "events", "storage"))
seen = set()


def note(frame, event, argument):
    code = frame.f_code
    if event == "call" and code not in seen:
        seen.add(code)
        if code.co_filename.startswith(ROOMS):
            with open(LOG, "a") as log:
                log.write(f"{{os.path.relpath(code.co_filename, ROOT)}}:{{code.co_qualname}}\\n")


threading.setprofile(note)
sys.setprofile(note)
"""


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[str]]:
    """What `rig create network` calls, in whichever process, as ``rig/cli/run.py:find_verbs``."""
    folder = tmp_path_factory.mktemp("tour")
    log = folder / "called"
    checkout = Checkout(folder)
    (site,) = (checkout.root / ".venv").glob("lib/python*/site-packages")
    (site / "tracer.py").write_text(TRACER.format(root=str(checkout.root), log=str(log)))
    (site / "tracer.pth").write_text("import tracer\n")
    status, printed = checkout.run("rig node start; rig login; rig create network demo")
    try:
        assert status == 0, printed
        yield set(log.read_text().splitlines())
    finally:
        checkout.close()


@pytest.mark.needs("bash", "git")
@pytest.mark.parametrize("function", NAMED)
def test_the_tour_names_what_is_called(function: str, called: set[str]) -> None:
    assert function in called


def test_the_tour_passes_every_room() -> None:
    rooms = {Path(function.partition(":")[0]).parent.as_posix() for function in NAMED}
    assert {"rig", "rig/cli", "rig/kernel", "rig/clients", "rig/contract", "rig/node", "handlers", "events"} <= rooms
    assert any(room.startswith("storage") for room in rooms)


def test_the_tour_lists_every_room_and_no_other() -> None:
    tour = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([\w/]+)/` \|", tour, re.MULTILINE))
    packages = [ROOT / name for name in ("rig", "events", "handlers", "storage")]
    there = {init.parent.relative_to(ROOT).as_posix() for room in packages for init in room.rglob("__init__.py")}
    assert listed == there
