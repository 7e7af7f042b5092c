"""What is wrong with a configuration, in words for the one who wrote it."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One mistake. `line` and `column` count from 1; 0 where the mistake has no place in the file.

    `field` is the path of the value, such as `connections[0].port`, or the cell of a register.
    """

    file: str
    line: int
    column: int
    field: str
    found: str
    expected: str = ""
    hint: str = ""

    def __str__(self) -> str:
        place = self.file
        if self.line:
            place += f":{self.line}:{self.column}"
        return f"{place}: {self.field}: {self.said}" if self.field else f"{place}: {self.said}"

    @property
    def said(self) -> str:
        """What is wrong, without the place."""
        text = self.found
        if self.hint:
            text += f"; {self.hint}"
        if self.expected:
            text += f" (expected: {self.expected})"
        return text


class ConfigError(Exception):
    """The configuration cannot be used. `problems` are all mistakes, sorted by file and line."""

    def __init__(self, problems: Iterable[ConfigProblem]) -> None:
        self.problems = tuple(
            sorted(dict.fromkeys(problems), key=lambda p: (p.file, p.line, p.column, p.field, p.found))
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "port"?`, or nothing if no known word is near; capitals do not count."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    near = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f'did you mean "{by_folded[near[0]]}"?' if near else ""
