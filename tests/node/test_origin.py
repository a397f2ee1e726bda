"""Who sent a request: the peer, unless the edge proves that it stands in between."""

from __future__ import annotations

from pathlib import Path

from aiohttp.test_utils import make_mocked_request

from rig.node.edge.config import PROOF_HEADER, EdgeOptions, Route, render
from rig.node.http.origin import Origin, edge_proof

PROOF = edge_proof("a secret of forty-three characters or more ...")


def source(headers: dict[str, str]) -> str:
    return Origin(PROOF)(make_mocked_request("GET", "/v1", headers=headers))


def test_a_forwarded_address_counts_only_with_the_proof() -> None:
    forwarded = {"X-Forwarded-For": "198.51.100.7"}
    assert source({**forwarded, PROOF_HEADER: PROOF}) == "198.51.100.7"
    assert source({**forwarded, PROOF_HEADER: PROOF[:-1]}) != "198.51.100.7"
    assert source({**forwarded, PROOF_HEADER: "ü"}) != "198.51.100.7"
    assert source(forwarded) != "198.51.100.7"


def test_the_last_address_is_the_one_that_the_edge_saw() -> None:
    assert source({"X-Forwarded-For": "203.0.113.1, 198.51.100.7", PROOF_HEADER: PROOF}) == "198.51.100.7"


def test_the_proof_depends_on_the_secret() -> None:
    assert edge_proof("one") != edge_proof("two")


def test_the_edge_proves_itself_to_the_api_alone_and_logs_nothing_of_it() -> None:
    routes = (
        Route(hostname="api.example.com", ports=(7470,), proof=PROOF),
        Route(hostname="shop.demo.example.com", app="demo/shop", ports=(20001,)),
    )
    server = render(routes, EdgeOptions(domain="example.com", tls="acme"), Path("/edge"))["apps"]["http"]["servers"][
        "edge"
    ]
    api, shop, _ = server["routes"]
    assert api["handle"][0]["headers"] == {"request": {"set": {PROOF_HEADER: [PROOF]}}}
    assert "headers" not in shop["handle"][0]
    assert list(server["logs"]["logger_names"]) == ["shop.demo.example.com"]
