"""`rig deploy`."""

from __future__ import annotations

from rig.cli.humanize import count, duration, size
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.deploy import Deploy, Deployment
from rig.contract.releases import Release


def show(deployment: Deployment, out: Output) -> None:
    if deployment.dry_run:
        show_plan(deployment, out)
        return
    release = deployment.release
    named = f"v{deployment.version} of {deployment.app}"
    if deployment.detached:
        out.note(f"{named} is being made: {size(deployment.sent)} sent.")
        out.hint(f"How far it is: rig status app {deployment.app}")
    elif deployment.resumed:  # what was sent, and how long it took, nobody here has seen
        out.note(f"{named} serves.")
    else:
        took = sum(deployment.timings.values())
        out.note(f"{named} serves after {duration(took)}: {size(deployment.sent)} sent, {_built(release)}.")
    out.line(deployment.url)


def _built(release: Release | None) -> str:
    """What there was to build."""
    if release is None or release.rebuilt:
        return "built"
    reused = f"the build of v{release.built_by} reused" if release.built_by else "nothing to build"
    unchanged = "" if release.changed else "nothing changed, "
    return f"{unchanged}{reused} (--force builds it anew)"


def show_plan(deployment: Deployment, out: Output) -> None:
    rows = [(file.path, file.mode, str(file.size)) for file in deployment.listing]
    out.table(("PATH", "MODE", "BYTES"), rows, empty="No files.")
    out.note(
        f"{count(deployment.files, 'file')}, {deployment.bytes} bytes, bundle {deployment.bundle[:12]}."
        " Nothing was sent."
    )


VERBS = {"": Verb(command=Deploy, render=show, rows=lambda deployment: deployment.listing or [deployment])}
