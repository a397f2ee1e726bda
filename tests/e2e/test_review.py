"""A reviewer at work, on a real node: what the platform showed is kept, checked, and there when it is gone."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from events.network import NetworkCreated
from rig.kernel.ports import Draft, Stamp
from storage.journal import Journal
from tests.e2e.rig import User, running, web_app
from tests.security.people import Browser, join, owner_token
from tests.support import TIMEOUT

pytestmark = pytest.mark.xdist_group("review")  # one story: later tests change what earlier ones have looked at


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A user whose app `demo/shop` has two releases."""
    with running(tmp_path_factory.mktemp("review") / "home", "--isolation", "none") as user:
        folder = web_app(user.home.parent / "site", rig__toml='[env]\nGREETING = "hi"\n')
        user.deploy(folder, "demo/shop", "--message", "First")
        (folder / "rig.toml").write_text('[env]\nGREETING = "hello"\n')
        user.deploy(folder, "demo/shop", "--message", "Second")
        user.ok("history", "demo/shop")
        yield user


def test_a_change_is_on_both_records_and_told_as_one(user: User) -> None:
    log = user.ok("audit", "--type", "deploy.succeeded", "-o", "json").data
    assert [entry["source"] for entry in log["entries"]] == ["both", "both"]
    assert log["record"] == "local+observed"
    observed = user.ok("audit", "--record", "observed", "--type", "deploy.built", "-o", "json").data
    assert len(observed["entries"]) == 2
    shown = user.ok("audit", "show", f"n{observed['entries'][0]['pos']}", "-o", "json").data
    assert shown["hashed"]
    assert {entry["source"] for entry in shown["tree"]} == {"local", "observed"}
    assert shown["tree"][0]["what"] == "deploy"


def test_a_change_is_one_line_with_what_came_of_it(user: User) -> None:
    first, second = [
        entry
        for entry in reversed(user.ok("audit", "-o", "json").data["entries"])
        if entry["target"] == "demo/shop" and entry["action"] == "deploy"
    ]
    assert (first["version"], second["version"]) == (1, 2)
    assert (first["source"], first["outcome"]) == ("both", "success")
    assert {"app.created", "deploy.started", "deploy.built", "deploy.succeeded"} <= set(first["effects"])
    failed = user.rig("rollback", "demo/shop", "v9")
    assert failed.exit == 66
    table = user.rig("audit", "--limit", "3", env={"COLUMNS": "80"}).stdout.splitlines()
    assert all(len(line) <= 80 for line in table)
    assert "release.rollback" in table[1]
    assert table[1].split()[-2] == "not_found"


def test_what_the_platform_did_by_itself_has_a_line_of_its_own(user: User) -> None:
    found = user.ok("audit", "--type", "node.started", "-o", "json").data["entries"]
    assert [entry["actor"] for entry in found] == ["system:node"]
    (line,) = user.rig("audit", "--type", "node.started", env={"COLUMNS": "80"}).stdout.splitlines()[1:]
    assert line.split()[3:6] == ["node", "node.started", "node"]


def test_the_platform_witnesses_what_was_done_here(user: User) -> None:
    user.ok("update", "app", "demo/shop", "--scale", "web=1")
    report = user.ok("journal", "info", "-o", "json").data
    assert report["witnessed"] > 0
    assert report["witness"].startswith("rig/node/")
    first = user.ok("audit", "show", "0", "-o", "json").data
    assert first["anchored"] == "pin, platform"


def test_the_past_is_told_without_the_platform(user: User) -> None:
    user.ok("audit", "--sync")
    elsewhere = {"RIG_URL": ""}
    user.ok("node", "stop", "--keep-apps")
    try:
        page = user.rig("history", "demo/shop", "-o", "json", env=elsewhere)
        assert page.exit == 0, page.stderr
        assert [release["version"] for release in page.data["releases"]] == [2, 1]
        assert page.data["as_of"]
        assert "This is what was on its record" in page.json["warnings"][0]
        diff = user.rig("diff", "demo/shop", "v1", "v2", "--detailed-exitcode", "-o", "json")
        assert diff.exit == 2
        assert {change["key"] for change in diff.data["changes"]} == {"source", "env.GREETING"}
        blamed = user.ok("blame", "demo/shop", "GREETING", "-o", "json").data["keys"]
        assert [(row["value"], row["version"]) for row in blamed] == [("hello", 2), ("hi", 1)]
        app = user.ok("details", "app", "demo/shop", "--at", "v1", "-o", "json").data
        assert (app["version"], app["message"]) == (1, "First")
        planned = user.ok("undo", "--dry-run", "-o", "json").data
        assert planned["command"] == "rig rollback demo/shop v1"
    finally:
        user.ok("node", "start", "--isolation", "none")


