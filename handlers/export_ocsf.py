"""Audit entries as events of the Open Cybersecurity Schema Framework (schema.ocsf.io), as a SIEM takes them.

Who comes and goes is *Authentication* (3002); all else is *API Activity* (6003). What the framework has no word for
stands under ``unmapped``: of outcomes it knows success and failure alone.
"""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_address
from typing import Any

from rig.contract.review import AuditEntry

VERSION = "1.3.0"
CREATE, READ, UPDATE, DELETE, OTHER = 1, 2, 3, 4, 99
LOGON, LOGOFF = 1, 2
INFORMATIONAL, LOW, MEDIUM = 1, 2, 3
UNKNOWN, SUCCESS, FAILURE = 0, 1, 2

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
_NAMES = {CREATE: "Create", READ: "Read", UPDATE: "Update", DELETE: "Delete"}
"""Of activities; another one goes by the name of what was done, as the framework asks for."""
_SEVERITIES = {"success": INFORMATIONAL, "denied": MEDIUM}
_SEVERITY_NAMES = {INFORMATIONAL: "Informational", LOW: "Low", MEDIUM: "Medium"}
_STATUSES = {"success": SUCCESS, "unknown": UNKNOWN}
_STATUS_NAMES = {UNKNOWN: "Unknown", SUCCESS: "Success", FAILURE: "Failure"}
_USER_TYPES = {"user": 1, "system": 3, "token": 99, "os": 1}
"""Of an actor, by what stands before its colon."""
_USER_NAMES = {1: "User", 3: "System"}


def event(entry: AuditEntry, version: str) -> dict[str, Any]:
    """One entry as an OCSF event; ``version`` is that of the program which writes it."""
    severity, status = _SEVERITIES.get(entry.outcome, LOW), _STATUSES.get(entry.outcome, FAILURE)
    common: dict[str, Any] = {
        "time": _milliseconds(entry.at),
        **({"end_time": _milliseconds(entry.ended_at)} if entry.ended_at else {}),
        "severity_id": severity,
        "severity": _SEVERITY_NAMES[severity],
        "status_id": status,
        "status": _STATUS_NAMES[status],
        "message": f"{entry.actor} {entry.action} {entry.target}".rstrip() + f": {entry.outcome}",
        "src_endpoint": _endpoint(entry.src),
        "metadata": {
            "version": VERSION,
            "product": {"name": "rig", "vendor_name": "rig", "version": version},
            "uid": entry.id,
            "log_name": entry.source,
            "original_time": entry.at,
            "sequence": entry.pos,
            **({"correlation_uid": entry.corr} if entry.corr else {}),
        },
        "unmapped": {
            "outcome": entry.outcome,
            "privileged": entry.privileged,
            "env": entry.env,
            "context": entry.context,
        },
        **({"status_code": entry.code} if entry.code else {}),
        **({"status_detail": entry.reason} if entry.reason else {}),
    }
    told = _authentication(entry) if entry.action in AUTHENTICATION else _api_activity(entry)
    return common | told | {"type_name": f"{told['class_name']}: {told['activity_name']}"}


def _milliseconds(at: str) -> int:
    moment = datetime.fromisoformat(at)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def _endpoint(src: str) -> dict[str, str]:
    """Where it came from: an address, or the name of a host; ``unknown`` where nothing is known, as one has to be."""
    try:
        return {"ip": str(ip_address(src))}
    except ValueError:
        return {"hostname": src} if src else {"name": "unknown"}


def _user(actor: str) -> dict[str, Any]:
    kind, _, name = actor.partition(":")
    number = _USER_TYPES.get(kind, 99)
    return {"name": name or actor, "uid": actor, "type_id": number, "type": _USER_NAMES.get(number, kind)}


def _authentication(entry: AuditEntry) -> dict[str, Any]:
    activity = AUTHENTICATION[entry.action]
    return {
        "category_uid": 3,
        "category_name": "Identity & Access Management",
        "class_uid": 3002,
        "class_name": "Authentication",
        "activity_id": activity,
        "activity_name": "Logon" if activity == LOGON else "Logoff",
        "type_uid": 300_200 + activity,
        "user": _user(entry.actor),
        "service": {"name": "Max API"},
        **({"session": {"uid": entry.session}} if entry.session else {}),
    }


def _api_activity(entry: AuditEntry) -> dict[str, Any]:
    activity = _ACTIVITY_OF.get(entry.action.rpartition(".")[2], OTHER)
    return {
        "category_uid": 6,
        "category_name": "Application Activity",
        "class_uid": 6003,
        "class_name": "API Activity",
        "activity_id": activity,
        "activity_name": _NAMES.get(activity, entry.action),
        "type_uid": 600_300 + activity,
        "actor": {"user": _user(entry.actor), **({"session": {"uid": entry.session}} if entry.session else {})},
        "api": {"operation": entry.action, "service": {"name": "Max API"}},
        **({"resources": [{"name": entry.target}]} if entry.target else {}),
    }
