"""Where each uplink stands: how it gets on as numbers are given, and how it is found again at a start."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge_agent.contract.topics import RecordClass
from edge_agent.journal.gaps import DAMAGED, NUMBERS_LOST, Gap
from edge_agent.journal.lanes import Lane, lane_of
from edge_agent.journal.numbers import Numbers
from edge_agent.journal.rescue import Saved
from edge_agent.journal.runs import Record, Run


@dataclass(slots=True)
class Cursor:
    """`last_seq` is the newest number given out; everything up to `acked_seq` is acknowledged."""

    last_seq: int
    acked_seq: int
    reserved_seq: int
    """No number above this one has been given out, whatever a power cut took."""


NewestOf = dict[tuple[str, RecordClass], int]
"""By uplink and class of what may overtake readings, its newest number, if something of it is kept."""


def give_numbers(
    records: Iterable[Record],
    cursors: Mapping[str, Cursor],
    takers: Mapping[RecordClass, Sequence[str]],
    newest_of: NewestOf,
    now_ms: int,
) -> list[Run]:
    """The records as runs, in their order; `takers` are the uplinks that carry a class."""
    runs: list[Run] = []
    for record in records:
        names = [record.only] if record.only else takers[record.record_class]
        names = [name for name in names if name in cursors]
        if not names:
            continue
        if not runs or (runs[-1].record_class, runs[-1].only) != (record.record_class, record.only):
            numbers = {name: cursors[name].last_seq + 1 for name in names}
            after = _before(record, names, newest_of)
            runs.append(Run(record.record_class, record.only, now_ms, now_ms, numbers, [], [], [], after))
        runs[-1].add(record)
        for name in names:
            cursors[name].last_seq += 1
        note_order(newest_of, runs[-1])
    return runs


def _before(record: Record, names: Iterable[str], newest_of: NewestOf) -> dict[str, int]:
    """The numbers of what is of its class before it; empty if it may not overtake readings."""
    if lane_of(record) is not Lane.URGENT:
        return {}
    return {name: newest_of.get((name, record.record_class), 0) for name in names}


def note_order(newest_of: NewestOf, run: Run) -> None:
    """The next record of its class comes after this run."""
    for name in run.after:
        newest_of[name, run.record_class] = run.last(name)


def cursors_of(saved: Saved) -> dict[str, Cursor]:
    """What could be read of a damaged file."""
    cursors = {name: Cursor(*numbers) for name, numbers in saved.uplinks.items()}
    for name, ranges in saved.ranges.items():
        cursor = cursors.setdefault(name, Cursor(0, 0, 0))
        cursor.last_seq = max(cursor.last_seq, *(last for _, last in ranges))
        cursor.reserved_seq = max(cursor.reserved_seq, cursor.last_seq)
    return cursors


def take_reserved(cursors: dict[str, Cursor], given: Numbers) -> set[str]:
    """The uplinks of which numbers were reserved that the file does not know of: it is another one."""
    unsure = set()
    for name, reserved in given.uplinks.items():
        arrived = reserved.acknowledged
        cursor = cursors.setdefault(name, Cursor(arrived, arrived, arrived))
        if reserved.last > cursor.reserved_seq:
            cursor.reserved_seq = reserved.last
            unsure.add(name)
    return unsure


def take_tail(cursors: dict[str, Cursor], runs: Iterable[Run]) -> list[Run]:
    """What was written after the file. What the file has already is passed over."""
    taken = []
    for run in runs:
        known = [name for name in run.numbers if name in cursors]
        if all(run.numbers[name] > cursors[name].last_seq for name in known):
            taken.append(run)
            for name in known:
                cursors[name].last_seq = run.last(name)
    return taken


def skip_reserved(cursors: dict[str, Cursor], uplinks: Iterable[str]) -> dict[str, Gap]:
    """Numbers that may have been given after what is left; they are never given again."""
    lost = {}
    for name in uplinks:
        cursor = cursors[name]
        first, last = cursor.last_seq + 1, cursor.reserved_seq
        if last >= first:
            cursor.last_seq = last
            lost[name] = Gap(NUMBERS_LOST, first, last, last - first + 1)
    return lost


def gap_of_damage(cursor: Cursor, kept: Sequence[tuple[int, int]]) -> Gap:
    """What an uplink has not acknowledged and does not come; `kept` are first and last numbers of runs."""
    first, last = cursor.acked_seq + 1, cursor.last_seq
    there = sum(max(0, high - max(low, first) + 1) for low, high in kept)
    return Gap(DAMAGED, first, last, last - first + 1 - there)
