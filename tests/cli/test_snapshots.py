"""Every verb, its success and its typical errors, for people and for machines: stdout, stderr and exit code, whole."""

from __future__ import annotations

import re
import socket

import pytest
from jsonschema import Draft202012Validator
from syrupy.assertion import SnapshotAssertion

from rig.contract.schemas import envelope_schema, replies
from tests.cli.runner import PASSING, Result, Shell, comparable
from tests.quality.test_verbs import ALL

Script = tuple[tuple[str, ...], ...]


def lines(text: str) -> Script:
    return tuple(tuple(line.split()) for line in text.splitlines() if line.strip())


OTHER = "other"
MAKE = "create network other"
UNMAKE = "delete network other --yes"
SERVE = "deploy site --app other/site --create"
TWICE = f"{SERVE}\ndeploy site --app other/site --force --message Again"
DROP = f"delete app other/web --yes\n{UNMAKE}"
UNSERVE = f"delete app other/site --yes\n{UNMAKE}"
PROMOTED = f"delete app demo/other --yes\n{UNSERVE}"
CONFIGURED = f"{MAKE}\ncreate app other/web\ncreate var other/web A=1\nconfig export other --file other.toml"
HIDDEN = f"{MAKE}\ncreate app other/web\ncreate secret other/web KEY --from-file broken/Procfile"
DRIFTED = f"{CONFIGURED}\ncreate var other/web A=2"

