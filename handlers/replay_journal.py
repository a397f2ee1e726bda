"""`rig journal replay`: what the records come to, folded anew."""

from __future__ import annotations

from handlers.trusting import trusted
from rig.contract.evidence import Replayed, ReplayJournal
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.times import instant


def handle(command: ReplayJournal, ctx: ClientContext) -> Replayed:
    """Verify and fold; another digest than the expected one is a failure."""
    pos, time = bounds(command.until, ctx.stamp.at)
    key = trusted(command.export, command.key, ctx.ports.evidence, ctx)
    replayed = ctx.ports.evidence.replay(
        command.export, key, command.pin, until_pos=pos, until=time, names=command.projection
    )
    if command.expect and replayed.digest != command.expect:
        raise RigError(
            "content_mismatch",
            f"The records come to the digest {replayed.digest}, and {command.expect} was expected.",
            "The same records give another digest where another version of rig folds them: compare `projections`.",
            expected=command.expect,
            found=replayed.digest,
            projections=[f"{each.name} {each.version} {each.digest}" for each in replayed.projections],
        )
    return replayed


def bounds(until: str, now: int) -> tuple[int | None, int | None]:
    """``--until`` as a position or as a time."""
    if not until:
        return None, None
    return (int(until), None) if until.isdecimal() else (None, instant(until, now, "--until"))
