"""What is being done to each app besides releases, and how the last of it ended."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Literal

import msgspec

from rig.kernel.errors import RigError

What = Literal["scaling", "starting", "stopping", "restarting"]
Work = Callable[[], Coroutine[Any, Any, RigError | None]]
"""Gives why it did not come off; None where it did."""


class _Doing(msgspec.Struct):
    what: What
    number: int


class Works:
    """Kept in memory: what a node that was started anew goes on with is begun here anew. Used on the event loop; asked
    from any thread."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        """``changed`` is called with the app when something of it has ended."""
        self._changed = changed
        self._doing: dict[str, list[_Doing]] = {}
        self._problems: dict[str, RigError] = {}
        self._count = 0

    def doing(self, app: str) -> str:
        """What is being done to an app, empty for nothing: the newest thing that was asked for."""
        doing = list(self._doing.get(app, ()))
        return doing[-1].what if doing else ""

    def problem(self, app: str) -> RigError | None:
        """Why the last thing that was done to an app did not come off."""
        return self._problems.get(app)

    def note(self, app: str, problem: RigError | None) -> None:
        """Say how the last thing ended."""
        if problem is None:
            self._problems.pop(app, None)
        else:
            self._problems[app] = problem

    def begin(self, app: str, what: What, work: Work) -> Coroutine[Any, Any, None]:
        """The same work, known from now on for as long as it lasts."""
        self._count += 1
        one = _Doing(what, self._count)
        self._doing.setdefault(app, []).append(one)
        return self._see_through(app, one, work)

    async def _see_through(self, app: str, one: _Doing, work: Work) -> None:
        problem: RigError | None = None
        try:
            problem = await work()
        except RigError as error:
            problem = error
            raise
        finally:
            others = self._doing[app]
            others.remove(one)
            if not others:
                del self._doing[app]
            if not any(other.number > one.number for other in others):
                self.note(app, problem)
            self._changed(app)
