"""Reads exports with rig's own libraries: the same checks as `storage.verify_export`, several times as fast."""

from __future__ import annotations

from typing import Any

import msgspec

from rig.contract.verification import Anchor, Finding, Verdict, Verification
from storage import canonical
from storage.verify_export import Export, key_id, read_key

_decoder = msgspec.json.Decoder(dict[str, Any], float_hook=canonical.refuse_float)


def check(path: str, key: str, pin: str) -> Export:
    """Check an export; ``key`` is a verifier key. Never raises."""
    return Export(path, key, pin, verify=_ed25519, read=_read).check()


def _read(line: bytes) -> dict[str, Any] | None:
    """As `storage.verify_export.read_json`; what is no object is none, either."""
    try:
        value = _decoder.decode(line)
        return value if canonical.writes(value, line) else None
    except (ValueError, RecursionError):
        return None


def _ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def report(export: Export) -> Verification:
    """What checking it has shown."""
    findings = [Finding(code=c, message=m, first=first, last=last) for c, m, first, last in export.findings]
    verdicts: dict[str, Verdict] = {"verified": "verified", "tampered": "tampered"}
    verdict = verdicts.get(export.verdict, "unverifiable")
    anchors = []
    if export.pin and verdict == "verified":
        anchors.append(Anchor(kind="kept", name=export.pin, size=export.anchored, agrees=bool(export.anchored)))
    identifier = ""
    if verdict == "verified":
        name, public = read_key(export.key)
        identifier = key_id(name, public).hex()
    return Verification(
        verdict=verdict,
        path=export.path,
        origin=str(export.header.get("origin", "")),
        size=export.size,
        first=int(export.header.get("first", 0)),
        records=export.count,
        root=export.root.hex(),
        checkpoints=1 if export.root else 0,
        anchored=export.anchored,
        anchors=anchors,
        complete=export.complete,
        key_id=identifier,
        findings=findings,
    )
