"""`rig journal verify`: is the record whole, or an export of one?"""

from __future__ import annotations

import msgspec

from handlers.observe import AWAY, sync
from handlers.trusting import trusted
from rig.contract.evidence import VerifyJournal
from rig.contract.verification import Finding, Verification
from rig.kernel.client import ClientContext
from rig.kernel.errors import RigError
from rig.kernel.evidence import require_verified
from rig.kernel.ports import Replica

UNCLEAR = {"REPLICA_BEHIND", "PROJECTION_UNKNOWN"}
"""Findings about a replica by which it cannot be told whether it is what it was."""


def handle(command: VerifyJournal, ctx: ClientContext) -> Verification:
    """Check it; what does not verify is a failure whose details hold the whole report."""
    if command.node and command.export:
        raise RigError("usage", "Check an export, or the journal of the node.", "Give one of them.")
    evidence = ctx.ports.node_evidence if command.node else ctx.ports.evidence
    if command.export:
        key = trusted(command.export, command.key, evidence, ctx)
        report = evidence.verify_export(command.export, key, command.pin)
    elif command.node:
        report = evidence.verify(command.pin)
    else:
        report = evidence.verify(command.pin)
        if ctx.ports.replica is not None:
            report = with_any(report, ctx.ports.replica, ctx)
    require_verified(report)
    return report


def with_any(report: Verification, replica: Replica, ctx: ClientContext) -> Verification:
    """As :func:`with_replica`; that the file is no database any more is a finding, too."""
    try:
        return with_replica(report, replica, ctx)
    except RigError as error:
        if not error.details.get("damaged"):
            raise
        finding = Finding(code="DAMAGED", message=error.message.rstrip("."))
        return msgspec.structs.replace(report, verdict="tampered", findings=[*report.findings, finding])


def with_replica(report: Verification, replica: Replica, ctx: ClientContext) -> Verification:
    """The report, with what comparing the replica with the platform's record, and checking it, has shown."""
    compared, unclear = compare(replica, ctx)
    state = replica.state()
    if state is None:
        return report
    findings = [*replica.verify(), *unclear]
    verdict = report.verdict
    if any(finding.code not in UNCLEAR for finding in findings):
        verdict = "tampered"
    elif findings and verdict == "verified":
        verdict = "unverifiable"
    return msgspec.structs.replace(
        report,
        verdict=verdict,
        replicated=state.size,
        compared=compared,
        findings=[*report.findings, *findings],
    )


def compare(replica: Replica, ctx: ClientContext) -> tuple[bool, list[Finding]]:
    """Whether the platform's record was seen to go on from the replica, and what keeps that from being told.

    A platform that contradicts the replica is noted in it, and found when it is checked.
    """
    try:
        if sync(ctx, replica, on_the_way=True):
            sync(ctx, replica)  # it answers
    except RigError as error:
        if error.code == "unverifiable":
            return False, [
                Finding(code="REPLICA_BEHIND", message=f"the replica of the platform's record: {error.message}")
            ]
        if error.code in AWAY:
            ctx.warn(f"The replica was checked by itself, and not against the platform: {error.message}")
        elif error.code != "journal_forked":
            raise
        return False, []
    return True, []
