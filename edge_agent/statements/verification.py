"""Checks what is kept of statements, as anybody can who gets the evidence file.

`python -m edge_agent.statements.verification FOLDER FROM_MS TO_MS` does it in a process of its own, so that a
running agent is not held up, and prints the result as JSON.
"""

import os
import sqlite3
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edge_agent import verifier
from edge_agent.model.clock import CLOCK
from edge_agent.statements.export import evidence_file
from edge_agent.statements.keys import KEY_FILE, KeyFileError, signing_key
from edge_agent.statements.record import SCHEMA
from edge_agent.statements.store import StatementArchive

AT_MOST = 1000
"""Statements that are checked together; of more, the newest."""
LONGEST_CHAIN = 5000
"""Statements from the first that is checked to the newest: with some kB each, what a gateway can hold."""
TEXTS_AT_MOST = 5
"""Texts of what is wrong that are told of one statement."""
NICE = 10
"""The process yields to whatever else the gateway has to do."""

KINDS: Mapping[str, str] = {
    verifier.CANONICAL: "canonical",
    verifier.SIGNATURE: "signature",
    verifier.CHAIN: "chain",
    verifier.SUPERSESSION: "supersession",
    verifier.REGISTER: "register",
    verifier.DEFINITION: "definition",
    verifier.ROOT: "root",
    verifier.COUNT: "count",
    verifier.JUDGEMENT: "judgement",
}
"""What is checked, in fixed words."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One statement. `wrong`: kinds of checks that it fails, empty if all is right; `texts` in full."""

    number: int
    wrong: Sequence[str] = ()
    texts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Verification:
    """`checks`: how many checks of each kind were made; `texts`: what is wrong with the file as a whole;
    `left`: what could not be checked, and why."""

    statements: Sequence[Checked]
    checks: Mapping[str, int] = field(default_factory=dict)
    texts: Sequence[str] = ()
    left: Sequence[str] = ()


class ChainTooLongError(Exception):
    """The message says what to do, for people."""


def anything_stated(folder: Path, from_ms: int, to_ms: int) -> bool:
    """Whether there are statements of record of these periods. Raises sqlite3.Error."""
    with closing(StatementArchive(folder / "history.db")) as archive:
        return any(True for _ in archive.within(SCHEMA, from_ms, to_ms))


def verify_kept(folder: Path, from_ms: int, to_ms: int) -> Verification:
    """Check the statements of record of periods within [from_ms, to_ms), with the chain that follows them.

    Raises sqlite3.Error, OSError, KeyFileError, ChainTooLongError.
    """
    path = folder / "history.db"
    with closing(StatementArchive(path)) as archive:
        numbers = [one.number for one in archive.within(SCHEMA, from_ms, to_ms)][-AT_MOST:]
        keys = archive.keys()
        chain = archive.last_number() - min(numbers, default=0)
    if numbers and chain > LONGEST_CHAIN:
        raise ChainTooLongError(
            f"{chain} statements follow, too many for a gateway: export the month with"
            " `edge-agent statements export`, and verify it on another computer"
        )
    if not numbers or not (folder / KEY_FILE).exists():
        return Verification(())
    key = signing_key(folder)
    report = verifier.verify(evidence_file(path, key, numbers, CLOCK.now_ms()), [key.public, *keys])
    return _result(numbers, report)


def _result(numbers: Sequence[int], report: verifier.Report) -> Verification:
    names = {verifier.name_of(number): number for number in numbers}
    of_number: dict[int, list[verifier.Wrong]] = {}
    whole: list[str] = []
    for one in report.wrong:
        number = names.get(one.where.partition(",")[0])
        if number is None:
            whole.append(str(one))
        else:
            of_number.setdefault(number, []).append(one)
    return Verification(
        statements=[_checked(number, of_number.get(number, ())) for number in numbers],
        checks={KINDS[what]: count for what, count in report.checked.items()},
        texts=whole[:TEXTS_AT_MOST],
        left=report.left[:TEXTS_AT_MOST],
    )


def _checked(number: int, wrong: Iterable[verifier.Wrong]) -> Checked:
    found = list(wrong)
    kinds = dict.fromkeys(KINDS[one.what] for one in found)
    return Checked(number, list(kinds), [one.text for one in found[:TEXTS_AT_MOST]])


def main() -> int:
    """Exit status: 0 checked, whatever came of it; 1 nothing can be read."""
    folder, from_ms, to_ms = sys.argv[1:]
    if sys.platform != "win32":
        os.nice(NICE)
    try:
        result = verify_kept(Path(folder), int(from_ms), int(to_ms))
    except (sqlite3.Error, OSError, KeyFileError, ChainTooLongError) as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
