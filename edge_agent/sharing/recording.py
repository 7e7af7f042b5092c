"""Sessions that a tag starts, recorded while the agent runs."""

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.config.sharing import SharedMachineOptions, SharingOptions
from edge_agent.keeping import HistoryKeeper
from edge_agent.model.batch import Batch, Value
from edge_agent.model.state import MachineState, UnknownCause
from edge_agent.sharing.holds import Hold, Nobody
from edge_agent.states.history_file import open_beside, open_read_only
from edge_agent.states.tracker import Interval
from edge_agent.transaction import all_or_nothing

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    equipment TEXT NOT NULL,
    start_ms  INTEGER NOT NULL,
    end_ms    INTEGER,
    tenant    TEXT NOT NULL,
    reason    TEXT NOT NULL,
    detail    TEXT NOT NULL,
    PRIMARY KEY (equipment, start_ms)
) WITHOUT ROWID;
"""

_OF = """
SELECT start_ms, coalesce(end_ms, :to_ms), tenant, reason, detail FROM sessions
WHERE equipment = :equipment AND start_ms < :to_ms AND start_ms >= coalesce(
    (SELECT max(start_ms) FROM sessions WHERE equipment = :equipment AND start_ms <= :from_ms), :from_ms)
ORDER BY start_ms
"""

_HEARD = (UnknownCause.BAD_QUALITY, UnknownCause.UNDECIDED)
"""Causes for which a state is unknown although the machine is heard."""
_SILENT = (UnknownCause.STALE, UnknownCause.CLOCK_STEP)
"""Causes after which what was last read may hold again without being read again."""
_LONGEST_DETAIL = 64

Row = tuple[str, int, int | None, str, str, str]
"""equipment, start_ms, end_ms (None: still so), tenant, reason, detail"""


class SessionStore:
    """The sessions in one history file. All methods may raise sqlite3.Error."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """With `read_only` nothing is written, and the file may be that of a running agent."""
        # The agent calls from the history's thread, but always one call at a time.
        self._db = open_read_only(path) if read_only else open_beside(path)
        if not read_only:
            self._db.executescript(_SCHEMA)
        table = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'sessions'").fetchone()
        self._is_there = table is not None

    def close_open(self, alive_ms: int) -> None:
        """A former run has left these open; it was last known to be alive at `alive_ms`."""
        self._db.execute("DELETE FROM sessions WHERE end_ms IS NULL AND start_ms >= ?", (alive_ms,))
        self._db.execute("UPDATE sessions SET end_ms = ? WHERE end_ms IS NULL", (alive_ms,))

    def save(self, rows: Iterable[Row]) -> None:
        """Write or overwrite: either all of them are on disk afterwards, or none."""
        with all_or_nothing(self._db):
            self._db.executemany("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?)", rows)

    def of(self, equipment: str, from_ms: int, to_ms: int) -> list[Hold]:
        """Those that overlap [from_ms, to_ms), and perhaps one before, by start."""
        if not self._is_there:
            return []
        rows = self._db.execute(_OF, {"equipment": equipment, "from_ms": from_ms, "to_ms": to_ms})
        return [Hold(*row) for row in rows]

    def close(self) -> None:
        self._db.close()


@dataclass(slots=True)
class _Machine:
    tag: str
    tenants: dict[str, str]
    now: Hold
    """Without an end; `end_ms` is its start."""
    read: Hold | None = None
    """What the newest reading says, with no times; None if there is none that may still hold."""
    layout: Sequence[str] = ()
    """The tags of the newest batch; polled batches bring the same object each time."""
    index: int | None = None
    """Where in `layout` the tag stands."""


class TagSessions:
    """Whose each machine with a tenant's tag is now.

    Holds of one machine follow each other without gap or overlap. While a machine is not heard, it is
    nobody's, for the cause of its unknown state.
    """

    def __init__(self, machines: Iterable[SharedMachineOptions], since_ms: int) -> None:
        """Nobody knows whose they were since `since_ms`: the agent was not running."""
        down = Hold(since_ms, since_ms, reason=UnknownCause.GATEWAY_DOWN.value)
        self._machines = {
            one.equipment: _Machine(one.tag, one.tenants, down) for one in machines if one.tag is not None
        }
        self._rows = [_row(name, machine.now, None) for name, machine in self._machines.items()]

    def batch(self, batch: Batch) -> None:
        """Take a batch of any equipment; a sign of life brings back what was last read."""
        machine = self._machines.get(batch.equipment)
        if machine is None:
            return
        if batch.tags is not machine.layout:
            machine.layout = batch.tags
            # The last of several values of a tag is the current one.
            machine.index = max((i for i, tag in enumerate(batch.tags) if tag == machine.tag), default=None)
        if machine.index is not None:
            machine.read = _read(batch, machine.index, machine.tenants)
        if machine.read is not None:
            self._set(batch.equipment, machine.read, batch.received_ms)

    def state_changed(self, begun: Interval) -> None:
        """A machine state has begun: perhaps the machine is not heard any more, or heard again."""
        machine = self._machines.get(begun.equipment)
        if machine is None:
            return
        cause = begun.state.cause
        if begun.state.state is not MachineState.UNKNOWN or cause in _HEARD:
            if machine.read is not None:
                self._set(begun.equipment, machine.read, begun.start_ms)
            return
        if cause not in _SILENT:
            machine.read = None
        self._set(begun.equipment, Hold(0, 0, reason=cause), begun.start_ms)

    def _set(self, equipment: str, hold: Hold, time_ms: int) -> None:
        machine = self._machines[equipment]
        now = machine.now
        # A value that stands for nobody is told once, not each time that it is another one.
        if (hold.tenant, hold.reason) == (now.tenant, now.reason):
            return
        time_ms = max(time_ms, now.start_ms)
        if time_ms > now.start_ms:
            self._rows.append(_row(equipment, now, time_ms))
        machine.now = replace(hold, start_ms=time_ms, end_ms=time_ms)
        self._rows.append(_row(equipment, machine.now, None))

    def take_changed(self) -> list[Row]:
        """What has to be written since the last call, in this order."""
        rows, self._rows = self._rows, []
        return rows

    def not_kept(self, rows: Sequence[Row]) -> None:
        """`rows` could not be written; the next `take_changed` gives them again."""
        self._rows = [*rows, *self._rows]


def _row(equipment: str, hold: Hold, end_ms: int | None) -> Row:
    return equipment, hold.start_ms, end_ms, hold.tenant, hold.reason, hold.detail


def _read(batch: Batch, index: int, tenants: dict[str, str]) -> Hold:
    """What a reading of the tag says: whose the machine is, or why it is nobody's."""
    if not batch.usable(index):
        return Hold(0, 0, reason=Nobody.BAD_VALUE.value, detail=batch.flaws[index].reason[:_LONGEST_DETAIL])
    text = _text(batch.values[index])
    if text is None:
        return Hold(0, 0, reason=Nobody.BAD_VALUE.value)
    tenant = tenants.get(text, "")
    if not tenant:
        return Hold(0, 0, reason=Nobody.UNMAPPED_VALUE.value, detail=text[:_LONGEST_DETAIL])
    return Hold(0, 0, tenant)


