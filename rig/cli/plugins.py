"""Verbs from other packages, by the entry points of group `rig.handlers`.

An entry point is named like its verb, and its module holds ``VERBS``, as our own verbs' modules do. Its commands name
the module that handles them in a class variable ``handler``. Nothing is scanned until a verb is called
that is not ours.
"""

from __future__ import annotations

from typing import cast

from rig.cli.verb import Verbs
from rig.kernel.errors import RigError

GROUP = "rig.handlers"


def plugin_verbs(name: str) -> Verbs | None:
    """The verbs that a plug-in brings under ``name``; None if there is none. Raises `RigError` ``bad_config``."""
    from importlib.metadata import entry_points

    for entry_point in entry_points(group=GROUP, name=name):
        try:
            return cast("Verbs", entry_point.load().VERBS)
        except Exception as error:
            package = entry_point.dist.name if entry_point.dist else entry_point.value
            raise RigError(
                "bad_config",
                f"The verb `{name}` of the package {package} cannot be loaded: {type(error).__name__}: {error}.",
                f"Upgrade {package}, or remove it from rig's environment.",
            ) from error
    return None
