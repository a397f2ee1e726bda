"""`rig deploy`."""

from __future__ import annotations

from rig.cli.humanize import count, duration, size
from rig.cli.output import Output
from rig.cli.verb import Verb
from rig.contract.deploy import Deploy, Deployment


def show(deployment: Deployment, out: Output) -> None:
    if deployment.dry_run:
        show_plan(deployment, out)
        return
    release = deployment.release
    took = sum(deployment.timings.values())
    built = "built" if release and release.rebuilt else "nothing to build"
    out.note(
        f"v{deployment.version} of {deployment.app} serves after {duration(took)}:"
        f" {size(deployment.sent)} sent, {built}."
    )
    out.line(deployment.url)
    if release and not release.rebuilt:
        out.hint("This source was built before; --force builds it anew.")


def show_plan(deployment: Deployment, out: Output) -> None:
    rows = [(file.path, file.mode, str(file.size)) for file in deployment.listing]
    out.table(("PATH", "MODE", "BYTES"), rows, empty="No files.")
    out.note(
        f"{count(deployment.files, 'file')}, {deployment.bytes} bytes, bundle {deployment.bundle[:12]}."
        " Nothing was sent."
    )


VERBS = {"": Verb(command=Deploy, render=show, rows=lambda deployment: deployment.listing or [deployment])}
