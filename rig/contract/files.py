"""Files that commands read and write on the machine they are given on."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from rig.contract.base import opt

FilePath = Annotated[str, Meta(max_length=4096)]
Overwrite = Annotated[bool, opt("Replace the file where there is one already.", "--overwrite")]