def test_others_see_the_hashes_of_what_is_not_theirs(user: User) -> None:
    owner = Browser(user, owner_token(user))
    assert owner.ask("POST", "/v1/networks", b'{"name": "other"}').status == 201
    token = join(user, "viewer", "demo", "viewer")
    stranger = join(user, "stranger", "other", "viewer")
    everything = owner.ask("GET", "/v1/journal/records").json
    for each, sees in ((token, True), (stranger, False)):
        seen = Browser(user, each).ask("GET", "/v1/journal/records").json
        shown = [json.loads(record["rec"]) for record in seen["records"] if record.get("rec")]
        assert any(record["stream"] == "app:demo/shop" for record in shown) == sees
        assert not any(record["stream"].startswith("witness:") for record in shown)
        leaves = [record["leaf"] for record in everything["records"]]
        assert leaves
        assert [record["leaf"] for record in seen["records"]][: len(leaves)] == leaves


def test_the_platform_tells_the_past_as_well(user: User) -> None:
    owner = Browser(user, owner_token(user))
    for at, version in (("v1", 1), ("now", 2)):
        app = owner.ask("GET", f"/v1/apps/demo/shop?at={at}").json
        assert (app["version"], bool(app["at"])) == (version, True)
    for at in ("v9", "2000-01-01"):
        assert owner.ask("GET", f"/v1/apps/demo/shop?at={at}").status == 404
    assert owner.ask("GET", "/v1/apps/demo/shop?at=tomorrow").status == 422


def test_a_tail_shows_what_is_done_while_it_is_done(user: User) -> None:
    user.ok("whoami")
    tail = user.spawn("audit", "tail", "--limit", "1", "--type", "account.show", "-o", "jsonl")
    try:
        assert tail.stdout is not None
        # The entry that it begins with says that it is there.
        lines = [json.loads(tail.stdout.readline()) for _ in range(2)]
        assert [line["type"] for line in lines] == ["version", "item"]
        user.ok("whoami")
        entry = json.loads(tail.stdout.readline())["data"]
        assert (entry["action"], entry["outcome"]) == ("account.show", "success")
        assert entry["pos"] > lines[1]["data"]["pos"]
        tail.send_signal(signal.SIGINT)
        out, _ = tail.communicate(timeout=TIMEOUT)
        assert tail.returncode == 130
        assert json.loads(out.splitlines()[-1])["type"] == "result"
    finally:
        if tail.poll() is None:
            tail.kill()
            tail.communicate()


def test_a_tail_tells_of_what_others_do_on_the_platform(user: User) -> None:
    token = join(user, "tailed", "demo", "viewer")
    tail = user.spawn("audit", "tail", "--limit", "1", "--actor", "user:*", "-o", "jsonl")
    try:
        assert tail.stdout is not None
        assert [json.loads(tail.stdout.readline())["type"] for _ in range(2)] == ["version", "item"]
        assert Browser(user, token).ask("DELETE", "/v1/apps/demo/shop").status == 403
        told = (json.loads(line)["data"] for line in tail.stdout)
        entry = next(one for one in told if one["actor"] == "user:tailed" and one["action"] == "app.delete")
        if entry["outcome"] == "unknown":  # it was seen before its end, with which it is told again
            entry = next(one for one in told if one["id"] == entry["id"])
        assert (entry["source"], entry["outcome"]) == ("observed", "denied")
    finally:
        tail.kill()
        tail.communicate()


@pytest.mark.parametrize("kind", ["html", "csv", "ocsf", "jsonl"])
def test_an_export_is_a_file_of_its_own(user: User, kind: str) -> None:
    file = user.home.parent / f"evidence.{kind}"
    reply = user.ok("audit", "export", "--format", kind, "--file", str(file), "-o", "json").data
    assert reply["entries"] > (3 if kind == "html" else 10)  # changes, or records
    assert file.stat().st_mode & 0o077 == 0
    assert "demo/shop" in file.read_text()
    if kind == "jsonl":  # which has proofs, and what it proves of itself can be asked
        assert user.ok("journal", "verify", str(file), "-o", "json").data["complete"] is False
        database = user.ok("journal", "import", str(file), "-o", "json").data["file"]
        log = user.ok("audit", "--all", "--from", database, "--target", "demo/shop", "-o", "json").data
        assert (log["record"], len(log["entries"]) > 5) == ("export", True)
    assert "demo/shop" not in user.ok("audit", "export", "--format", kind, "--until", "1d").stdout


def test_the_platforms_record_is_proven_with_its_own_key(user: User) -> None:
    """Picked from the replica, and as a whole where it is kept; both are checked with the key that the replica has."""
    picked, whole = user.home.parent / "picked.jsonl", user.home.parent / "node.jsonl"
    options = ["--format", "jsonl", "--file", str(picked), "-o", "json"]
    made = user.ok("audit", "export", "--record", "observed", "--type", "deploy*", *options).data
    assert made["key"].startswith("rig/node/")
    assert user.ok("journal", "verify", str(picked), "-o", "json").data["complete"] is False
    user.ok("journal", "export", "--node", "--file", str(whole))
    report = user.ok("journal", "verify", str(whole), "-o", "json").data
    assert (report["complete"], report["origin"]) == (True, made["replica"]["origin"])
    database = user.ok("journal", "import", str(whole), "-o", "json").data["file"]
    rows = user.ok("audit", "--from", database, "--sql", "SELECT max(version) AS v FROM releases", "-o", "json").data
    assert rows["rows"] == [{"v": 2}]
    # Nothing was said about which record is meant: it is this machine's, and that is told.
    local = user.ok("audit", "export", "--denied", "--file", str(user.home.parent / "own.jsonl"), "-o", "json")
    assert "--record observed" in local.json["warnings"][0]


