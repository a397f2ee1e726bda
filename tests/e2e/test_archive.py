"""A node's journal is archived while the node runs: the chain holds across the cut, for everybody."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.config import VarsChanged
from events.network import NetworkCreated
from rig.kernel.ports import Draft, Stamp
from storage.journal import Journal
from tests.e2e.rig import User

MONTH = 30 * 86_400 * 1_000_000_000


class LongAgo:
    """A clock that is a month late."""

    def now(self) -> int:
        return time.time_ns() - MONTH


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    """A user of a node that was used a month ago."""
    user = User(tmp_path / "home")
    node = user.home / "node"
    node.mkdir(parents=True, mode=0o700)
    by = Stamp(id="old", actor="user:ana", at=0, corr="old")
    with Journal.open(node / "journal.sqlite", origin="node", clock=LongAgo()) as journal:
        made = Draft(stream="network:old", fact=NetworkCreated(name="old"), target="old")
        changed = Draft(stream="network:old", fact=VarsChanged(scope="old", set={"A": "1"}), target="old")
        journal.append([made, changed], by)
    try:
        user.start_node("--isolation", "none")
        yield user
    finally:
        user.stop_everything()


def verified(user: User, *flags: str) -> int:
    """Verify; gives how many records are checked of the replica, or of the journal."""
    report = user.ok("journal", "verify", *flags, "-o", "json").data
    assert report["verdict"] == "verified"
    return int(report["replicated"] or report["records"])


def test_the_chain_holds_across_the_cut(user: User) -> None:
    user.ok("create", "network", "new")
    user.ok("audit", "--sync")
    size = user.ok("journal", "info", "--node", "-o", "json").data["size"]
    recent = user.rig("node", "archive", "--before", "1h", "--yes", "-o", "json")
    assert (recent.exit, recent.json["error"]["code"]) == (64, "usage")
    assert user.rig("node", "archive", "--before", "7d", "-o", "json").exit == 64  # nobody said yes
    archived = user.ok("node", "archive", "--before", "7d", "--yes", "-o", "json").data
    assert (archived["first"], archived["records"]) == (0, 2)
    assert Path(archived["file"]).parent == user.home / "node" / "archive"
    # The node's own journal, the replica from before the cut, one that begins behind it, and the file.
    report = user.ok("journal", "verify", "--node", "-o", "json").data
    assert (report["verdict"], report["first"], [one["present"] for one in report["segments"]]) == (
        "verified",
        2,
        [True],
    )
    assert verified(user) > size
    (replica,) = (user.home / "replicas").glob("*.sqlite")
    replica.unlink()
    user.ok("audit", "--sync")
    assert verified(user) > size
    key = user.ok("journal", "info", "--node", "-o", "json").data["verifier"]
    whole = user.ok("journal", "verify", archived["file"], "--key", key, "-o", "json").data
    assert (whole["verdict"], whole["records"]) == ("verified", 2)

    user.ok("node", "stop")
    user.ok("node", "start", "--isolation", "none")
    names = {network["name"] for network in user.ok("list", "networks", "-o", "json").data["networks"]}
    assert names == {"old", "new"}
    # Streams go on where they were, and the witness knows whose journal this is.
    assert user.ok("create", "var", "--network", "old", "B=2", "-o", "json").json["warnings"] == []
    values = {
        one["name"]: one["value"] for one in user.ok("list", "vars", "--network", "old", "-o", "json").data["vars"]
    }
    assert (values["A"], values["B"]) == ("1", "2")
    assert verified(user, "--node") > 0

    user.ok("node", "stop")
    file = Path(archived["file"])
    file.rename(file.with_suffix(".away"))
    missing = user.rig("node", "start", "--isolation", "none", "-o", "json")
    assert (missing.exit, missing.json["error"]["code"]) == (65, "unverifiable")
    assert "Put the file back" in missing.json["error"]["hint"]
    file.with_suffix(".away").rename(file)
