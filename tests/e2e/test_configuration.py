"""A network as one file: exported, edited, planned, applied; and what becomes of it when others are at it too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from tests.e2e.rig import User
from tests.e2e.test_variables import app, environment, history, secret, some
from tests.security.people import Answer, Browser, owner_token
from tests.support import wait_until


def written(folder: Path, text: str) -> str:
    """A file to apply; gives its path."""
    path = folder / "max.toml"
    path.write_text(text)
    return str(path)


def actions(plan: Any) -> dict[str, str]:
    return {change["key"]: change["action"] for change in plan["changes"]}


def running(user: User, name: str, version: int) -> list[str]:
    """The processes of one release; those of an earlier one may still finish what they are at."""
    instances = user.ok("status", "app", name, "-o", "json").data["instances"]
    return sorted(one["name"] for one in instances if one["version"] == version)


def test_from_what_is_live_to_a_file_and_back(user: User, tmp_path: Path) -> None:
    user.ok("create", "network", "round")
    user.deploy(app(tmp_path / "app", '[env]\nA = "of rig.toml"\n'), "round/shop")
    user.ok("create", "var", "round/shop", "COLOR=blue")
    secret(user, "hunter2", "round/shop", "KEY")
    file = str(tmp_path / "max.toml")
    user.ok("config", "export", "round", "--file", file)
    assert user.rig("config", "diff", file, "--detailed-exitcode").exit == 0
    assert "hunter2" not in Path(file).read_text()

    text = Path(file).read_text().replace("blue", "green") + '\n[apps.shop.processes]\nweb = 2\n[env]\nREGION = "eu"\n'
    Path(file).write_text(text)
    planned = user.rig("config", "diff", file, "--detailed-exitcode", "-o", "json")
    assert planned.exit == 2
    assert actions(planned.data) == {
        "apps.shop.env.COLOR": "change",
        "apps.shop.processes.web": "add",
        "env.REGION": "add",
    }
    assert "green" not in planned.stdout
    assert user.ok("config", "apply", file, "--plan", "-o", "json").data["done"] is False
    assert some(user, "round/shop", "COLOR", "REGION") == ["blue", None]

    applied = user.ok("config", "apply", file, "-o", "json").data
    assert applied["releases"] == [{"app": "round/shop", "version": 4}]
    assert some(user, "round/shop", "A", "COLOR", "REGION", "KEY") == ["of rig.toml", "green", "eu", "hunter2"]
    assert history(user, "round/shop")[0] == (4, ["env.COLOR", "env.REGION"])
    wait_until(lambda: running(user, "round/shop", 4) == ["web.1", "web.2"], "both processes of the release run")
    again = user.ok("config", "apply", file, "-o", "json").data
    assert (again["changes"], again["releases"]) == ([], [])

    # A second person changes things by hand; the file takes them back.
    user.ok("create", "var", "round/shop", "COLOR=red", "BESIDE=1")
    drifted = user.rig("status", "network", "round", "--detailed-exitcode", "-o", "json")
    assert drifted.exit == 2
    assert [(one["key"], one["what"]) for one in drifted.data["drift"]] == [("apps.shop.env.COLOR", "changed")]
    assert drifted.data["drift"][0]["set_by"].startswith("user:")
    back = user.ok("config", "apply", file, "-o", "json").data
    assert actions(back) == {"apps.shop.env.BESIDE": "unmanaged", "apps.shop.env.COLOR": "change"}
    assert some(user, "round/shop", "COLOR", "BESIDE") == ["green", "1"]
    assert user.ok("status", "network", "round", "--detailed-exitcode").exit == 0

    # What is gone from the file goes, if somebody says so.
    Path(file).write_text(Path(file).read_text().replace('COLOR = "green"\n', "").replace("web = 2\n", "web = 1\n"))
    refused = user.rig("config", "apply", file)
    assert refused.exit == 64
    assert "--yes" in refused.stderr
    user.ok("config", "apply", file, "--yes")
    assert some(user, "round/shop", "COLOR", "BESIDE") == [None, "1"]
    assert_history(user)


def assert_history(user: User) -> None:
    """Each of these changes is told, with the values before and after, without the platform."""
    told = user.ok("config", "history", "round/shop", "--key", "COLOR", "--show-values", "-o", "json").data
    assert [(one["before"], one["after"]) for one in told["changes"]] == [
        ("green", None),
        ("red", "green"),
        ("green", "red"),
        ("blue", "green"),
        (None, "blue"),
    ]
    assert told["record"] == "observed"
    away = user.rig("config", "history", "round", "-o", "json", env={"RIG_URL": ""})
    assert {one["scope"] for one in away.data["changes"]} == {"round", "round/shop"}
    assert {one["before"] for one in away.data["changes"] if one["key"].startswith("env.")} == {None}


def test_one_app_that_is_wrong_keeps_all_others_as_they_are(user: User, tmp_path: Path) -> None:
    user.ok("create", "network", "whole")
    for name in ("one", "two"):
        user.deploy(app(tmp_path / name), f"whole/{name}")
    wrong = 'network = "whole"\n[apps.one.env]\nA = "1"\n[apps.three.env]\nA = "1"\n'
    for table, exit_code in (("processes]\ncat = 1", 65), ('secrets]\nKEY = ""', 66), ('env]\nPORT = "1"', 78)):
        refused = user.rig("config", "apply", written(tmp_path, f"{wrong}[apps.two.{table}\n"), "-o", "json")
        assert refused.exit == exit_code, refused.stdout
    assert some(user, "whole/one", "A") == [None]
    assert [found["name"] for found in user.ok("list", "apps", "--network", "whole", "-o", "json").data["apps"]] == [
        "whole/one",
        "whole/two",
    ]
    assert len(history(user, "whole/one")) == 1
    secret(user, "x", "whole/two", "KEY")
    user.ok("config", "apply", written(tmp_path, f'{wrong}[apps.two.secrets]\nKEY = ""\n'))
    assert some(user, "whole/one", "A") == ["1"]
    assert environment(user, "whole/two")["KEY"] == "x"


def test_an_app_is_deleted_only_if_that_is_said(user: User, tmp_path: Path) -> None:
    user.ok("create", "network", "fewer")
    user.ok("config", "apply", written(tmp_path, 'network = "fewer"\n[apps.old]\n[apps.new]\n'))
    file = written(tmp_path, 'network = "fewer"\n[apps.new]\n')
    refused = user.rig("config", "apply", file, "--yes")
    assert (refused.exit, "--delete-apps" in refused.stderr) == (64, True)
    user.ok("config", "apply", file, "--yes", "--delete-apps")
    assert [found["name"] for found in user.ok("list", "apps", "--network", "fewer", "-o", "json").data["apps"]] == [
        "fewer/new"
    ]


def test_of_two_who_apply_at_once_one_is_told_of_the_other(user: User) -> None:
    user.ok("create", "network", "both")
    user.ok("create", "app", "both/shop")
    browser, path = Browser(user, owner_token(user)), "/v1/networks/both/config"
    read = browser.ask("GET", path)
    assert read.headers["etag"] == f'"{read.json["revision"]}"'

    def apply(color: str, **headers: str) -> Answer:
        document = {"network": "both", "apps": {"shop": {"env": {"COLOR": color}}}}
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return browser.ask("POST", f"{path}/apply", json.dumps({"document": document}).encode(), names)

    first = apply("red", If_Match=read.headers["etag"], Idempotency_Key="one")
    second = apply("green", If_Match=read.headers["etag"])
    assert (first.status, second.status) == (200, 412)
    assert second.json["code"] == "precondition_failed"
    told = [(change["key"], change["by"].startswith("user:")) for change in second.json["details"]["changed"]]
    assert told == [("network", True), ("apps.shop.env.COLOR", True)]
    assert "apps.shop.env.COLOR, network by user:" in second.json["detail"]
    assert apply("red", If_Match=read.headers["etag"], Idempotency_Key="one").json == first.json
    assert apply("green", If_Match=browser.ask("GET", path).headers["etag"]).status == 200
    assert browser.ask("GET", path).json["live"]["apps"]["shop"]["env"] == {"COLOR": "green"}
    other = browser.ask("POST", f"{path}/apply", b'{"document": {"network": "demo"}}')
    assert (other.status, other.json["code"]) == (422, "invalid_data")


def test_a_release_that_fails_leaves_the_old_one_and_keeps_the_change(user: User, tmp_path: Path) -> None:
    user.ok("create", "network", "fails")
    folder = app(tmp_path / "app")
    (folder / "main.py").write_text(
        "import os\nassert os.environ.get('COLOR') != 'bad'\n" + (folder / "main.py").read_text()
    )
    user.deploy(folder, "fails/shop")
    file = written(tmp_path, 'network = "fails"\n[apps.shop.env]\nCOLOR = "bad"\n')
    failed = user.rig("config", "apply", file, "-o", "json")
    assert failed.exit == 1
    assert some(user, "fails/shop", "COLOR") == [None]
    user.ok("config", "apply", written(tmp_path, 'network = "fails"\n[apps.shop.env]\nCOLOR = "good"\n'), "--detach")
    wait_until(lambda: some(user, "fails/shop", "COLOR") == ["good"], "the release serves")


def test_thousands_of_keys_are_one_request_and_one_append(user: User, tmp_path: Path) -> None:
    user.ok("create", "network", "many")
    apps = "".join(
        f"[apps.a{number}.env]\n" + "".join(f'V{name} = "{name}"\n' for name in range(10)) for number in range(100)
    )
    file = written(tmp_path, f'network = "many"\n{apps}')
    assert len(user.ok("config", "apply", file, "-o", "json").data["changes"]) == 1100
    entries = user.ok("audit", "--all", "--target", "many", "--type", "config.*", "-o", "json").data["entries"]
    assert "config.apply_network" in {entry["action"] for entry in entries}
    assert msgspec.json.decode(user.ok("config", "diff", file, "-o", "json").stdout)["data"]["changes"] == []
