"""Who sent a request: the peer, unless the edge proves that it stands in between."""

from __future__ import annotations

from pathlib import Path

from aiohttp.test_utils import make_mocked_request

from rig.node.edge.config import PROOF_HEADER, EdgeOptions, render
from rig.node.edge.slots import Slot
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
    api = Slot(id=1, hostname="api.example.com", named=True, instances=1, proof=PROOF)
    shop = Slot(id=2, hostname="shop.demo.example.com", named=True, instances=1)
    for slot, proves, logs in ((api, True, 0), (shop, False, 1)):
        config = render((slot,), EdgeOptions(domain="example.com", tls="acme"), Path("/edge"))
        assert (PROOF in str(config)) is proves
        assert str(config).count("access_logger_names") == logs
        assert len(config["logging"]["logs"]) == 1 + logs
