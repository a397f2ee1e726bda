"""Changes as a client and a platform record them, for tests of what is told of them."""

from __future__ import annotations

from typing import Any

import msgspec

from events.app import DeployBuilt, DeployFailed, DeployStarted, DeploySucceeded
from events.base import Fact
from events.command import CommandCompleted, CommandReceived
from handlers import list_audit
from rig.contract.review import AuditEntry, ListAudit
from rig.kernel.ports import Draft, Recorded, Stamp
from storage.journal import Journal
from tests.storage.records import Ports, context
from tests.storage.support import stamp

SHOP = "demo/shop"


def fact(fact: Fact, outcome: str = "success", caus: str = "") -> Draft:
    return Draft(stream=f"app:{SHOP}", fact=fact, target=SHOP, outcome=outcome, caus=caus)


def command(name: str, tag: str, target: str = SHOP, process: str = "") -> Draft:
    received = CommandReceived(command=tag, process=process)
    return Draft(stream=f"command:{name}", fact=received, target=target, outcome="unknown")


def end(name: str, tag: str, code: str = "", outcome: str = "") -> Draft:
    completed = CommandCompleted(command=tag, exit=1 if code else 0, code=code)
    return Draft(stream=f"command:{name}", fact=completed, outcome=outcome or ("failure" if code else "success"))


def asked(name: str, corr: str, actor: str = "user:ana") -> Stamp:
    """What a platform knows of a client's command."""
    return msgspec.structs.replace(stamp(actor, name), corr=corr, src="10.0.0.7")


def deploy_here(journal: Journal, name: str, version: int, code: str = "", *, ends: bool = True) -> None:
    by = stamp("user:ana", name)
    journal.append([command(name, "deploy", process="7:1")], by)
    journal.append([fact(DeployStarted(app=SHOP, version=version, bundle="b"))], by)
    if ends:
        last = DeployFailed(app=SHOP, version=version, code=code, reason="") if code else None
        done = last or DeploySucceeded(app=SHOP, version=version)
        journal.append([fact(done, "failure" if code else "success"), end(name, "deploy", code)], by)


def deploy_there(
    journal: Journal, name: str, asked_by: str, version: int, code: str = "", *, ends: bool = True
) -> Recorded:
    """A release as a platform records it: the request is answered before the release is done."""
    by = asked(name, asked_by)
    journal.append([command(name, "release.start")], by, idem=f"user:ana/{asked_by}")
    began, _ = journal.append(
        [fact(DeployStarted(app=SHOP, version=version, bundle="b")), end(name, "release.start")], by
    )
    journal.append([fact(DeployBuilt(app=SHOP, version=version, build="b"), caus=began.id)], by)
    if ends:
        failed = DeployFailed(app=SHOP, version=version, code=code, reason="It does not answer.")
        done = (
            fact(failed, "failure", began.id)
            if code
            else fact(DeploySucceeded(app=SHOP, version=version), caus=began.id)
        )
        journal.append([done], by)
    return began


def listed(journal: Journal, ports: Ports, **filters: Any) -> list[AuditEntry]:
    return list_audit.handle(msgspec.convert(filters, ListAudit), context(journal, ports)).entries


def told(entries: list[AuditEntry]) -> list[tuple[str, str, int, str]]:
    return [(one.source, one.action, one.version, one.code or one.outcome) for one in entries]
