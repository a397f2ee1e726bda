"""`--query`: part of a reply, by a JMESPath expression. The library is imported only where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rig.kernel.errors import RigError

HINT = "See https://jmespath.org for the language."


def check_query(expression: str) -> None:
    """Refuse a JMESPath expression before anything is done for its sake. Raises `RigError` ``usage``."""
    compiled = _compile(expression)
    from jmespath.functions import Functions

    for name in _functions_in(compiled.parsed):
        if name not in Functions.FUNCTION_TABLE:
            raise RigError("usage", f"--query: There is no function `{name}`.", HINT)


def search(expression: str, data: Any) -> Any:
    """The part of ``data`` that a JMESPath expression names. Raises `RigError` ``usage``."""
    from jmespath.exceptions import JMESPathError

    try:
        return _compile(expression).search(data)
    except JMESPathError as error:
        raise RigError("usage", f"--query: {str(error).splitlines()[0].rstrip('.')}.", HINT) from error


def _compile(expression: str) -> Any:
    import jmespath
    from jmespath.exceptions import EmptyExpressionError, LexerError, ParseError

    try:
        return jmespath.compile(expression)
    except (ParseError, LexerError) as error:
        place = error.lexer_position if isinstance(error, LexerError) else error.lex_position
        found = f"from character {place + 1} on" if place < len(expression) else "to its end"
        raise RigError("usage", f"--query: `{expression}` cannot be read {found}.", HINT) from error
    except EmptyExpressionError as error:
        raise RigError("usage", "--query: The expression is empty.", HINT) from error


def _functions_in(node: dict[str, Any]) -> Iterator[str]:
    """The names of the functions that a parsed expression calls."""
    if node["type"] == "function_expression":
        yield node["value"]
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _functions_in(child)