def test_the_record_is_asked_in_sql(user: User) -> None:
    rows = user.ok("audit", "--sql", "SELECT app, max(version) AS v FROM releases GROUP BY app", "-o", "json").data
    assert rows["rows"] == [{"app": "demo/shop", "v": 2}]
    own = user.ok("audit", "--record", "observed", "--sql", "SELECT count(*) AS n FROM releases", "-o", "json").data
    assert own["rows"] == [{"n": 2}]


def test_what_was_done_is_undone_the_last_thing_first(user: User) -> None:
    user.ok("create", "network", "mistake")
    first, second = (user.ok("undo", "--yes", "-o", "json").data for _ in range(2))
    assert (first["command"], first["done"]) == ("rig delete network mistake", True)
    assert (second["what"], second["command"]) == ("deploy", "rig rollback demo/shop v1")
    assert user.ok("details", "app", "demo/shop", "-o", "json").data["version"] == 3
    assert user.rig("undo", "--yes").exit == 73


def rewound(node: Path, yesterday: Path) -> None:
    """As when a backup is put back."""
    shutil.copy(yesterday / "journal.sqlite", node / "journal.sqlite")
    shutil.rmtree(node / "pins")


def forked(node: Path, yesterday: Path) -> None:
    """Set back, and then gone on otherwise: what was done since is another past, signed with the same key."""
    rewound(node, yesterday)
    with Journal.open(node / "journal.sqlite", origin="node") as journal:
        for number in range(40):
            made = NetworkCreated(name=f"forged{number}")
            draft = Draft(stream=f"network:{made.name}", fact=made, target=made.name)
            journal.append([draft], Stamp(id=f"forged-{number}", actor="user:eve", at=0))


def exchanged(node: Path, yesterday: Path) -> None:
    """Another journal, with another key, in the place of the one that was there."""
    for name in ("journal.sqlite", "journal.key"):
        (node / name).unlink()
    shutil.rmtree(node / "pins")


@pytest.mark.parametrize("tampered", [rewound, forked, exchanged])
def test_a_replica_is_verified_against_the_node(tmp_path: Path, tampered: Callable[[Path, Path], None]) -> None:
    yesterday = tmp_path / "yesterday"
    with running(tmp_path / "home", "--isolation", "none") as user:
        node = user.home / "node"
        user.ok("create", "network", "demo")
        user.ok("node", "stop")
        shutil.copytree(node, yesterday, symlinks=True)
        user.ok("node", "start", "--isolation", "none")
        user.ok("create", "network", "later")
        whole = user.ok("journal", "verify", "-o", "json").data
        assert (whole["verdict"], whole["compared"], whole["replicated"] > 5) == ("verified", True, True)
        user.ok("node", "stop")
        away = user.ok("journal", "verify", "-o", "json")
        assert (away.data["verdict"], away.data["compared"]) == ("verified", False)
        assert "checked by itself, and not against the platform" in away.json["warnings"][0]
        tampered(node, yesterday)
        user.ok("node", "start", "--isolation", "none")
        found = user.rig("journal", "verify", "-o", "json")
        report = found.json["error"]["details"]["verification"]
        assert (found.exit, [one["code"] for one in report["findings"]]) == (1, ["FORKED"])


def test_a_platform_that_goes_back_is_caught_by_every_command(tmp_path: Path) -> None:
    yesterday = tmp_path / "yesterday"
    with running(tmp_path / "home", "--isolation", "none") as user:
        user.ok("create", "network", "demo")
        user.ok("node", "stop")
        shutil.copytree(user.home / "node", yesterday, symlinks=True)
        user.ok("node", "start", "--isolation", "none")
        user.ok("create", "network", "later")
        user.ok("audit", "--sync")
        user.ok("node", "stop")
        rewound(user.home / "node", yesterday)
        user.ok("node", "start", "--isolation", "none")
        forked = user.rig("audit", "--sync", "-o", "json")
        assert (forked.exit, forked.json["error"]["code"]) == (1, "journal_forked")
        log = user.ok("audit", "-o", "json")
        assert any("is not the one that it was" in text for text in log.json["warnings"])
        assert any(entry["target"] == "later" for entry in log.data["entries"])
        again = user.ok("login", "-o", "json")
        assert any("a new replica begins" in text for text in again.json["warnings"])
        assert not any("is not the one" in text for text in user.ok("audit", "-o", "json").json["warnings"])
        assert list((user.home / "replicas").glob("*.until-*.sqlite"))
