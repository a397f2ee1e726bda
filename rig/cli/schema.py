"""`rig schema`."""

from __future__ import annotations

from rig.cli.output import Output, pretty
from rig.cli.verb import Verb
from rig.contract.schemas import Schema, ShowSchema


def show(schema: Schema, out: Output) -> None:
    """The bare schema: it is a document for machines already."""
    shown = next(iter(schema.schemas.values())) if len(schema.schemas) == 1 else schema.schemas
    out.verbatim(pretty(shown))


VERBS = {"": Verb(command=ShowSchema, render=show)}
