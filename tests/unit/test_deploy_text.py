"""What `rig deploy` says of a release, to people."""

from __future__ import annotations

import io

import pytest
from msgspec.structs import replace

from rig.cli.deploy import show
from rig.cli.output import Output
from rig.contract.deploy import Deployment
from rig.contract.releases import SourceInfo

URL = "http://shop.demo.localhost"
MADE = Deployment(app="demo/shop", version=2, bundle="", source=SourceInfo(), files=1, bytes=1, url=URL, timings={})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"timings": {"release": 300}, "sent": 79}, "v2 of demo/shop serves after 300 ms: 79 B sent, built."),
        ({"detached": True, "sent": 79}, "v2 of demo/shop is being made: 79 B sent."),
        ({"resumed": True}, "v2 of demo/shop serves."),
    ],
)
def test_nothing_is_said_that_nobody_has_seen(fields: dict[str, object], said: str) -> None:
    output = Output("table", stdout=io.StringIO(), stderr=io.StringIO())
    show(replace(MADE, **fields), output)
    assert isinstance(output.stdout, io.StringIO)
    assert isinstance(output.stderr, io.StringIO)
    assert output.stdout.getvalue() == URL + "\n"
    assert output.stderr.getvalue() == said + "\n"
