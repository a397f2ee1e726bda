"""Verbs from other packages, by the entry points of group `rig.handlers`.

An entry point is named like its verb, and its module holds ``VERBS``, as our own verbs' modules do. Its commands name
the module that handles them in a class variable ``handler``. Nothing is scanned until a verb is called
that is not ours.
"""

from __future__ import annotations

from typing import cast

from rig.cli.verb import Verbs

GROUP = "rig.handlers"


def plugin_verbs(name: str) -> Verbs | None:
    """The verbs that a plug-in brings under ``name``; None if there is none."""
    from importlib.metadata import entry_points

    for entry_point in entry_points(group=GROUP, name=name):
        return cast("Verbs", entry_point.load().VERBS)
    return None
