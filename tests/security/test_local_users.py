"""Other users of the same machine: what they can read, and what they are sent when they pose as the node."""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.rig import User, web_app
from tests.security.people import PASSPHRASE, join
from tests.support import below, contents


class Impostor:
    """Listens where the node did, answers whatever it likes, and keeps all that it is sent."""

    def __init__(self, port: int, status: int) -> None:
        self.heard: list[str] = []
        impostor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                impostor.heard.append(f"{self.requestline}\n{self.headers}\n{body.decode(errors='replace')}")
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_POST = do_DELETE = do_PATCH = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Impostor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[User, dict[str, str]]]:
    """A home in which everything has been done once, under a umask that hides nothing; with all secrets of it."""
    folder = tmp_path_factory.mktemp("used")
    user = User(folder / "home")
    umask = os.umask(0)
    try:
        user.start_node()
        user.ok("create", "network", "demo")
        app = web_app(folder / "app")
        user.deploy(app, "demo/site")
        token = join(user, "bea", "demo", "viewer")
        user.rig(
            "login", f"http://127.0.0.1:{user.node.api_port}", "--name", "wrong", "--token-stdin", stdin="rig_at.no"
        )
        user.rig("login", f"http://127.0.0.1:{user.node.api_port}", "--name", "bea", "--token-stdin", stdin=token)
        user.ok("--context", "local", "whoami", "-o", "json")
        link = user.ok("--context", "local", "node", "invite", "carl", "-o", "json").data["link"]
        user.rig("deploy", str(app), "--app", "demo/none", "-v", "-o", "jsonl")
        user.rig("--context", "bea", "delete", "app", "demo/site", "--yes", "-v", "-o", "json")
        for words in (("audit",), ("history", "demo/site"), ("logs", "build", "demo/site"), ("settings", "list")):
            user.ok("--context", "local", *words, "-o", "json")
        user.get("demo/site", "/page?visit=1")
        kept = (user.home / "tokens" / "local.json").read_text()
        secrets = {
            "passphrase": PASSPHRASE,
            "token of bea": token,
            "invitation": link.rpartition("/")[2],
            "bootstrap secret": (user.home / "node" / "bootstrap.secret").read_text().strip(),
            **{f"token {n}": found for n, found in enumerate(re.findall(r"rig_[ar]t\.[A-Za-z0-9_-]{43}", kept))},
        }
        os.umask(umask)
        yield user, secrets
    finally:
        os.umask(umask)
        user.stop_everything()


def test_nobody_else_can_open_anything(used: tuple[User, dict[str, str]]) -> None:
    """Every file, folder and socket that rig and its node keep; what an app owns lies in folders that are closed."""
    user, _ = used
    networks = user.home / "node" / "networks"
    looked_at = 0
    for path in [user.home, *below(user.home)]:
        if networks in path.parents:
            continue
        with suppress(FileNotFoundError):  # a temporary file of the node, which runs
            mode = path.lstat().st_mode
            looked_at += 1
            assert stat.S_ISLNK(mode) or stat.S_IMODE(mode) & 0o077 == 0, f"{path} {stat.filemode(mode)}"
    assert looked_at > 20


def test_no_secret_stands_where_it_is_not_kept(used: tuple[User, dict[str, str]]) -> None:
    user, secrets = used
    assert len(secrets) >= 6
    kept = {
        user.home / "node" / "bootstrap.secret",
        user.home / "tokens" / "local.json",
        user.home / "tokens" / "bea.json",
    }
    searched = 0
    for path, content in contents(user.home):
        if path in kept:
            continue
        searched += 1
        for name, secret in secrets.items():
            assert secret.encode() not in content, f"{name} in {path}"
        assert not re.search(rb"rig_(at|rt|dc|st)\.[A-Za-z0-9_-]{43}", content), path
    assert searched > 20


def test_no_process_carries_a_secret(used: tuple[User, dict[str, str]]) -> None:
    user, secrets = used
    seen = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            content = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        seen += str(user.home).encode() in content
        for name, secret in secrets.items():
            assert secret.encode() not in content, f"{name} in {process}"
    assert seen >= 2


def test_no_output_holds_a_token(used: tuple[User, dict[str, str]]) -> None:
    user, secrets = used
    for words in (
        ("whoami",),
        ("context", "list"),
        ("settings", "list"),
        ("audit",),
        ("node", "status"),
        ("journal", "info"),
    ):
        for form in ("table", "json", "yaml"):
            ran = user.ok("--context", "local", *words, "-v", "-o", form)
            for name, secret in secrets.items():
                assert secret not in ran.stdout + ran.stderr, (name, words)


@pytest.mark.parametrize("status", [200, 401, 500])
def test_who_listens_where_the_node_was_gets_no_token(fresh: User, status: int) -> None:
    """The port of a node that has stopped is free for any user of the machine."""
    fresh.start_node("--isolation", "none")
    port = fresh.node.api_port
    fresh.ok("node", "stop")
    with Impostor(port, status) as impostor:
        for words in (("whoami",), ("list", "apps"), ("create", "network", "demo"), ("login",), ("logout",)):
            ran = fresh.rig(*words, "-o", "json")
            assert ran.exit in (0, 69) if words == ("logout",) else ran.exit == 69, ran.stdout
        assert impostor.heard == []


def test_a_token_of_the_environment_is_not_sent_there_either(fresh: User) -> None:
    fresh.start_node("--isolation", "none")
    port = fresh.node.api_port
    fresh.ok("node", "stop")
    with Impostor(port, 401) as impostor:
        given = {"RIG_TOKEN": "rig_st." + "A" * 43, "RIG_URL": f"http://127.0.0.1:{port}"}
        assert fresh.rig("whoami", "-o", "json", env=given).exit == 69
        assert impostor.heard == []


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_a_home_in_which_others_can_write_is_not_used(tmp_path: Path, mode: int) -> None:
    """They could plant a key there, or a login to a platform of theirs."""
    user = User(tmp_path / "home")
    user.home.mkdir()
    user.home.chmod(mode)
    for words in (("login", "https://max.example.com"), ("settings", "set", "output", "json"), ("node", "start")):
        ran = user.rig(*words, "-o", "json")
        assert (ran.exit, ran.json["error"]["code"]) == (78, "bad_config"), ran.stdout
        assert "chmod o-w" in ran.json["error"]["hint"]
    assert list(user.home.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a folder away")
def test_a_home_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    user = User(tmp_path / "home")
    user.home.mkdir(mode=0o700)
    os.chown(user.home, 65534, 65534)
    ran = user.rig("node", "start", "-o", "json")
    assert (ran.exit, ran.json["error"]["code"]) == (78, "bad_config")
    assert list(user.home.iterdir()) == []
