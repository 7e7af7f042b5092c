"""CEL expressions, compiled once: the language of state rules and of definitions' filters."""

import re
import sys
from types import ModuleType
from typing import Any

# The package imports its interactive shell with itself, which would cost every gateway 27 MB and half a
# second for prompt_toolkit, pygments and typer. Nothing else of it needs that module.
sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
import cel  # noqa: E402 - after the line above

_BOUND = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*([A-Za-z_][A-Za-z0-9_]*)\s*,")
"""Names that a macro binds itself: the `x` of `list.exists(x, x > 1)`."""


class CannotEvaluateError(Exception):
    """The expression has no answer for these values: a name is missing or a type does not fit."""


class Expression:
    """A compiled expression. Raises ValueError for text that is no CEL."""

    def __init__(self, text: str) -> None:
        self._program = cel.compile(text)
        self.names = frozenset(self._program.variables()).difference(_BOUND.findall(text))
        """The names that the expression reads."""
        self.functions = frozenset(self._program.functions())
        """The functions and operators that it calls."""

    def holds(self, values: dict[str, Any]) -> bool:
        """Whether the expression is true; any other answer than `true` is no.

        Leave out a name that has no usable value: None would be compared, and `None == 1` is false.
        Raises CannotEvaluateError.
        """
        try:
            return self._program.execute(values) is True
        except (TypeError, RuntimeError, ValueError) as error:
            raise CannotEvaluateError(str(error)) from error
