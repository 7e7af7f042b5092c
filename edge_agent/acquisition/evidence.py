"""What machines have proved, by the hour: a month of it in 24 bytes an hour."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from edge_agent.model.minutes import HOUR_MS, Minutes


@dataclass(frozen=True, slots=True)
class EvidenceHour:
    """What one equipment proved in one clock hour (UTC).

    `last_good_ms` is its newest good reading. `minutes`: bit n is set if it was delivering through the whole
    of minute n, see `LinkTracker.proved_minutes`.
    """

    equipment: str
    hour_ms: int
    good_readings: int
    last_good_ms: int
    minutes: int = 0


class Evidence:
    """What one equipment proved: its hours in their order, each once.

    They are kept in columns. Objects were ten times as large: 18 MB of 100 machines after a month.
    """

    __slots__ = ("_changed", "_good_readings", "_hours", "_last_good_ms", "_minutes")

    def __init__(self) -> None:
        self._hours = array("i")
        """Since 1970."""
        self._good_readings = array("I")
        self._last_good_ms = array("q")
        self._minutes = array("Q")
        self._changed: set[int] = set()

    @classmethod
    def of(cls, hours: Iterable[EvidenceHour]) -> dict[str, "Evidence"]:
        """By equipment, hours that are on record: each once, in any order."""
        found: dict[str, Evidence] = {}
        for one in hours:
            evidence = found.setdefault(one.equipment, cls())
            place = evidence._place(one.hour_ms // HOUR_MS, one.last_good_ms)
            evidence._good_readings[place] = one.good_readings
            evidence._minutes[place] = one.minutes
        for evidence in found.values():
            evidence._changed.clear()
        return found

    def __len__(self) -> int:
        return len(self._hours)

    def add(self, good_readings: int, time_ms: int) -> None:
        """So many good readings, or a sign of life, came at `time_ms`."""
        place = self._place(time_ms // HOUR_MS, time_ms)
        self._good_readings[place] += good_readings
        self._last_good_ms[place] = time_ms

    def prove(self, hour_ms: int, minutes: int, last_good_ms: int) -> None:
        """It was delivering through these minutes of an hour; `last_good_ms` is the newest good reading up to
        then, which may have come before the hour."""
        self._minutes[self._place(hour_ms // HOUR_MS, last_good_ms)] |= minutes

    def _place(self, hour: int, last_good_ms: int) -> int:
        """Where the hour is, which is about to change. A new one has the newest good reading before it."""
        self._changed.add(hour)
        end = len(self._hours)
        if end and self._hours[-1] == hour:  # nearly always
            return end - 1
        place = bisect_left(self._hours, hour)
        if place == end or self._hours[place] != hour:
            self._hours.insert(place, hour)
            self._good_readings.insert(place, 0)
            self._last_good_ms.insert(place, last_good_ms)
            self._minutes.insert(place, 0)
        return place

    def take_changed(self, equipment: str, since_ms: int) -> list[EvidenceHour]:
        """The hours that changed since the last call. After that those that were over at `since_ms` are
        forgotten."""
        places = [bisect_left(self._hours, hour) for hour in self._changed]
        self._changed.clear()
        changed = [
            EvidenceHour(
                equipment,
                self._hours[place] * HOUR_MS,
                self._good_readings[place],
                self._last_good_ms[place],
                self._minutes[place],
            )
            for place in places
        ]
        over = bisect_left(self._hours, since_ms // HOUR_MS)
        for column in (self._hours, self._good_readings, self._last_good_ms, self._minutes):
            del column[:over]
        return changed

    def good_readings(self, from_ms: int) -> int:
        """Of the hours whose newest good reading came at `from_ms` or later."""
        each = zip(self._good_readings, self._last_good_ms, strict=True)
        return sum(good for good, last_ms in each if last_ms >= from_ms)

    def proved_minutes(self, planned: Minutes) -> int:
        """How many of the planned minutes are proved."""
        each = zip(self._hours, self._minutes, strict=True)
        return sum((bits & planned.get(hour * HOUR_MS, 0)).bit_count() for hour, bits in each)

    def last_good_ms(self) -> int | None:
        """The newest good reading; None if there is none."""
        return max(self._last_good_ms, default=None)
