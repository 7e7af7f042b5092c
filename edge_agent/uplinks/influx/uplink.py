"""InfluxDB uplink: from the journal's cursor into a database, in bulk, until the database has it."""

import asyncio
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edge_agent.config.models import InfluxdbUplinkOptions
from edge_agent.journal.journal import Journal
from edge_agent.journal.store import Entry
from edge_agent.model.clock import CLOCK
from edge_agent.uplinks.influx.database import Database, UnreachableError
from edge_agent.uplinks.influx.health import Health
from edge_agent.uplinks.influx.lines import FieldValue, one_line
from edge_agent.uplinks.influx.points import Points, Where
from edge_agent.uplinks.influx.refusals import Refused, RefusedError, remedy, write_what_is_taken
from edge_agent.uplinks.uplink import Uplink, UplinkState

log = logging.getLogger(__name__)

HEALTH_EVERY_S = 10.0
RECORDS = 200
"""So many records are read from the journal at once."""
BODY_LIMIT = 4_000_000
"""Characters that are written at once, at most; a database takes 10 MB, or 25."""
SET_ASIDE_LIMIT = 4_000_000
"""Bytes of lines that the database does not take which are kept in a file."""
SHOWN = 200
"""Characters of such a line that are told."""


class InfluxUplink(Uplink):
    """The cursor moves only when the database has said that it has everything up to there."""

    def __init__(
        self,
        options: InfluxdbUplinkOptions,
        where: Where,
        data_dir: Path,
        journal: Journal,
        health: Callable[[], Health],
        told: Callable[[str, str, str], None],
    ) -> None:
        """`health` is asked how the gateway does each time that this is written. `told` as for Uplink;
        also when lines are refused.
        """
        super().__init__(options.id, journal, told)
        self.options = options
        self.points_written = 0
        """Points that the database has for certain, each counted once."""
        self.points_refused = 0
        self._points = Points(where)
        self._set_aside = data_dir / f"{options.id}.refused.lp"
        self._health = health
        self._told_refused: set[tuple[str, str]] = set()
        self._health_at = 0.0
        self._own: Sequence[str] = ()
        """How the gateway did when that was due last; the first is a line that any database takes."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"influxdb {options.id}")
        self._database: Database | None = None

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            while True:
                await self._deliver(await self._gather())
        finally:
            # A write that is on its way ends by itself, within the time limit.
            self._thread.submit(self._close)
            self._thread.shutdown(wait=False)

    async def _gather(self) -> "_Gathered":
        """What comes after the cursor: as much as is written at once, or has come within the time for it."""
        loop = asyncio.get_running_loop()
        gathered = _Gathered(self._journal.acknowledged(self.id))
        until = loop.time() + HEALTH_EVERY_S
        while len(gathered.lines) < self.options.lines:
            try:
                async with asyncio.timeout_at(until):
                    entries = await self._journal.read(self.id, gathered.seq, RECORDS)
            except TimeoutError:
                break
            gathered.lines += await loop.run_in_executor(self._thread, self._lines, entries)
            if not gathered.records:
                until = loop.time() + self.options.gather
            gathered.seq = entries[-1].seq
            gathered.records += len(entries)
            gathered.readings += sum(entry.record.readings for entry in entries)
        return gathered

    async def _deliver(self, gathered: "_Gathered") -> None:
        """Write it, however long that takes, and move the cursor."""
        self.statistics.published += gathered.records
        self.statistics.readings_published += gathered.readings
        refused = await self._until_written(gathered.lines)
        self._journal.acknowledge(self.id, gathered.seq)
        self.statistics.acknowledged += gathered.records
        self.statistics.readings_acknowledged += gathered.readings
        self.points_written += len(gathered.lines) - len(refused)
        self.points_refused += len(refused)
        if refused:
            self._tell_refused(refused)

    async def _until_written(self, lines: Sequence[str]) -> Sequence[Refused]:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() >= self._health_at
            pause: float | None = None
            if due:
                self._own = self._own_lines()
            try:
                refused = await loop.run_in_executor(self._thread, self._write, lines, due)
            except UnreachableError as error:
                pause = error.retry_after_s
                self._down(UplinkState.CONNECTING, "uplink_down", str(error))
            except RefusedError as error:
                self._down(UplinkState.REFUSED, "uplink_refused", str(error))
            except OSError as error:
                self._down(UplinkState.CONNECTING, "uplink_down", f"a file cannot be used: {error}")
            else:
                self._up()
                if due:
                    self._health_at = loop.time() + HEALTH_EVERY_S
                return refused
            await asyncio.sleep(self._pause() if pause is None else pause)

    def _own_lines(self) -> list[str]:
        """How the gateway does now: itself, which any database takes, then its connections and uplinks."""
        health, journal, now = self._health(), self._journal, CLOCK.now_ms()
        status = health.status
        fields: dict[str, FieldValue] = {
            "program": status.version,
            "configuration": status.configuration,
            "clock_offset_ms": status.clock_offset_ms,
            "records": journal.recorded,
            "readings": journal.readings_recorded,
            "dropped": journal.dropped,
            "waiting": journal.depth(self.id),
            "points_written": self.points_written,
            "points_refused": self.points_refused,
        }
        return [
            self._points.health(self.id, fields, now),
            *self._points.connections(health.connections, now),
            *self._points.uplinks(health.uplinks, now),
        ]

    # In the thread.

    def _lines(self, entries: Sequence[Entry]) -> list[str]:
        lines: list[str] = []
        for entry in entries:
            try:
                lines += self._points.of(entry.record)
            except msgspec.DecodeError as error:
                log.error("uplink %s: record %d is no message (%s); left out", self.id, entry.seq, error)
        return lines

    def _write(self, lines: Sequence[str], due: bool) -> Sequence[Refused]:
        """Write all of `lines`, in pieces, and if it is due how the gateway does; returns which lines the
        database does not take. Raises UnreachableError, RefusedError, OSError.
        """
        refused: list[Refused] = []
        try:
            if self._database is None:
                self._database = Database(self.options)
            for piece in _pieces(lines, self.options.lines):
                refused += write_what_is_taken(self._database.write, piece, self._own[0])
            if due:
                # What is refused of these is made again soon, and counts for nothing.
                write_what_is_taken(self._database.write, self._own, self._own[0])
        except UnreachableError:
            self._close()  # a new connection looks at the files of certificates again
            raise
        if refused:
            self._keep(refused)
        return refused

    def _keep(self, refused: Sequence[Refused]) -> None:
        """Set lines aside in a file, from which they can be written when the reason is gone."""
        text = "".join(f"# {one_line(one.reason)}\n{one.line}\n" for one in refused).encode()
        try:
            with self._set_aside.open("ab") as file:
                if file.tell() + len(text) <= SET_ASIDE_LIMIT:
                    file.write(text)
                else:
                    log.error("uplink %s: %s is full; refused points are lost", self.id, self._set_aside)
        except OSError as error:
            log.error("uplink %s: refused points cannot be set aside (%s)", self.id, error)

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    # What is told.

    def _up(self) -> None:
        if self.state is not UplinkState.CONNECTED:
            self.statistics.connects += 1
        super()._up()
        if self.last_error:
            self._over("the database takes points again")

    def _tell_refused(self, refused: Sequence[Refused]) -> None:
        """Told once for each reason, as a database that refuses one point refuses the next."""
        first = refused[0]
        place = first.line.partition(" ")[0]
        reason = re.sub(r"'.*'|\d+", "", first.reason)
        if (place, reason) in self._told_refused:
            return
        self._told_refused.add((place, reason))
        text = (
            f"the database does not take {len(refused)} points; the others are in it, these are set aside in "
            f"{self._set_aside.name}. {remedy(first.reason)}. The first: {first.line[:SHOWN]}: {first.reason}"
        )
        log.warning("uplink %s: %s", self.id, text)
        self._told("uplink_points_refused", text, self.id)


@dataclass(slots=True)
class _Gathered:
    """Lines of the records up to the number `seq`."""

    seq: int
    lines: list[str] = field(default_factory=list)
    records: int = 0
    readings: int = 0


def _pieces(lines: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    """`lines` in pieces of at most `most`, and of about BODY_LIMIT characters."""
    start = size = 0
    for index, one in enumerate(lines):
        if index > start and (index - start >= most or size + len(one) > BODY_LIMIT):
            yield lines[start:index]
            start, size = index, 0
        size += len(one) + 1
    if start < len(lines):
        yield lines[start:]
