"""Doing without root's right to read and write everything."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

VERSION = 0x2008_0522
"""Of the two structures of capset(2): a header, and two times three sets of 32 bits."""
SETS = "6I"
FILES = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""


@contextmanager
def unprivileged() -> Iterator[None]:
    """The modes of files hold for this thread. It stays the same user, who reaches the code wherever it lies."""
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("here root cannot do without its rights")
    before = _capabilities()
    effective, *others = struct.unpack(SETS, before)
    _call("capset", struct.pack(SETS, effective & ~FILES, *others))
    try:
        yield
    finally:
        _call("capset", before)


def _capabilities() -> bytes:
    found = ctypes.create_string_buffer(struct.calcsize(SETS))
    _call("capget", found)
    return found.raw


def _call(name: str, sets: ctypes.Array[ctypes.c_char] | bytes) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(struct.pack("Ii", VERSION, 0), sets):
        raise OSError(ctypes.get_errno(), name)
