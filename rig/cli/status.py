"""`rig status app|network`."""

from __future__ import annotations

from rig.cli.humanize import ago, count, minute, size, who
from rig.cli.output import Output
from rig.cli.verb import Verb, detailed
from rig.contract.apps import AppStatus, FailedRelease, ShowAppStatus, Trouble
from rig.contract.networks import NetworkStatus, ShowNetworkStatus

SHOWN = 5
"""Lines of the output of a release that failed."""


def show(status: AppStatus, out: Output) -> None:
    app = status.app
    out.pairs(
        [
            ("app", app.name),
            ("status", app.status),
            ("release", f"v{app.version}" if app.version else "none yet"),
            ("url", app.url),
            ("isolation", status.isolation),
            ("deploying", deploying(status)),
            ("just now", app.working),
            *failure(status.failed),
            *trouble(status.trouble),
        ]
    )
    output = (status.failed.output if status.failed else []) or (status.trouble.output if status.trouble else [])
    if output:
        out.line()
        for line in output[-SHOWN:]:
            out.verbatim(f"  {line}")
    if status.instances:
        out.line()
    rows = [
        (i.name, i.state, f"v{i.version}", ago(i.started_at), i.restarts, i.exit, size(i.memory) if i.memory else "")
        for i in status.instances
    ]
    out.table(("PROCESS", "STATE", "RELEASE", "STARTED", "RESTARTS", "LAST EXIT", "MEMORY"), rows)


def deploying(status: AppStatus) -> str:
    """The release that is being made, and how far it is."""
    if not status.deployment:
        return ""
    if status.waiting:
        return f"v{status.deployment}, waits for its turn: {count(status.waiting, 'release')} in the queue"
    return f"v{status.deployment}, {status.phase}"


def trouble(found: Trouble | None) -> list[tuple[str, str]]:
    """Why the last start, stop, restart or scaling did not come off."""
    return [("trouble", f"{found.message} ({found.code})"), ("hint", found.hint)] if found else []


def failure(failed: FailedRelease | None) -> list[tuple[str, str]]:
    """Which release failed and why, and the command that shows more."""
    if failed is None:
        return []
    return [
        ("failed", f"v{failed.version} by {who(failed.by)}, {ago(failed.at)}"),
        ("because", f"{failed.message} ({failed.code})"),
        ("hint", failed.hint if f"`{failed.more}`" not in failed.hint else ""),
        ("see", failed.more),
    ]


def show_network(status: NetworkStatus, out: Output) -> None:
    counts = ", ".join(f"{number} {name}" for name, number in status.counts.items())
    applied = f"{minute(status.applied_at)} by {who(status.applied_by)}" if status.applied_at else ""
    out.pairs(
        [
            ("network", status.network.name),
            ("domain", status.network.domain),
            ("apps", counts or "none yet"),
            ("applied", applied),
            ("drift", f"{count(len(status.drift), 'key')}, see below" if status.drift else ""),
        ]
    )
    if status.apps:
        out.line()
    rows = [
        (
            app.name,
            app.status,
            f"v{app.version}" if app.version else "",
            app.processes,
            f"v{app.deployment}, {app.phase}" if app.deployment else "",
            ago(app.updated_at),
        )
        for app in status.apps
    ]
    out.table(("APP", "STATUS", "RELEASE", "PROCESSES", "DEPLOYING", "CHANGED"), rows)
    if status.drift:
        out.line()
        drift = [(one.key, one.what, who(one.set_by), minute(one.set_at)) for one in status.drift]
        out.table(("NOT AS APPLIED", "WHAT", "WHO", "WHEN"), drift)


VERBS = {
    "app": Verb(command=ShowAppStatus, render=show, rows=lambda status: status.instances),
    "network": Verb(
        command=ShowNetworkStatus,
        render=show_network,
        rows=lambda status: status.apps,
        exit_code=detailed(lambda status: status.drift),
    ),
}
