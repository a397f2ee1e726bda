"""Facts ↔ JSON, and what becomes of old shapes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from events import codec
from events.base import Fact
from events.codec import MODULES, UnknownFact, decode, facts_of
from events.command import CommandReceived
from events.upcast import UPCASTERS, Body
from storage import canonical, record
from tests.storage import golden


@pytest.mark.parametrize("fact", golden.all_facts(), ids=lambda fact: fact.type)
def test_every_fact_can_be_found_and_has_a_golden_record_of_every_version(fact: type[Fact]) -> None:
    prefix = fact.type.partition(".")[0]
    assert MODULES.get(prefix) == fact.__module__, f"give `{prefix}` a line in events/codec.py"
    assert facts_of(fact.__module__)[fact.type] is fact
    for sv in range(1, fact.sv + 1):
        assert golden.path_of(fact.type, sv).exists(), "run `python -m tests.storage.golden`"
    for sv in range(1, fact.sv):
        assert (fact.type, sv) in UPCASTERS, f"events/upcast.py lacks the step from version {sv}"


@pytest.mark.parametrize("path", sorted(golden.FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_what_was_ever_written_can_be_read(path: Path) -> None:
    data = path.read_bytes()
    assert canonical.writes(record.parse_open(data), data)
    parsed = record.parse(data)
    assert path == golden.path_of(parsed.type, parsed.sv)
    fact = record.recorded(data).fact
    if parsed.sv == fact.sv:
        # A field that was renamed or dropped would be missing here.
        assert canonical.encode(fact) == bytes(parsed.body), "a shape that changes needs the next `sv` and an upcaster"


class Moved(Fact, frozen=True, kw_only=True):
    type: ClassVar[str] = "moved.about"
    sv: ClassVar[int] = 3

    place: str
    floor: int = 0


def to_2(body: Body) -> Body:
    return {"place": body["where"]}


def to_3(body: Body) -> Body:
    return body | {"floor": 1}


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODULES, "moved", __name__)
    monkeypatch.setattr(codec, "_decoders", {})


@pytest.mark.usefixtures("moved")
def test_an_old_shape_is_converted_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(UPCASTERS, ("moved.about", 1), to_2)
    monkeypatch.setitem(UPCASTERS, ("moved.about", 2), to_3)
    assert decode("moved.about", 1, b'{"where":"here"}') == Moved(place="here", floor=1)
    assert decode("moved.about", 2, b'{"place":"here"}') == Moved(place="here", floor=1)
    assert decode("moved.about", 3, b'{"floor":2,"place":"here"}') == Moved(place="here", floor=2)


@pytest.mark.usefixtures("moved")
@pytest.mark.parametrize("sv", [0, 1, 2, 4])
def test_a_version_that_is_not_known_is_refused(sv: int) -> None:
    with pytest.raises(UnknownFact, match=rf"version {sv} of `moved\.about` is not known"):
        decode("moved.about", sv, b"{}")


@pytest.mark.parametrize("type_", ["", "command", "command.never", "nonsense.happened", "os.path"])
def test_a_type_that_is_not_known_is_refused(type_: str) -> None:
    with pytest.raises(UnknownFact, match="there is no fact"):
        decode(type_, 1, b"{}")


def test_a_body_that_does_not_fit_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode("command.received", 1, b'{"command":1}')
    assert decode("command.received", 1, b'{"command":"a"}') == CommandReceived(command="a")
