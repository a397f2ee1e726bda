"""What was made of states is kept for as long as they are the same: a list of many pages is made from one answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def remembered(count: int) -> Callable[[F], F]:
    """A function of immutable arguments, given by place, that remembers its last ``count`` results.

    Unlike `functools.lru_cache` it looks at which objects they are, and not at what they hold: states are replaced when
    they change, never edited, and hashing one would take as long as the answer. Nobody may change a result.
    """

    def decorate(function: F) -> F:
        # The arguments are kept along with the result, so that no other object can get the identity of one of them.
        last: deque[tuple[tuple[Any, ...], Any]] = deque(maxlen=count)

        @wraps(function)
        def answer(*arguments: Any) -> Any:
            for known, result in tuple(last):
                if all(one is other for one, other in zip(known, arguments, strict=True)):
                    return result
            made = function(*arguments)
            last.append((arguments, made))
            return made

        return answer  # type: ignore[return-value]  # it takes and gives what `function` does

    return decorate
