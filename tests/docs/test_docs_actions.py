"""The steps for GitHub Actions of the page about CI, carried out job by job, each with a RIG_HOME of its own."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.checkout import Checkout
from tests.docs.markdown import ROOT

PAGE = ROOT / "docs" / "guides" / "ci.md"
JOBS: dict[str, Any] = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0])[
    "jobs"
]


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    made = Checkout(tmp_path)
    yield made
    made.run(f"export RIG_HOME={shlex.quote(str(made.home / 'rig-home'))}; unset RIG_URL RIG_TOKEN")
    made.close()


def prepared(checkout: Checkout) -> None:
    """A platform, a project, and what the repository's variables and secrets hold."""
    status, printed = checkout.run(
        """
        rig node start
        rig login
        rig create network production
        rig deploy docs/examples/hello-static --app production/shop --create
        export RIG_TOKEN=$(rig create token ci --network production --role deployer)
        export RIG_URL=$(rig node status --query api)
        cp -r docs/examples/hello-static "$HOME/project"
        echo changed >> "$HOME/project/public/index.html"
        """
    )
    assert status == 0, printed


def carried_out(checkout: Checkout, job: str, folder: Path) -> tuple[int, str]:
    """Run the steps of a job that are commands of a shell, until one fails; in ``folder``, with a RUNNER_TEMP anew."""
    temp = checkout.home / f"temp-{job}"
    temp.mkdir(exist_ok=True)
    settings = {"RUNNER_TEMP": str(temp), "CI": "true", "RIG_HOME": JOBS[job]["env"]["RIG_HOME"]}
    settings["RIG_HOME"] = settings["RIG_HOME"].replace("${{ runner.temp }}", str(temp))
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items())
    printed = ""
    for step in JOBS[job]["steps"]:
        if "run" not in step:
            continue
        # Each step is a shell of its own, in the folder of the job.
        status, said = checkout.run(f"{exports}cd {shlex.quote(str(folder))}\nbash -e <<'STEP'\n{step['run']}\nSTEP")
        printed += said
        if status:
            return status, printed
    return 0, printed


@pytest.mark.needs("bash", "git", "bwrap")
def test_the_evidence_of_a_job_is_replayed_by_another(checkout: Checkout) -> None:
    prepared(checkout)
    project = checkout.home / "project"
    files = sorted(project.rglob("*"))
    status, printed = carried_out(checkout, "deploy", project)
    assert status == 0, printed
    temp = checkout.home / "temp-deploy"
    assert '"kind": "deployment"' in (temp / "deployment.json").read_text()
    assert sorted(project.rglob("*")) == files  # nothing that the next deployment would send along
    evidence = temp / "evidence"
    assert {path.name for path in evidence.iterdir()} == {
        "digest", "journal.checkpoint", "journal.jsonl", "key", "verify_export.py",
    }  # fmt: skip
    uploaded = next(step["with"]["path"] for step in JOBS["deploy"]["steps"] if "upload" in step.get("uses", ""))
    assert uploaded == "${{ runner.temp }}/evidence"

    elsewhere = checkout.home / "elsewhere"
    elsewhere.mkdir()
    evidence.rename(elsewhere / "evidence")
    status, printed = carried_out(checkout, "replay", elsewhere)
    assert (status, "verified: " in printed) == (0, True), printed

    journal = elsewhere / "evidence" / "journal.jsonl"
    journal.write_text(journal.read_text().replace("production/shop", "production/sham", 1))
    assert carried_out(checkout, "replay", elsewhere)[0] == 1
