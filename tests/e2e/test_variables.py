"""Variables and secrets, as the process that runs sees them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.rig import Ran, User, project
from tests.security.people import Browser, owner_token

ENVIRONMENT = """\
import http.server, json, os

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(dict(os.environ)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
"""


def app(folder: Path, toml: str = "") -> Path:
    """An app that shows its environment to whoever asks."""
    files = {"main.py": ENVIRONMENT, "requirements.txt": "", "Procfile": "web: python main.py\n", "rig.toml": toml}
    return project(folder, files)


def environment(user: User, name: str) -> dict[str, str]:
    status, body = user.get(name)
    assert status == 200, body
    found: dict[str, str] = json.loads(body)
    return found


def some(user: User, name: str, *variables: str) -> list[str | None]:
    """The values that the running process has."""
    found = environment(user, name)
    return [found.get(variable) for variable in variables]


def changed(ran: Ran) -> list[dict[str, Any]]:
    releases: list[dict[str, Any]] = ran.data["releases"]
    return releases


def history(user: User, name: str) -> list[tuple[int, list[str]]]:
    """The releases, the newest first, and what each of them changed."""
    found = user.ok("history", name, "-o", "json").data["releases"]
    return [(release["version"], release["changed"]) for release in found]


def secret(user: User, value: str, *arguments: str) -> Ran:
    """Set a secret by standard input."""
    ran = user.rig("create", "secret", *arguments, "-o", "json", stdin=value)
    assert ran.exit == 0, ran.stderr
    return ran


def test_a_change_is_one_release_and_a_rollback_takes_it_back(user: User, tmp_path: Path) -> None:
    user.deploy(app(tmp_path / "app", '[env]\nA = "of rig.toml"\nD = "d"\n'), "demo/shop")
    assert some(user, "demo/shop", "A", "B", "D") == ["of rig.toml", None, "d"]

    ran = user.ok("create", "var", "demo/shop", "A=1", "B=2 = two", "-o", "json")
    assert changed(ran) == [{"app": "demo/shop", "version": 2}]
    assert ran.data["vars"]["A"] == {"before": None, "after": "1"}
    assert some(user, "demo/shop", "A", "B", "D") == ["1", "2 = two", "d"]

    secret(user, "hunter2", "demo/shop", "KEY")
    user.ok("create", "var", "demo/shop", "A=3")
    user.ok("delete", "var", "demo/shop", "B")
    secret(user, "hunter3", "demo/shop", "KEY")
    user.ok("delete", "secret", "demo/shop", "KEY")
    assert some(user, "demo/shop", "A", "B", "KEY") == ["3", None, None]
    assert history(user, "demo/shop") == [
        (7, ["secret.KEY"]),
        (6, ["secret.KEY"]),
        (5, ["env.B"]),
        (4, ["env.A"]),
        (3, ["secret.KEY"]),
        (2, ["env.A", "env.B"]),
        (1, ["first release"]),
    ]

    back = user.ok("rollback", "demo/shop", "v3", "-o", "json").data
    assert "variables: A, B, D" in back["restored"]
    assert "secrets: KEY" in back["restored"]
    assert back["release"]["changed"] == ["env.A", "env.B", "secret.KEY"]
    assert some(user, "demo/shop", "A", "B", "KEY") == ["1", "2 = two", "hunter2"]
    # What comes after the rollback stands on what it restored, and a deployment takes nothing back.
    user.ok("create", "var", "demo/shop", "C=5")
    assert some(user, "demo/shop", "A", "B", "C", "KEY") == ["1", "2 = two", "5", "hunter2"]
    user.deploy(app(tmp_path / "app", '[env]\nA = "again"\n'), "demo/shop")
    assert some(user, "demo/shop", "A", "B", "C", "D", "KEY") == ["1", "2 = two", "5", None, "hunter2"]


def test_what_a_network_gives_is_inherited(user: User, tmp_path: Path) -> None:
    user.ok("create", "network", "inherited")
    user.deploy(app(tmp_path / "one"), "inherited/one")
    user.deploy(app(tmp_path / "two", '[env]\nREGION = "rig.toml"\n'), "inherited/two")
    ran = user.ok("create", "var", "--network", "inherited", "REGION=eu", "-o", "json")
    assert changed(ran) == [{"app": "inherited/one", "version": 2}]
    secret(user, "of the network", "--network", "inherited", "KEY")
    user.ok("create", "var", "inherited/one", "REGION=mars", "KEY=plain")
    assert some(user, "inherited/one", "REGION", "KEY") == ["mars", "plain"]
    assert some(user, "inherited/two", "REGION", "KEY") == ["rig.toml", "of the network"]

    listed = user.ok("list", "vars", "inherited/one", "--origin", "-o", "json").data["vars"]
    stacks = {var["name"]: [(layer["origin"], layer["value"]) for layer in var["stack"]] for var in listed}
    assert stacks["REGION"] == [("app", "mars"), ("network", "eu")]
    assert stacks["KEY"] == [("app", "plain"), ("network", "")]
    assert stacks["LANG"] == [("node", "C.UTF-8")]
    [hidden] = user.ok("list", "secrets", "inherited/one", "--origin", "-o", "json").data["secrets"]
    assert (hidden["name"], hidden["origin"], hidden["hidden"]) == ("KEY", "network", True)
    assert hidden["set_by"].startswith("user:")

    user.ok("delete", "var", "inherited/one", "REGION", "KEY")
    assert some(user, "inherited/one", "REGION", "KEY") == ["eu", "of the network"]
    user.ok("delete", "var", "--network", "inherited", "REGION")
    assert some(user, "inherited/one", "REGION") == [None]


def test_staged_changes_wait_and_hundreds_are_one(user: User, tmp_path: Path) -> None:
    user.deploy(app(tmp_path / "app"), "demo/bulk")
    lines = [f"V{number}='value {number}'\n" for number in range(500)]
    (tmp_path / ".env").write_text("# many\n" + "".join(lines))
    staged = user.ok("create", "var", "demo/bulk", "--from-file", str(tmp_path / ".env"), "--stage", "-o", "json").data
    assert (len(staged["vars"]), staged["releases"], staged["staged"]) == (500, [], True)
    assert some(user, "demo/bulk", "V499") == [None]
    listed = user.ok("list", "vars", "demo/bulk", "-o", "json").data["vars"]
    assert {var["deployed"] for var in listed if var["name"].startswith("V")} == {False}

    released = user.ok("create", "var", "demo/bulk", "V0=value 0", "-o", "json").data
    assert (released["unchanged"], len(released["releases"])) == (["V0"], 1)
    assert some(user, "demo/bulk", "V0", "V499") == ["value 0", "value 499"]
    assert len(history(user, "demo/bulk")) == 2
    entries = user.ok("audit", "--all", "--target", "demo/bulk", "-o", "json").data["entries"]
    assert [entry["action"] for entry in entries].count("var.changed") == 1


@pytest.mark.parametrize(
    ("arguments", "stdin", "exit_code", "said"),
    [
        (("var", "demo/none", "PORT=80"), "", 65, "port of its own"),
        (("var", "demo/none", "A="), "", 65, "--allow-empty"),
        (("var", "demo/none", "1A=x"), "", 65, "1A"),
        (("var", "demo/none"), "", 64, "Nothing to set"),
        (("secret", "demo/none", "KEY"), "", 65, "empty"),
        (("secret", "demo/none", "KEY"), "\n", 65, "empty"),
        (("secret", "demo/none", "KEY"), "x" * 65537, 65, "65536"),
        (("secret", "demo/none", "KEY"), "a\0b", 65, "zero byte"),
        (("secret", "demo/none", "KEY=hunter2"), "", 64, "KEY=…"),
        (("secret", "demo/absent", "KEY"), "x", 66, "demo/absent"),
    ],
)
def test_what_cannot_be_set(user: User, arguments: tuple[str, ...], stdin: str, exit_code: int, said: str) -> None:
    user.rig("create", "app", "demo/none")
    ran = user.rig("create", *arguments, stdin=stdin)
    assert ran.exit == exit_code, ran.stderr
    assert said in ran.stderr
    assert "hunter2" not in ran.stderr + ran.stdout


def test_values_are_exact(user: User, tmp_path: Path) -> None:
    user.deploy(app(tmp_path / "app"), "demo/exact")
    pem = "-----BEGIN KEY-----\nabc\n-----END KEY-----\n"
    secret(user, pem, "demo/exact", "PEM")
    trimmed = secret(user, "one line\n", "demo/exact", "LINE")
    assert "--raw" in trimmed.json["warnings"][0]
    secret(user, "one line\n", "demo/exact", "RAW", "--raw")
    (tmp_path / "value").write_text(" ümlaut $HOME 'x' ")
    user.ok("create", "secret", "demo/exact", "FILE", "--from-file", str(tmp_path / "value"))
    assert some(user, "demo/exact", "PEM", "LINE", "RAW", "FILE") == [
        pem,
        "one line",
        "one line\n",
        " ümlaut $HOME 'x' ",
    ]


def test_values_are_shown_to_owners_and_that_is_on_the_record(user: User, tmp_path: Path) -> None:
    user.ok("create", "network", "shown")
    user.deploy(app(tmp_path / "app"), "shown/app")
    secret(user, "of the app", "shown/app", "KEY")
    secret(user, "of the network", "--network", "shown", "INHERITED")
    [key] = [one for one in listed(user, "shown/app") if one["name"] == "KEY"]
    assert (key["redacted"], key["value"]) == (True, "")

    values = {one["name"]: one["value"] for one in listed(user, "shown/app", "--reveal")}
    assert values == {"KEY": "of the app", "INHERITED": "of the network"}
    [inherited] = user.ok("list", "secrets", "--network", "shown", "--reveal", "-o", "json").data["secrets"]
    assert (inherited["value"], inherited["redacted"]) == ("of the network", False)
    local = user.ok("audit", "--target", "shown/app", "-o", "json").data["entries"]
    assert "secret.reveal" in {entry["action"] for entry in local}
    journal = (user.home / "node" / "journal.sqlite").read_bytes()
    assert journal.count(b'"secret.read"') >= 2
    assert b"of the network" not in journal

    rotated = user.ok("node", "rotate-keys", "-o", "json").data
    assert rotated["values"] >= 2
    assert {one["name"]: one["value"] for one in listed(user, "shown/app", "--reveal")} == values
    user.ok("create", "var", "shown/app", "A=1")
    assert some(user, "shown/app", "KEY", "INHERITED", "A") == ["of the app", "of the network", "1"]


def listed(user: User, name: str, *more: str) -> list[dict[str, Any]]:
    secrets: list[dict[str, Any]] = user.ok("list", "secrets", name, *more, "-o", "json").data["secrets"]
    return secrets


def test_of_two_who_change_the_same_app_one_is_told_of_the_other(user: User) -> None:
    user.ok("create", "app", "demo/both")
    user.ok("create", "var", "demo/both", "A=1")
    browser, path = Browser(user, owner_token(user)), "/v1/apps/demo/both/variables"
    etag = browser.ask("GET", path).headers["etag"]

    first = browser.ask("PATCH", path, b'{"set_vars": {"A": "2", "B": "2"}}', {"If-Match": etag})
    second = browser.ask("PATCH", path, b'{"set_vars": {"A": "3"}}', {"If-Match": etag})
    assert (first.status, second.status) == (200, 412)
    assert second.json["code"] == "precondition_failed"
    assert "env.A 1 → 2 by user:" in second.json["detail"]
    told = [(one["key"], one["from"], one["to"]) for one in second.json["details"]["changed"]]
    assert told == [("env.A", "1", "2"), ("env.B", "none", "2")]
    again = browser.ask("PATCH", path, b'{"set_vars": {"A": "3"}}', {"If-Match": first.headers["etag"]})
    assert again.json["vars"] == {"A": {"before": "2", "after": "3"}}
    assert browser.ask("PATCH", path, b'{"unset_vars": ["B"]}', {"If-Match": "W/other"}).status == 400
