"""How long a command takes from a cold start."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.bench.harness import Figure, command, compare
from tests.e2e.rig import RIG, User

PEER = "python -c pass"


def figures(user: User) -> Iterator[Figure]:
    """The commands of the budget; the node of ``user`` runs, with one app."""
    bare = command([sys.executable, "-c", "pass"])

    def against(what: str, *arguments: str, budget: str) -> Figure:
        ours = command([RIG, *arguments], env=user.environ)
        return compare(what, ours, bare, peer_name=PEER, budget=budget, runs=21)

    yield against("`rig --version`", "--version", budget="≤ 1.5 ×")
    yield against("`rig --help`", "--help", budget="≤ 1.5 ×")
    yield against(
        "local command, journalled: `rig settings list -o json`", "settings", "list", "-o", "json", budget="≤ 16 ×"
    )
    own = ("audit", "--record", "local", "-o", "json")
    yield against("local command, journalled: `rig audit --record local -o json`", *own, budget="≤ 16 ×")
    yield against("one request: `rig list apps -o json`", "list", "apps", "-o", "json", budget="≤ 30 ×")
    yield against("one request: `rig whoami -o json`", "whoami", "-o", "json", budget="≤ 30 ×")
    yield against("one request, checked and merged: `rig audit -o json`", "audit", "-o", "json", budget="≤ 30 ×")
