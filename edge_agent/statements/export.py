"""The evidence file: statements with all that somebody else needs to check them, in one signed file."""

from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from edge_agent import __version__
from edge_agent.contract.canonical import canonical, canonical_list, canonical_object
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.model.equipment import Register
from edge_agent.statements.keys import SigningKey
from edge_agent.statements.record import SCHEMA
from edge_agent.statements.store import Kept, StatementArchive

FILE_SCHEMA = "fta.evidence/1"


def evidence_file(path: Path, key: SigningKey, numbers: Collection[int], now_ms: int) -> bytes:
    """The statements `numbers` of the history file `path`, as canonical JSON.

    With them goes the chain from the first of them, or of those that they supersede, to its end, so that
    nothing between them is missing and nothing after them supersedes them without being seen: statements of
    record without their evidence, of other statements the digest alone.
    """
    with closing(StatementArchive(path)) as archive:
        first = min(_with_superseded(archive, numbers))
        chain = list(archive.numbers(first, archive.last_number()))
        links = canonical_list(_link(one, whole=one.number in numbers) for one in chain)
    versions = {
        one.content["register_version"] for one in chain if one.number in numbers and one.schema == SCHEMA
    }
    with closing(RegisterVersions(path, read_only=True)) as kept:
        registers = [register for version in sorted(versions) if (register := kept.of(version)) is not None]
    members = {
        "schema": canonical(FILE_SCHEMA),
        "time": canonical(now_ms),
        "agent": canonical(__version__),
        "key": canonical(key.public),
        "statements": links,
        "registers": canonical_list(map(_register, registers)),
    }
    return canonical_object({**members, "signature": canonical(key.sign(canonical_object(members)))})


def _with_superseded(archive: StatementArchive, numbers: Collection[int]) -> set[int]:
    """The statements, those that they supersede, and so on."""
    found: set[int] = set()
    left = list(numbers)
    while left:
        kept = archive.of_number(left.pop())
        if kept is not None and kept.number not in found:
            found.add(kept.number)
            superseded = kept.content["supersedes"]
            left += [] if superseded is None else [superseded["number"]]
    return found


def _link(one: Kept, *, whole: bool) -> bytes:
    if whole:
        return one.message
    if one.schema == SCHEMA:
        return one.bare
    return canonical({"number": one.number, "digest": one.digest})


def _register(register: Register) -> bytes:
    return canonical(
        {
            "version": register.version,
            "digest": register.digest,
            "headcount": register.headcount,
            "equipment": register.lines,
            "processes": register.process_lines,
        }
    )
