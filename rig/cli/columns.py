"""The columns of a list that has no items: what its reply's type says of them."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import msgspec

from rig.contract.base import Reply


def columns_of(reply: Reply, rows: list[Any]) -> list[str]:
    """Names of the columns that the items of ``rows``, which is a field of ``reply``, would have; none where its type
    does not tell."""
    name = next((name for name in reply.__struct_fields__ if getattr(reply, name) is rows), "")
    item = next(iter(get_args(get_type_hints(type(reply)).get(name))), None)
    if isinstance(item, type) and issubclass(item, msgspec.Struct):
        return [field.encode_name for field in msgspec.structs.fields(item)]
    return ["value"] if item is str else []
