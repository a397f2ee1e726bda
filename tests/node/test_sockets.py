"""Ports that are had before anybody is told of them."""

from __future__ import annotations

import errno
import socket

import pytest

from rig.kernel.errors import RigError
from rig.node import sockets
from rig.node.sockets import listen
from tests.support import free_port


def test_both_loopbacks_have_the_same_port() -> None:
    found = listen(0)
    try:
        assert {each.getsockname()[1] for each in found.sockets} == {found.port}
        assert found.sockets[0].getsockname()[0] == "127.0.0.1"
        assert all(each.getsockname()[0] == "::1" for each in found.sockets[1:])
    finally:
        found.close()


def test_a_port_that_is_taken_on_one_loopback_is_taken() -> None:
    found = listen(0)
    for each in found.sockets[:-1]:
        each.close()
    try:
        with pytest.raises(RigError, match=str(found.port)) as refused:
            listen(found.port, flag="--api-port")
        assert refused.value.code == "conflict"
        assert "--api-port" in refused.value.hint
    finally:
        found.close()


def test_likely_ports_are_tried_in_order() -> None:
    taken, wanted = listen(0), free_port()
    try:
        found = listen(0, [taken.port, wanted])
        found.close()
        assert found.port == wanted
    finally:
        taken.close()


def failing_bind(number: int, family: socket.AddressFamily, times: int = 1000) -> object:
    left = [times]

    def bound(of: socket.AddressFamily, host: str, port: int) -> socket.socket:
        if of == family and left[0]:
            left[0] -= 1
            raise OSError(number, "on purpose")
        return real(of, host, port)

    real = sockets._bound
    return bound


def test_a_machine_without_ipv6_has_one_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_bound", failing_bind(errno.EADDRNOTAVAIL, socket.AF_INET6))
    found = listen(0)
    found.close()
    assert len(found.sockets) == 1


def test_a_free_port_is_looked_for_again_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_bound", failing_bind(errno.EADDRINUSE, socket.AF_INET6, times=3))
    listen(0).close()
    monkeypatch.setattr(sockets, "_bound", failing_bind(errno.EADDRINUSE, socket.AF_INET6))
    with pytest.raises(RigError, match="both loopback"):
        listen(0)


def test_a_port_that_needs_rights_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_bound", failing_bind(errno.EACCES, socket.AF_INET))
    with pytest.raises(RigError, match="more rights") as refused:
        listen(80)
    assert refused.value.code == "forbidden"
