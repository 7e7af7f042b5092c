"""State rules: whether an expression is CEL, and which tags it needs."""

import re

from edge_agent.model.expression import Expression

_SYNTAX_ERROR = re.compile(r"ERROR: <input>:\d+:(\d+): (?:Syntax error: )?(.*)")
_TEXT_FUNCTIONS = {"contains", "endsWith", "matches", "size", "startsWith"}
_CONVERSIONS = {"double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"}
_FUNCTIONS = _TEXT_FUNCTIONS | _CONVERSIONS
"""The functions that exist and have a meaning for values of tags."""


class NotCel(Exception):
    """The expression cannot be used; the message says where and why."""


def names_in(expression: str) -> list[str]:
    """The tags that an expression needs, sorted. Raises NotCel."""
    try:
        compiled = Expression(expression)
    except ValueError as error:
        raise NotCel(_first_error(str(error))) from None
    for function in sorted(compiled.functions):
        if function.isidentifier() and function not in _FUNCTIONS:
            raise NotCel(f"there is no function {function}")
    return sorted(compiled.names)


def _first_error(message: str) -> str:
    found = _SYNTAX_ERROR.search(message)
    if found is None:
        return "cannot be parsed"
    what = found[2].partition(" expecting ")[0].replace("'<EOF>'", "end of the expression")
    return f"at character {found[1]}: {what}"