# name → (what comes before, the command line, what comes after)
PLATFORM: dict[str, tuple[str, str, str]] = {
    "create network": ("", "create network other", UNMAKE),
    "create network that is there": ("", "create network demo", ""),
    "create network by a bad name": ("", "create network Demo_1", ""),
    "create app": (MAKE, "create app other/web", f"delete app other/web --yes\n{UNMAKE}"),
    "create app that is there": ("", "create app demo/site", ""),
    "create app without a network": ("", "create app nowhere/site", ""),
    "create app by a bad name": ("", "create app demo/-site", ""),
    "list apps": ("", "list apps", ""),
    "list apps of a network that is not there": ("", "list apps --network nowhere", ""),
    "list apps by filters": ("", "list apps --network demo --filter name=s* --filter status!=empty", ""),
    "list apps by a field that is none": ("", "list apps --filter colour=red", ""),
    "list apps by no condition": ("", "list apps --filter live", ""),
    "list apps, a page at a time": ("", "list apps --network demo --limit 1", ""),
    "list apps, the page after one": ("", "list apps --network demo --limit 1 --after demo/empty", ""),
    "list networks by a filter": ("", "list networks --filter name=dem?", ""),
    "list networks": ("", "list networks", ""),
    "list networks with a bad limit": ("", "list networks --limit many", ""),
    "create member": (
        "node invite bea --network demo --role viewer",
        "create member demo ana --role operator",
        "delete member demo bea --yes\ndelete member demo ana --yes",
    ),
    "create member that has a role": (
        "create member demo ana --role operator",
        "create member demo ana --role viewer",
        "delete member demo ana --yes",
    ),
    "create member that nobody knows": ("", "create member demo eve", ""),
    "create member of a network that is not there": ("", "create member nowhere ana", ""),
    "create member in a role that is none": ("", "create member demo ana --role king", ""),
    "list members": (
        "create member demo ana --role operator\nnode invite bea --network demo --role viewer",
        "list members demo",
        "delete member demo bea --yes\ndelete member demo ana --yes",
    ),
    "list members of a network that is not there": ("", "list members nowhere", ""),
    "update member": (
        "create member demo ana --role operator",
        "update member demo ana --role deployer",
        "delete member demo ana --yes",
    ),
    "update member without a role": ("", "update member demo ana", ""),
    "update member that is none": ("", "update member demo eve --role viewer", ""),
    "delete member": ("create member demo ana", "delete member demo ana --yes", ""),
    "delete member that is none": ("", "delete member demo eve --yes", ""),
    "delete member without a terminal": ("", "delete member demo ana", ""),
    "create token": ("", "create token ci --network demo --ttl 30d", "delete token ci --yes"),
    "create token that is there": (
        "create token ci --network demo",
        "create token ci --network demo",
        "delete token ci --yes",
    ),
    "create token without a network": ("", "create token ci", ""),
    "create token for too long": ("", "create token ci --network demo --ttl 99w", ""),
    "create token by a bad name": ("", "create token CI --network demo", ""),
    "list tokens": ("create token ci --network demo", "list tokens", "delete token ci --yes"),
    "list tokens of a network without any": ("", "list tokens --network demo", ""),
    "delete token": ("create token ci --network demo", "delete token ci --yes", ""),
    "delete token without a terminal": ("create token ci --network demo", "delete token ci", "delete token ci --yes"),
    "delete token that is not there": ("", "delete token ci --yes", ""),
    "details app": ("", "details app demo/site", ""),
    "details app that is not there": ("", "details app demo/nothing", ""),
    "details var": (
        f"{MAKE}\ncreate app other/web\ncreate var --network other A=0\ncreate var other/web A=1",
        "details var other/web A",
        DROP,
    ),
    "details var of a network": (f"{MAKE}\ncreate var --network other A=0", "details var --network other A", UNMAKE),
    "details var that is not there": ("", "details var demo/site NONE", ""),
    "details var without its name": ("", "details var demo/site", ""),
    "details secret that is not there": ("", "details secret demo/site NONE", ""),
    "details token": ("create token ci --network demo --ttl 30d", "details token ci", "delete token ci --yes"),
    "details token that is not there": ("", "details token ci", ""),
    "details member": (
        f"{MAKE}\ncreate member other ana --role operator\nupdate member other ana --role viewer",
        "details member other ana",
        UNMAKE,
    ),
    "details member that is none": ("", "details member demo eve", ""),
    "update network": (
        MAKE,
        "update network other --description Shops --protected",
        f"update network other --no-protected\n{UNMAKE}",
    ),
    "update network in nothing": ("", "update network demo", ""),
    "update network that is not there": ("", "update network nowhere --protected", ""),
    "delete network that is protected": (
        f"{MAKE}\nupdate network other --protected",
        "delete network other --yes",
        f"update network other --no-protected\n{UNMAKE}",
    ),
    "delete network that was changed since": (
        f"{MAKE}\nupdate network other --description New",
        "delete network other --yes --if-match 1",
        UNMAKE,
    ),
    "delete app that was changed since": (
        f"{MAKE}\ncreate app other/web\ncreate var other/web A=1",
        "delete app other/web --yes --if-match 1",
        DROP,
    ),
    "create app with a limit of memory that is none": ("", "create app demo/other --memory lots", ""),
    "update app by too little memory": ("", "update app demo/site --memory 12", ""),
    "update app of a type that is none by its memory": ("", "update app demo/site --memory cat=1G", ""),
    "restart without waiting": (SERVE, "restart other/site --no-wait", UNSERVE),
    "details network": ("", "details network demo", ""),
    "details network that is not there": ("", "details network nowhere", ""),
    "status app": ("", "status app demo/site", ""),
    "status app whose deployment failed": (
        f"{SERVE}\ndeploy broken --app other/site",
        "status app other/site",
        UNSERVE,
    ),
    "status app that was never deployed": ("", "status app demo/empty", ""),
    "status app that is not there": ("", "status app demo/nothing", ""),
    "status network": (MAKE, "status network other", UNMAKE),
    "status network with apps": (
        f"{SERVE}\ncreate app other/api",
        "status network other",
        f"delete app other/api --yes\n{UNSERVE}",
    ),
    "status network that is not there": ("", "status network nowhere", ""),
    "update app": ("", "update app demo/site --scale web=1", ""),
    "update app in nothing": ("", "update app demo/site", ""),
    "update app by an unknown process": ("", "update app demo/site --scale cat=1", ""),
    "stop": (SERVE, "stop other/site", UNSERVE),
    "stop of what is stopped": (f"{SERVE}\nstop other/site", "stop other/site", UNSERVE),
    "stop of an app that was never deployed": ("", "stop demo/empty", ""),
    "stop of an app that is not there": ("", "stop demo/nothing", ""),
    "start": (f"{SERVE}\nstop other/site", "start other/site", UNSERVE),
    "start of what runs": ("", "start demo/site", ""),
    "start of an app that was never deployed": ("", "start demo/empty", ""),
    "restart": (SERVE, "restart other/site", UNSERVE),
    "restart of what is stopped": (f"{SERVE}\nstop other/site", "restart other/site", UNSERVE),
    "restart of an app that was never deployed": ("", "restart demo/empty", ""),
    "deploy": ("", SERVE, UNSERVE),
    "deploy a plan": ("", "deploy site --app demo/site --dry-run", ""),
    "deploy to an app that is not there": ("", "deploy site --app demo/nothing", ""),
    "deploy a folder that is not there": ("", "deploy nowhere --app demo/site", ""),
    "deploy without an app": ("", "deploy site", ""),
    "history": ("", "history demo/site", ""),
    "history by filters": ("", "history demo/site --filter version=v1 --filter outcome!=failed", ""),
    "history by a field that is none": ("", "history demo/site --filter colour=red", ""),
    "history of an app that was never deployed": ("", "history demo/empty", ""),
    "history of an app that is not there": ("", "history demo/nothing", ""),
    "create var": (f"{MAKE}\ncreate app other/web", "create var other/web A=1 B=2", DROP),
    "create var of a network": (MAKE, "create var --network other REGION=eu", "delete network other --yes"),
    "create var that is reserved": ("", "create var demo/site PORT=80", ""),
    "create var with a name that is none": ("", "create var demo/site my-name=1", ""),
    "create var with no value": ("", "create var demo/site A=", ""),
    "create var of an app that is not there": ("", "create var demo/nothing A=1", ""),
    "create secret without a value": ("", "create secret demo/empty KEY", ""),
    "create secret with its value as an argument": ("", "create secret demo/empty KEY=hunter2", ""),
    "delete var": (f"{MAKE}\ncreate app other/web\ncreate var other/web A=1", "delete var other/web A", DROP),
    "delete var that is not there": ("", "delete var demo/site A", ""),
    "delete secret that is not there": ("", "delete secret demo/site KEY", ""),
    "list vars": (f"{MAKE}\ncreate app other/web\ncreate var other/web A=1", "list vars other/web", DROP),
    "list vars with origins": (
        f"{MAKE}\ncreate app other/web\ncreate var --network other A=0\ncreate var other/web A=1",
        "list vars other/web --origin",
        DROP,
    ),
    "list secrets": ("", "list secrets demo/site", ""),
    "diff": (TWICE, "diff other/site", UNSERVE),
    "diff of one release": ("", "diff demo/site", ""),
    "dashboard": (TWICE, "dashboard other/site --since 2026-01-01", UNSERVE),
    "dashboard of nothing": ("", "dashboard other/none --since 2026-01-01", ""),
    "blame": (TWICE, "blame other/site", UNSERVE),
    "blame of a variable that is none": ("", "blame demo/site NONE", ""),
    "details app at a moment": ("", "details app demo/site --at v1", ""),
    "details app before it was": ("", "details app demo/site --at 2000-01-01", ""),
    "rollback": (TWICE, "rollback other/site", UNSERVE),
    "rollback to a release that is not there": ("", "rollback demo/site v9", ""),
    "rollback of the first release": ("", "rollback demo/site", ""),
    "config export": (
        f"{CONFIGURED}\ncreate app other/api",
        "config export other",
        f"delete app other/api --yes\n{DROP}",
    ),
    "config export to a file": (MAKE, "config export other --file other.toml", UNMAKE),
    "config export over a file": (
        f"{MAKE}\nconfig export other --file other.toml",
        "config export other --file other.toml",
        UNMAKE,
    ),
    "config export of a network that is not there": ("", "config export nowhere", ""),
    "config diff": (DRIFTED, "config diff other.toml --detailed-exitcode", DROP),
    "config diff with values": (DRIFTED, "config diff other.toml --show-values", DROP),
    "config diff of nothing": (CONFIGURED, "config diff other.toml --detailed-exitcode", DROP),
    "config diff of a file that is not there": ("", "config diff nothing.toml", ""),
    "config apply a plan": (DRIFTED, "config apply other.toml --plan", DROP),
    "config apply": (DRIFTED, "config apply other.toml", DROP),
    "config apply that deletes an app": (
        f"{MAKE}\nconfig export other --file before.toml --overwrite\ncreate app other/web\nconfig export other --file other.toml\n"
        "config apply other.toml",
        "config apply before.toml",
        DROP,
    ),
    "config apply that removes something": (
        f"{MAKE}\ncreate app other/web\nconfig export other --file before.toml --overwrite\ncreate var other/web A=1\n"
        "config export other --file other.toml\nconfig apply other.toml",
        "config apply before.toml",
        DROP,
    ),
    "config history": (DRIFTED, "config history other --show-values", DROP),
    "config history of a key": (DRIFTED, "config history other/web --key A", DROP),
    "config history of an app that is not there": ("", "config history demo/nothing", ""),
    "status network with drift": (
        f"{CONFIGURED}\nconfig apply other.toml\ncreate var other/web A=2",
        "status network other --detailed-exitcode",
        DROP,
    ),
    "promote": (f"{SERVE}\ncreate app demo/other", "promote other/site demo/other --yes", PROMOTED),
    "promote a plan": (
        f"{SERVE}\ncreate app other/web\ncreate var other/web A=1",
        "promote other/site other/web --plan",
        f"delete app other/web --yes\n{UNSERVE}",
    ),
    "promote what serves already": (
        f"{SERVE}\ncreate app demo/other\npromote other/site demo/other --yes",
        "promote other/site demo/other",
        PROMOTED,
    ),
    "promote without a terminal": (
        f"{SERVE}\ncreate app other/web",
        "promote other/site other/web",
        f"delete app other/web --yes\n{UNSERVE}",
    ),
    "promote to an app that is not there": ("", "promote demo/site demo/nothing --yes", ""),
    "promote an app that was never deployed": ("", "promote demo/empty demo/site --yes", ""),
    "promote an app to itself": ("", "promote demo/site demo/site --yes", ""),
    "promote nothing": ("", "promote", ""),
    "promote to nothing": ("", "promote demo/site", ""),
    "deploy to a network that is not there": ("", "deploy site --app nowhere/site", ""),
    "list vars of what may be a network": ("", "list vars demo", ""),
    "logs of an app, in one word": ("", "logs demo/site", ""),
    "config history of nothing": ("", "config history", ""),
    "logs build": ("", "logs build demo/site", ""),
    "logs build of an app that was never deployed": ("", "logs build demo/empty", ""),
    "delete app": (f"{MAKE}\ncreate app other/web", "delete app other/web --yes", UNMAKE),
    "delete app without a terminal": ("", "delete app demo/site", ""),
    "delete app that is not there": ("", "delete app demo/nothing --yes", ""),
    "delete network": (MAKE, "delete network other --yes", ""),
    "delete network with its apps": (SERVE, "delete network other --cascade --yes", ""),
    "delete network with its apps without a terminal": ("", "delete network demo --cascade", ""),
    "delete network with apps": ("", "delete network demo --yes", ""),
    "whoami": ("", "whoami", ""),
    "login": ("", "login", ""),
    "logout": ("", "logout", "login"),
    "logout twice": ("logout", "logout", "login"),
    "context list": ("", "context list", ""),
    "context use": ("", "context use local", ""),
    "context use of one that is not there": ("", "context use locale", ""),
    "node start while it runs": ("", "node start", ""),
    "node start with another domain": ("", "node start --domain example.com", ""),
    "node status": ("", "node status", ""),
    "node rotate-keys": ("", "node rotate-keys", ""),
    "node rotate-keys and forget what is lost": ("", "node rotate-keys --forget-lost", ""),
    "list secrets revealed where there are none": ("", "list secrets demo/site --reveal", ""),
    "node archive of nothing": ("", "node archive --before 9w --yes", ""),
    "node archive of the last day": ("", "node archive --before 1h --yes", ""),
    "node archive without a terminal": ("", "node archive --before 9w", ""),
    "node gc": ("", "node gc", ""),
    "node gc of what is older than no age": ("", "node gc --older-than soon", ""),
    "node invite": ("", "node invite bea --network demo --role viewer", ""),
    "node invite to a network that is not there": ("", "node invite bea --network nowhere", ""),
    "node invite in a role that is none": ("", "node invite bea --role king", ""),
    "create secret": (f"{MAKE}\ncreate app other/web", "create secret other/web KEY --from-file broken/Procfile", DROP),
    "details secret": (HIDDEN, "details secret other/web KEY", DROP),
    "delete secret": (HIDDEN, "delete secret other/web KEY", DROP),
    "list secrets that there are": (HIDDEN, "list secrets other/web", DROP),
    "list secrets of an app that is not there": ("", "list secrets demo/nowhere", ""),
    "list tokens by a field that is none": ("", "list tokens --filter colour=red", ""),
    "dashboard of an app that is not there": ("", "dashboard demo/nowhere", ""),
}
KEEP = "journal export --file kept.jsonl"
FRESH: dict[str, tuple[str, str, str]] = {
    "whoami without a login": ("", "whoami", ""),
    "deploy without a platform": ("", "deploy . --app demo/site", ""),
    "login over plain HTTP": ("", "login http://max.example.com", ""),
    "login where there is no node": ("", "login", ""),
    "context list without a login": ("", "context list", ""),
    "settings list": ("", "settings list", ""),
    "settings list with origins": ("settings set color never", "settings list --origin", ""),
    "settings get": ("", "settings get output", ""),
    "settings get of none": ("", "settings get outptu", ""),
    "settings set": ("", "settings set network demo", ""),
    "settings set to a bad value": ("", "settings set output xml", ""),
    "config import": ("settings set network demo", "config import home/settings.toml --network demo", ""),
    "config import of a file that is not there": ("", "config import .env --network demo", ""),
    "config import for no network": ("", "config import .env", ""),
    "audit": ("settings set network demo\nsettings get nonsense", "audit", ""),
    "audit of nothing": ("", "audit --actor user:nobody", ""),
    "audit since no time": ("", "audit --since tomorrow", ""),
    "audit in SQL": ("settings set network demo", "audit --sql SELECT/**/action,outcome/**/FROM/**/audit", ""),
    "audit by a file that is not there": ("", "audit --from nowhere.sqlite", ""),
    "audit of no platform": ("", "audit --record observed", ""),
    "audit show": ("settings set network demo", "audit show 0", ""),
    "audit show of none": ("", "audit show 99", ""),
    "audit stats": ("settings set network demo\nsettings get nonsense", "audit stats --by action,outcome", ""),
    "audit stats by nothing": ("", "audit stats --by cat", ""),
    "audit tail as a document": ("", "audit tail -o yaml", ""),
    "audit export": ("settings set network demo", "audit export --format csv", ""),
    "undo a plan": ("settings set network demo", "undo --dry-run", ""),
    "undo of nothing": ("", "undo", ""),
    "undo without a terminal": ("settings set network demo", "undo", ""),
    "journal verify": ("settings set network demo", "journal verify", ""),
    "journal info": ("settings set network demo", "journal info", ""),
    "journal verify of an export": (f"settings set network demo\n{KEEP}", "journal verify kept.jsonl", ""),
    "journal verify of no export": ("", "journal verify rig.toml", ""),
    "journal export": ("settings set network demo", "journal export --file kept.jsonl --with-verifier", ""),
    "journal export over a file": (KEEP, KEEP, ""),
    "journal export over a file that may go": (KEEP, f"{KEEP} --overwrite", ""),
    "journal info over a file": (KEEP, "journal info --pin-out kept.jsonl", ""),
    "audit export over a file": (KEEP, "audit export --format html --file kept.jsonl", ""),
    "journal export with a verifier to nowhere": ("", "journal export --with-verifier", ""),
    "journal import": (f"settings set network demo\n{KEEP}", "journal import kept.jsonl", ""),
    "journal import of an empty export": (KEEP, "journal import kept.jsonl", ""),
    "journal import of nothing": ("", "journal import nothing.jsonl", ""),
    "journal replay": ("settings set network demo", "journal replay --projection releases", ""),
    "journal replay of no projection": ("", "journal replay --projection nonsense", ""),
    "journal rebuild": ("settings set network demo", "journal rebuild --projection releases", ""),
    "journal rebuild of none": ("", "journal rebuild --projection nonsense", ""),
    "journal info of a node that is not there": ("", "journal info --node", ""),
    "journal verify of a node that is not there": ("", "journal verify --node", ""),
    "journal verify of two things": ("", "journal verify nothing.jsonl --node", ""),
    "journal archive": ("settings set network demo", "journal archive --before now --yes", ""),
    "journal archive of nothing": ("settings set network demo", "journal archive --before 9w --yes", ""),
    "journal archive without a terminal": ("", "journal archive --before now", ""),
    "node stop where none runs": ("", "node stop", ""),
    "node status where none runs": ("", "node status", ""),
    "schema": ("", "schema whoami", ""),
    "schema of none": ("", "schema nonsense", ""),
    "a verb that is none": ("", "depoly", ""),
    "a verb without its noun": ("", "create", ""),
    "a noun that is none": ("", "create cat", ""),
    "an option that is none": ("", "list apps --colour", ""),
    "an argument too many": ("", "settings get output colour", ""),
    "an argument too few": ("", "settings get", ""),
    "a format that is none": ("", "settings list -o xml", ""),
    "a query that is none": ("", "settings list -q a..b", ""),
    "logout of a context that is none": ("", "logout nowhere", ""),
    "node rotate-keys without a login": ("", "node rotate-keys", ""),
}
FORMATS = ("table", "json")
BUG = 70
DIFFERENCES = 2
"""The exit code of a success that found something, where `--detailed-exitcode` asked for it."""


