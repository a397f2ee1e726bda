"""Canonical JSON: one value, one sequence of bytes.

UTF-8, keys sorted by code point, no white space, the short escapes of RFC 8259 and nothing else escaped: what
``json.dumps(sort_keys=True, ensure_ascii=False, separators=(",", ":"))`` writes. Numbers are integers within
±(2^53 - 1), the range that every JSON reader keeps exactly (RFC 7493, section 2.2); there are no floats, since no two
languages print them alike.
"""

from __future__ import annotations

from typing import Any

import msgspec

MAX_INT = 2**53 - 1
MAX_DEPTH = 500
"""Lists and maps within each other; readers of JSON stop somewhere behind it, each at another place."""
_encoder = msgspec.json.Encoder(order="sorted")


def encode(value: Any) -> bytes:
    """The canonical bytes of a JSON value, or of a Struct of such. Raises `ValueError` for anything that is none.

    A `msgspec.Raw` inside a Struct is taken as it is: it must be canonical already.
    """
    try:
        _check(value, "$", MAX_DEPTH)
        return _encoder.encode(value)
    except UnicodeEncodeError as error:
        raise ValueError("a text holds half of a surrogate pair, which UTF-8 cannot carry") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def refuse_float(text: str) -> None:
    """The ``float_hook`` of decoders whose values have to be canonical."""
    raise ValueError(f"{text} is no integer")


def writes(value: Any, data: bytes) -> bool:
    """Whether ``data``, from which a decoder with :func:`refuse_float` made ``value``, is its canonical form."""
    return _encoder.encode(value) == data


def _check(value: Any, path: str, depth: int) -> None:
    """``depth`` is how many lists and maps may be within each other from here on."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return
    if kind is int:
        if not -MAX_INT <= value <= MAX_INT:
            raise ValueError(f"{path} is beyond the integers that every JSON reader keeps exactly; record it as text")
    elif depth == 0 and kind is not msgspec.Raw:
        raise ValueError("it is nested too deeply")
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise ValueError(f"{path} has a key that is not text: {key!r}")
            _check(item, f"{path}.{key}", depth - 1)
    elif kind is list or kind is tuple:
        for index, item in enumerate(value):
            _check(item, f"{path}[{index}]", depth - 1)
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            _check(getattr(value, field), f"{path}.{field}", depth - 1)
    elif kind is not msgspec.Raw:
        raise ValueError(f"{path} is a {kind.__name__}; a record holds text, integers, true, false, null, lists, maps")
