"""What a database does not take: which lines of a write, found out and set aside, so that the others go in.

A point that is written twice is one point, so a piece of a refused write may be written again, and again.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass


class RefusedError(Exception):
    """The database will not take anything until somebody does what the message says."""


class LinesRefusedError(Exception):
    """The database does not take something of these lines; it may have stored the others.

    `reason` in its own words. `named` are the places of the lines that it names, as far as they can be told.
    """

    def __init__(self, reason: str, named: frozenset[int] = frozenset()) -> None:
        super().__init__(reason)
        self.named = named


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that the database does not take, and why."""

    line: str
    reason: str


_REMEDIES = (
    (
        re.compile(r"type conflict|already exists as type|invalid column type"),
        "Somebody else writes another type there: write to a bucket of its own, or drop that measurement",
    ),
    (
        re.compile(r"(beyond|outside).*retention", re.IGNORECASE),
        "They are older than the database keeps: lengthen its retention, if they are wanted",
    ),
    (
        re.compile(r"unable to parse|invalid line protocol|partial write of line protocol"),
        "Something on the way has changed them, or the agent is at fault: report it with that file",
    ),
)


def remedy(reason: str) -> str:
    """What to do about lines that are refused for `reason`, which is in the words of 1.x, 2.x or 3.x."""
    for pattern, what in _REMEDIES:
        if pattern.search(reason):
            return what
    return "See the log of the database"


def write_what_is_taken(
    write: Callable[[Sequence[str]], None], lines: Sequence[str], known_good: str
) -> list[Refused]:
    """Write `lines`; returns those that the database does not take. All others are in it then.

    `write` raises LinesRefusedError, and whatever else ends all of this. `known_good` is a line that any
    database takes: if this one does not, the lines are not what is wrong, and RefusedError is raised.
    """
    refused: list[Refused] = []
    pieces = [lines]
    checked = False
    while pieces:
        piece = pieces.pop()
        try:
            write(piece)
        except LinesRefusedError as error:
            if not checked:
                _check(write, known_good)
                checked = True
            reason = str(error)
            if error.named:
                refused += (Refused(piece[i], reason) for i in sorted(error.named))
                rest = [one for i, one in enumerate(piece) if i not in error.named]
                pieces += [rest] if rest else []
            elif len(piece) == 1:
                refused.append(Refused(piece[0], reason))
            else:
                half = len(piece) // 2
                pieces += [piece[half:], piece[:half]]
    return refused


def _check(write: Callable[[Sequence[str]], None], known_good: str) -> None:
    try:
        write([known_good])
    except LinesRefusedError as error:
        raise RefusedError(
            f"the database takes nothing at all ({error}); check url, names and version"
        ) from error


_UNPARSABLE = re.compile(r"unable to parse '(.*?)': ", re.DOTALL)
_CONFLICT = re.compile(
    r'input field \\?"([^"\\]+)\\?" on measurement \\?"([^"\\]+)\\?" is type \w+, already exists as type'
)
_TOO_OLD = re.compile(r"points beyond retention policy")
_DROPPED = re.compile(r"dropped=(\d+)")


def named_lines(body: bytes | str | None, said: str, lines: Sequence[str]) -> frozenset[int]:
    """Places in `lines` of those that an answer names, in `said` or as 3.x does; empty if none for sure."""
    listed = _listed(body, len(lines))
    if listed:
        return listed
    unparsable = set(_UNPARSABLE.findall(said))
    if unparsable:
        return frozenset(i for i, one in enumerate(lines) if one in unparsable)
    dropped = _DROPPED.search(said)
    count = int(dropped[1]) if dropped is not None else 0
    if _TOO_OLD.search(said):
        oldest = sorted(range(len(lines)), key=lambda i: int(lines[i].rpartition(" ")[2]))
        return frozenset(oldest[:count])
    conflict = _CONFLICT.search(said)
    if conflict is not None:
        field, measurement = re.escape(conflict[1]), re.escape(conflict[2])
        pattern = re.compile(rf"{measurement}[, ](?:.*[ ,])?{field}=")
        found = frozenset(i for i, one in enumerate(lines) if pattern.match(one))
        return found if len(found) == count else frozenset()
    return frozenset()


def _listed(body: bytes | str | None, count: int) -> frozenset[int]:
    """InfluxDB 3.x lists the lines, counted from 1."""
    try:
        answer = json.loads(body or b"")
    except ValueError:
        return frozenset()
    data = answer.get("data") if isinstance(answer, dict) else None
    numbers = (
        [one.get("line_number") for one in data if isinstance(one, dict)] if isinstance(data, list) else []
    )
    return frozenset(number - 1 for number in numbers if isinstance(number, int) and 0 < number <= count)
