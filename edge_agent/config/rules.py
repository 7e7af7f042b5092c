"""State rules: whether an expression is CEL, and which tags it needs."""

import re

import cel

_SYNTAX_ERROR = re.compile(r"ERROR: <input>:\d+:(\d+): (?:Syntax error: )?(.*)")
_BOUND = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*([A-Za-z_][A-Za-z0-9_]*)\s*,")
_TEXT_FUNCTIONS = {"contains", "endsWith", "matches", "size", "startsWith"}
_CONVERSIONS = {"double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"}
_FUNCTIONS = _TEXT_FUNCTIONS | _CONVERSIONS
"""The functions that exist and have a meaning for values of tags."""


class NotCel(Exception):
    """The expression cannot be used; the message says where and why."""


def names_in(expression: str) -> list[str]:
    """The tags that an expression needs, sorted. Raises NotCel."""
    try:
        program = cel.compile(expression)
    except ValueError as error:
        raise NotCel(_first_error(str(error))) from None
    for function in program.functions():
        if function.isidentifier() and function not in _FUNCTIONS:
            raise NotCel(f"there is no function {function}")
    bound = set(_BOUND.findall(expression))
    return [name for name in program.variables() if name not in bound]


def _first_error(message: str) -> str:
    found = _SYNTAX_ERROR.search(message)
    if found is None:
        return "cannot be parsed"
    what = found[2].partition(" expecting ")[0].replace("'<EOF>'", "end of the expression")
    return f"at character {found[1]}: {what}"