def run(shell: Shell, before: str, line: str, after: str, output_format: str) -> Result:
    for argv in lines(before):
        shell(*argv)
    result = shell(*line.split(), *(["--json"] if output_format == "json" else []))
    assert result.code != BUG, result.stderr
    for argv in lines(after):
        shell.do(*argv)
    return result


def check_document(result: Result) -> None:
    """One JSON document, on success and on failure, as its kind's schema describes it."""
    document = result.document
    assert (document["error"] is None) == (result.code in {0, DIFFERENCES})
    if document["error"]:
        assert document["error"]["exit"] == result.code
        assert document["data"] is None
    kinds = replies()
    kind = document["kind"] or "app"
    schema = envelope_schema(kind, kinds[kind])
    # Where the command line cannot be understood there is no kind; everything else about the document holds.
    Draft202012Validator(schema).validate({**document, "kind": kind})


def shown(result: Result, shell: Shell, network: str = OTHER) -> str:
    replaced = {str(shell.home): "<home>", str(shell.folder): "<folder>", socket.gethostname(): "<host>"}
    replaced[network] = OTHER
    for port in set(re.findall(r"(?:localhost|127\.0\.0\.1):([0-9]+)", result.stdout + result.stderr)):
        replaced[port] = "<port>"
    out, err = comparable(result.stdout, replaced), comparable(PASSING.sub("", result.stderr), replaced)
    return f"exit {result.code}\n--- stdout\n{out}--- stderr\n{err}"


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("case", PLATFORM)
def test_on_a_platform(platform: Shell, snapshot: SnapshotAssertion, case: str, output_format: str) -> None:
    # Numbers of releases go on counting when an app is made anew, so each case makes its own.
    network = f"{OTHER}-{list(PLATFORM).index(case)}-{output_format}"
    before, line, after = (re.sub(rf"\b{OTHER}\b", network, text) for text in PLATFORM[case])
    result = run(platform, before, line, after, output_format)
    if output_format == "json":
        check_document(result)
    assert shown(result, platform, network) == snapshot


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("case", FRESH)
def test_on_a_fresh_machine(fresh: Shell, snapshot: SnapshotAssertion, case: str, output_format: str) -> None:
    result = run(fresh, *FRESH[case], output_format)
    if output_format == "json" and case != "a format that is none":
        check_document(result)
    assert shown(result, fresh) == snapshot


def test_every_verb_has_a_snapshot() -> None:
    told = [line for _, line, _ in [*PLATFORM.values(), *FRESH.values()]]
    missing = [name for name in ALL if not any(line.startswith(name) for line in told)]
    assert missing == []
