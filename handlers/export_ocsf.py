"""Audit entries as events of the Open Cybersecurity Schema Framework (schema.ocsf.io), as a SIEM takes them.

Who comes and goes is *Authentication* (3002); all else is *API Activity* (6003). What the framework has no word for
stands under ``unmapped``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rig.contract.review import AuditEntry

VERSION = "1.3.0"
CREATE, READ, UPDATE, DELETE, OTHER = 1, 2, 3, 4, 99
LOGON, LOGOFF = 1, 2
INFORMATIONAL, LOW, MEDIUM = 1, 2, 3

AUTHENTICATION = {
    "account.login": LOGON,
    "auth.succeeded": LOGON,
    "auth.failed": LOGON,
    "account.logout": LOGOFF,
    "token.revoked": LOGOFF,
}
ACTIVITIES = {
    CREATE: (
        "create",
        "created",
        "start",
        "started",
        "invite",
        "invited",
        "register",
        "registered",
        "deploy",
        "joined",
    ),
    READ: ("show", "list", "status", "get", "info", "verify", "stats", "tail", "export", "diff", "blame", "build_log"),
    UPDATE: (
        "update",
        "scaled",
        "set",
        "use",
        "succeeded",
        "built",
        "failed",
        "rollback",
        "rolled_back",
        "promote",
        "granted",
    ),
    DELETE: ("delete", "deleted", "stop", "stopped", "revoked", "removed"),
}
_ACTIVITY_OF = {word: activity for activity, words in ACTIVITIES.items() for word in words}
_NAMES = {CREATE: "Create", READ: "Read", UPDATE: "Update", DELETE: "Delete", OTHER: "Other"}
_USER_TYPES = {"user": 1, "system": 3, "token": 99, "os": 1}
"""Of an actor, by what stands before its colon: User, System, Other."""


def event(entry: AuditEntry, version: str) -> dict[str, Any]:
    """One entry as an OCSF event; ``version`` is that of the program which writes it."""
    kind, _, name = entry.actor.partition(":")
    user = {"name": name or entry.actor, "uid": entry.actor, "type_id": _USER_TYPES.get(kind, 99)}
    moment = datetime.fromisoformat(entry.at)
    common: dict[str, Any] = {
        "time": int(moment.timestamp()) * 1000 + moment.microsecond // 1000,
        "severity_id": {"success": INFORMATIONAL, "denied": MEDIUM}.get(entry.outcome, LOW),
        "status_id": {"success": 1, "unknown": 0}.get(entry.outcome, 2),
        "status": entry.outcome,
        "message": f"{entry.actor} {entry.action} {entry.target}".rstrip() + f": {entry.outcome}",
        "src_endpoint": {"hostname": entry.src} if entry.src else {"name": "unknown"},
        "metadata": {
            "version": VERSION,
            "product": {"name": "rig", "vendor_name": "rig", "version": version},
            "uid": entry.id,
            "log_name": entry.source,
            "original_time": entry.at,
            "sequence": entry.pos,
            **({"correlation_uid": entry.corr} if entry.corr else {}),
        },
        "unmapped": {"privileged": entry.privileged, "env": entry.env, "context": entry.context},
    }
    if entry.code or entry.reason:
        common |= {"status_code": entry.code, "status_detail": entry.reason}
    if entry.action in AUTHENTICATION:
        return common | _authentication(entry, user)
    return common | _api_activity(entry, user)


def _authentication(entry: AuditEntry, user: dict[str, Any]) -> dict[str, Any]:
    activity = AUTHENTICATION[entry.action]
    return {
        "category_uid": 3,
        "class_uid": 3002,
        "class_name": "Authentication",
        "activity_id": activity,
        "activity_name": "Logon" if activity == LOGON else "Logoff",
        "type_uid": 300_200 + activity,
        "user": user,
        "service": {"name": "Max API"},
        **({"session": {"uid": entry.session}} if entry.session else {}),
    }


def _api_activity(entry: AuditEntry, user: dict[str, Any]) -> dict[str, Any]:
    activity = _ACTIVITY_OF.get(entry.action.rpartition(".")[2], OTHER)
    return {
        "category_uid": 6,
        "class_uid": 6003,
        "class_name": "API Activity",
        "activity_id": activity,
        "activity_name": _NAMES[activity],
        "type_uid": 600_300 + activity,
        "actor": {"user": user, **({"session": {"uid": entry.session}} if entry.session else {})},
        "api": {"operation": entry.action, "service": {"name": "Max API"}},
        **({"resources": [{"name": entry.target}]} if entry.target else {}),
    }
