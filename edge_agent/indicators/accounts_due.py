"""Which accounts of machine time have to be made: periods that are over, and what was amended since."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from edge_agent.indicators.periods import HOUR_MS, Period, PeriodKind, period_at, periods
from edge_agent.states.history import History
from edge_agent.states.reading import Amendment

MADE_UP_MS: Mapping[PeriodKind, int] = {PeriodKind.HOUR: 48 * HOUR_MS, PeriodKind.DAY: 62 * 24 * HOUR_MS}
"""The kinds of period that are accounted for, and how far back that is made up for after an outage."""

AMENDMENTS_READER = "accounts"


@dataclass(frozen=True, slots=True)
class AccountsDue:
    """What the history says is done, from whose thread all methods are called. They raise sqlite3.Error."""

    history: History
    zone: ZoneInfo

    def due(self, kind: PeriodKind, now_ms: int) -> list[Period]:
        """The periods that are over and not accounted for yet, in order."""
        done_ms = self.history.accounted(kind)
        if done_ms is None or done_ms > now_ms:
            # The first start, or a clock that was set back since: begin with the period that it is now.
            self.history.set_accounted(kind, period_at(kind, now_ms, self.zone).from_ms)
            return []
        return list(periods(kind, max(done_ms, now_ms - MADE_UP_MS[kind]), now_ms, self.zone))

    def done(self, period: Period) -> None:
        """The period is accounted for, and with it those before."""
        self.history.set_accounted(period.kind, period.to_ms)

    def amended(self) -> tuple[list[tuple[str, Period]], int]:
        """The accounts, by equipment and period, that were made and hold no more, as unknown time was filled
        since; and what `made_again` is to be called with when they have been made again, 0 if nothing is."""
        pending = self.history.amendments(AMENDMENTS_READER)
        accounts = {
            (one.equipment, period): None
            for one in pending
            for kind in MADE_UP_MS
            for period in self._periods_of(one, kind)
        }
        return list(accounts), pending[-1].number if pending else 0

    def _periods_of(self, amendment: Amendment, kind: PeriodKind) -> Iterator[Period]:
        done_ms = self.history.accounted(kind) or 0
        for period in periods(kind, amendment.from_ms, done_ms, self.zone):
            if period.from_ms >= amendment.to_ms:
                return
            yield period

    def made_again(self, number: int) -> None:
        self.history.set_amendments_taken(AMENDMENTS_READER, number)
