"""Where a request comes from: the address that counts for throttling and for the record."""

from __future__ import annotations

import hashlib
import hmac

from aiohttp import web

from rig.node.edge.config import PROOF_HEADER


def edge_proof(secret: str) -> str:
    """What the edge sends along to show that a request came through it; made from the node's bootstrap secret."""
    return hmac.new(secret.encode(), b"rig edge proof v1", hashlib.sha256).hexdigest()


class Origin:
    """Gives the address of a request's sender: the peer's, or what the edge says where it proves itself.

    Anybody can send X-Forwarded-For; only the edge knows the proof.
    """

    def __init__(self, proof: str) -> None:
        self._proof = proof.encode()

    def __call__(self, request: web.Request) -> str:
        shown = request.headers.get(PROOF_HEADER, "").encode("utf-8", "surrogateescape")
        if hmac.compare_digest(shown, self._proof):
            # The edge trusts nobody in front of it, so the last address is the one that it saw.
            forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
            return forwarded[:64] or "edge"
        return request.remote or ""