def _text(value: Value) -> str | None:
    """As a configuration has it: `1`, `true`, `abc`; None for what is no single value."""
    if value is None or isinstance(value, list):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


class SessionRecorder:
    """Keeps the sessions of the machines that have a tenant's tag."""

    def __init__(self, sharing: SharingOptions | None, path: Path, alive_ms: int) -> None:
        """`path` is the history file, `alive_ms` when a former run was last known to be alive.

        Raises sqlite3.Error.
        """
        self._store = SessionStore(path)
        # Also if no machine has such a tag any more: one that has it again later was not in use meanwhile.
        self._store.close_open(alive_ms)
        self._sessions = TagSessions(sharing.machines if sharing is not None else (), alive_ms)
        self.batch = self._sessions.batch
        self.state_changed = self._sessions.state_changed

    async def save(self, keeper: HistoryKeeper) -> bool:
        """Write what has changed, in the history's thread; returns whether that went well.

        To be done before the agent notes that it is alive: a session that ended before that moment would
        otherwise seem to have lasted up to it.
        """
        rows = self._sessions.take_changed()
        try:
            if rows:
                await keeper.run(self._store.save, rows)
        except sqlite3.Error as error:
            log.error("sessions: cannot write (%s); kept in memory meanwhile", error)
            self._sessions.not_kept(rows)
            return False
        return True

    def close(self) -> None:
        """After the history's thread has ended."""
        self._store.close()
