"""`make bench`: measures the budgets that can be measured, and prints the tables of docs/performance.md."""

from __future__ import annotations

import platform
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

from tests.bench import audit, bundle, journal, resources, startup
from tests.bench.harness import HEADER
from tests.e2e.rig import running


def main() -> None:
    for program in ("rsync", "zstd", "tar"):
        if shutil.which(program) is None:
            sys.exit(f"The benchmarks need `{program}`.")
    with tempfile.TemporaryDirectory(prefix="rig-bench-") as name:
        folder = Path(name)
        print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.system()}\n")
        print(HEADER, flush=True)
        with running(folder / "home") as user:
            user.ok("create", "network", "demo")
            for figures in (
                startup.figures(user),
                journal.figures(folder),
                audit.figures(folder),
                bundle.deploy_figures(user, folder),
                bundle.figures(user, folder),
                bundle.large_figures(user, folder),
            ):
                for figure in figures:
                    print(figure.row(), flush=True)
        print()
        resources.report(folder / "resources")


if __name__ == "__main__":
    main()
