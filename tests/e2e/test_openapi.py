"""The API keeps to the OpenAPI document that it serves, whatever it is sent: schemathesis makes it up."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rig.contract.api import ROUTES
from tests.e2e.rig import User
from tests.security.people import owner_token

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
CHECKS = "not_a_server_error,status_code_conformance,response_schema_conformance"
MODES = (
    # An address that is too long for HTTP itself is refused below the API, in plain text.
    ("all", CHECKS),
    ("positive", f"{CHECKS},content_type_conformance"),
)
"""Whether what is sent breaks the document, too, and what is held against the answers."""
EXAMPLES = 15
"""Of each operation, besides those that cover its schema."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not SCHEMATHESIS.exists() and os.environ.get("CI") != "true",
        reason="schemathesis is not installed; `make lint` does",
    ),
]


@pytest.mark.parametrize(("mode", "checks"), MODES)
def test_what_is_answered_is_what_is_documented(user: User, tmp_path: Path, mode: str, checks: str) -> None:
    user.rig("create", "network", "demo")
    user.rig("create", "app", "demo/shop")
    done = subprocess.run(
        [
            *(SCHEMATHESIS, "run", f"{user.node.api}/v1/openapi.json"),
            *("--header", f"Authorization: Bearer {owner_token(user)}", "--checks", checks, "--mode", mode),
            *("--max-examples", str(EXAMPLES), "--generation-deterministic"),
            *("--request-timeout", "120", "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tested = re.search(r"Tested: (\d+)", done.stdout)
    assert tested is not None, done.stdout
    assert int(tested[1]) == len(ROUTES)
    assert "Authentication failed" not in done.stdout, "what was made up reached the handlers"
