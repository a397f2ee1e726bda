"""What is said below a page that is not the last one."""

from __future__ import annotations

from rig.cli.output import Output


def more(following: str, out: Output) -> None:
    """Say that there is more than what was shown, and how to see it. ``following``: where the next page begins."""
    if following:
        out.note(f"There is more: go on with --after '{following}', or show up to 1000 rows with --limit.")
