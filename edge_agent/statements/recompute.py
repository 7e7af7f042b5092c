"""Statements of record anew, out of what is kept: after a register or a definition was corrected."""

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from edge_agent.indicators.periods import periods
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.model.equipment import Register
from edge_agent.statements.record import MADE_UP_MS, SCHEMA, Draft, RecordMaker, keep
from edge_agent.statements.store import Kept, StatementArchive, StatementStore, digest_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes of one definition and period now, and what was stated of it before."""

    draft: Draft
    before: Kept | None
    after: Kept | None
    """The statement that was added; None if it says the same, or nothing was to be changed."""

    @property
    def same(self) -> bool:
        return self.before is not None and self.before.said == digest_of(self.draft.content)


@dataclass(frozen=True, slots=True)
class Correction:
    """The register that was right from `from_ms` up to `to_ms`."""

    register: Register
    from_ms: int
    to_ms: int


def work_out(
    archive: StatementArchive,
    maker: RecordMaker,
    registers: RegisterVersions,
    span: tuple[int, int],
    zone: ZoneInfo,
    correction: Correction | None = None,
) -> Iterator[Outcome]:
    """Every statement of the days and months that end within `span`: after its begin, not after its end.

    Those that come out different are added if `archive` is a store. May raise sqlite3.Error.
    """

    def register_at(time_ms: int) -> Register | None:
        if correction is not None and correction.from_ms <= time_ms < correction.to_ms:
            return correction.register
        return registers.at(time_ms)

    begin_ms, end_ms = span
    end_ms = min(end_ms, maker.settled_ms() or 0)
    for kind in MADE_UP_MS:
        for period in periods(kind, begin_ms, end_ms, zone):
            for draft in maker.drafts(period, register_at):
                before = archive.newest(SCHEMA, draft.definition, kind.value, period.from_ms, period.to_ms)
                after = keep(archive, draft) if isinstance(archive, StatementStore) else None
                yield Outcome(draft, before, after)
