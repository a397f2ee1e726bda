"""Pages of sorted lists."""

from __future__ import annotations


def page_of(names: list[str], after: str, limit: int) -> tuple[list[str], str]:
    """The names that follow ``after``, at most ``limit``, and what the next page comes after: empty on the last one."""
    rest = [name for name in names if name > after]
    page = rest[:limit]
    return page, page[-1] if len(rest) > limit else ""
