"""Files that look like secrets, by their name or by what they hold, are refused unless they are allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.clients.source.listing import list_source
from tests.clients.sources import listed, put, refused


def test_secrets_are_refused_all_at_once_unless_allowed(tmp_path: Path) -> None:
    names = [".env", "config/.env.production", "keys/id_rsa", "server.pem", ".npmrc"]
    for name in names:
        put(tmp_path, name, "//registry.example.com/:_authToken=abc\n")
    for name in (".env.example", "id_rsa.pub", "web/.npmrc", "environment.py"):
        put(tmp_path, name, "registry=https://registry.example.com\n//registry.example.com/:_authToken=${TOKEN}\n")
    error = refused(tmp_path)
    assert error.code == "secret_in_source"
    assert error.details["paths"] == sorted(names)
    assert refused(tmp_path, allow_secrets=["*.pem", "/.env", "keys/"]).details["paths"] == [
        ".npmrc",
        "config/.env.production",
        "keys/id_rsa",
    ]
    assert len(listed(tmp_path, allow_secrets=names)) == 9


def test_a_secret_that_was_allowed_once_is_refused_the_next_time(tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    put(tmp_path, "source/.env")
    listed(tmp_path / "source", cache_dir=cache, allow_secrets=[".env"])
    assert refused(tmp_path / "source", cache_dir=cache).code == "secret_in_source"


KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n"

# Put together here, so that no scanner takes this file for what it tests.
SECRET_CONTENTS = {
    "notes.txt": KEY,
    "docs/deploy.md": f"Use this:\n\n{KEY}",
    "settings.py": "AWS_KEY = 'AKIA" + "QWERTYUIOPASDFGH'",
    "config.json": '{"token": "gh' + "p_" + "a" * 36 + '"}',
    "fine.toml": "token = 'git" + "hub_pat_" + "1" * 22 + "_" + "b" * 59 + "'",
    "deploy.sh": "curl -H 'Authorization: Bearer gl" + "pat-" + "x1" * 12 + "'",
    "Makefile": "SLACK=xo" + "xb-123456789012-abcdefghijklmnopqrst",
    "pay.rb": "Stripe.api_key = 'sk" + "_live_" + "k" * 24 + "'",
    "ci.yml": "NODE_AUTH_TOKEN: np" + "m_" + "Z" * 36,
    ".pypi.toml": "password = 'py" + "pi-AgE" + "I" * 60 + "'",
    "run.sh": "export RIG_TOKEN=ri" + "g_st." + "Q" * 43,
}

HARMLESS_CONTENTS = {
    "README.md": "Set AWS_ACCESS_KEY_ID to something like AKIA" + "IOSFODNN7EXAMPLE.",
    "check.py": 'if "PRIVATE KEY-----" in text: raise Leak(text)',
    "aws.py": "KEY = os.environ['AWS_ACCESS_KEY_ID']  # AKIA" + "IOSFODNN7EXAMPLE",
    "short.json": '{"token": "gh' + 'p_short"}',
    "inside.py": "COUGH = 'cou" + "ghp_" + "a" * 36 + "'; risk_live_" + "k" * 24 + " = 1",
    "test.js": "stripe('sk_test_" + "k" * 24 + "')",
    "cert.crt": "-----BEGIN CERTIFICATE-----\nMIIB\n",
    "id_rsa.pub": "ssh-rsa AAAAB3NzaC1yc2E ana",
}


@pytest.mark.parametrize("name", SECRET_CONTENTS)
def test_a_credential_in_a_file_of_any_name_is_refused(name: str, tmp_path: Path) -> None:
    put(tmp_path, name, SECRET_CONTENTS[name])
    put(tmp_path, "main.py", "print('hello')")
    error = refused(tmp_path)
    assert (error.code, error.details["paths"]) == ("secret_in_source", [name])
    assert list_source(str(tmp_path), allow_secrets=[name]).files == 2


def test_what_only_looks_a_little_like_one_travels(tmp_path: Path) -> None:
    for name, text in HARMLESS_CONTENTS.items():
        put(tmp_path, name, text)
    assert list_source(str(tmp_path)).files == len(HARMLESS_CONTENTS)
