"""A month in compressed time: the agent's own parts live through it reading by reading, and are held against
a plain list of what every machine did in each five minutes of it.

In that month the clocks are set forward, a line is cut, a machine is off, the gateway is killed three times,
its own clock is set right, and data come late. A mock stands in for the wire and for the clock alone.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from edge_agent.acquisition.evidence import Evidence, EvidenceHour
from edge_agent.acquisition.link import LinkTracker
from edge_agent.config.definitions import known_definitions
from edge_agent.contract import messages
from edge_agent.indicators.accounts_due import AccountsDue, all_series
from edge_agent.indicators.calendar import Calendar
from edge_agent.indicators.calendar_options import CalendarOptions
from edge_agent.indicators.connected import Connected, ConnectedVersions
from edge_agent.indicators.machine_time import MachineTime
from edge_agent.indicators.periods import SHIFT, Period, PeriodKind, period_at
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.indicators.running_day import RunningDay
from edge_agent.model.batch import Batch
from edge_agent.model.equipment import Equipment, Register
from edge_agent.model.options import StateRule
from edge_agent.model.state import MachineState, StateWithCause, UnknownCause, unknown
from edge_agent.statements.export import evidence_file
from edge_agent.statements.keys import signing_key
from edge_agent.statements.record import SETTLE_MS, RecordMaker, keep
from edge_agent.statements.store import StatementStore
from edge_agent.states.history import GATEWAY_DOWN, Changes, History
from edge_agent.states.tracker import Interval, StateTracker
from edge_agent.verifier import verify

ZONE = ZoneInfo("Europe/Berlin")
STEP_MS = 5 * 60_000
HOUR_STEPS = 12
STALE_MS = 3 * STEP_MS
ENTERPRISE = "91330300MA00DEM06A"


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1000)


MONTH = period_at(PeriodKind.MONTH, at("2026-03-15 12:00"), ZONE)
STEPS = (MONTH.to_ms - MONTH.from_ms) // STEP_MS
assert STEPS == (31 * 24 - 1) * HOUR_STEPS, "the clocks are set forward on the 29th"


def steps(first: str, last: str) -> range:
    return range((at(first) - MONTH.from_ms) // STEP_MS, (at(last) - MONTH.from_ms) // STEP_MS)


RUNNING = StateWithCause(MachineState.RUNNING, "auto")
IDLE = StateWithCause(MachineState.IDLE)
OFF = StateWithCause(MachineState.OFF)
JAM = StateWithCause(MachineState.ALARM, "jam")
CODES = {1: RUNNING, 2: IDLE, 3: OFF, 4: JAM}
RULES = [
    StateRule(when="code == 1", state=MachineState.RUNNING, cause="auto"),
    StateRule(when="code == 2", state=MachineState.IDLE),
    StateRule(when="code == 3", state=MachineState.OFF),
    StateRule(when="code == 4", state=MachineState.ALARM, cause="jam"),
]
CUT = {
    "M1": steps("2026-03-10 09:00", "2026-03-10 15:35"),
    "M2": steps("2026-03-31 00:00", "2026-04-01 00:00"),
}
"""When the machines were not to be reached."""
DOWN = (
    steps("2026-03-03 03:05", "2026-03-03 11:10"),
    steps("2026-03-14 23:25", "2026-03-15 00:40"),
    steps("2026-03-29 01:10", "2026-03-29 03:50"),
)
"""When the gateway was: killed at the beginning, right after a save."""
STEPPED = steps("2026-03-20 10:00", "2026-03-20 10:35")
"""The system clock went past these steps in a moment."""
LATE = steps("2026-03-10 10:00", "2026-03-10 12:00")
"""What M1 did while it was cut became known on the next day."""


def code(machine: str, step: int) -> int:
    """What a machine does: M1 goes by an irregular rhythm, M2 runs on weekdays, M3 has nobody to read it."""
    if machine == "M2":
        day = datetime.fromtimestamp((MONTH.from_ms + step * STEP_MS) / 1000, ZONE)
        return 1 if day.weekday() < 5 and 6 <= day.hour < 22 else 3
    rhythm = (step * 7 + step // 11) % 40
    return 1 if rhythm < 22 else 2 if rhythm < 33 else 4 if rhythm < 36 else 3


def truth(machine: str, step: int) -> StateWithCause:
    """What the agent has to say of a step."""
    if any(step in down for down in DOWN):
        return GATEWAY_DOWN
    if step in STEPPED:
        return unknown(UnknownCause.CLOCK_STEP)
    if machine == "M3":
        return unknown(UnknownCause.NOT_CONNECTED)
    if step in CUT.get(machine, ()) and not (machine == "M1" and step in LATE):
        return unknown(UnknownCause.TIMEOUT)
    return CODES[code(machine, step)]


REGISTER = Register(
    (
        Equipment("M1", "Lathe", "A", digital=True, nc=True, nc_ground="828D"),
        Equipment("M2", "Press", "A", digital=True),
        Equipment("M3", "Saw", "B"),
    )
)
SHIFTS = [
    {"id": "early", "days": ["mon", "tue", "wed", "thu", "fri"], "start": "06:00", "end": "14:00"},
    {
        "id": "night",
        "days": ["mon", "tue", "wed", "thu", "fri", "sat"],
        "start": "22:00",
        "end": "06:00",
        "breaks": [{"start": "02:00", "end": "02:30"}],
    },
]
PLAN = Calendar("plan", CalendarOptions.model_validate({"shifts": SHIFTS}), ZONE)
CALENDARS = {"M1": PLAN, "M2": PLAN}


@dataclass
class Gateway:
    """One run of the agent's parts on a data folder, from a start to a kill."""

    path: Path
    now_ms: int
    accounts: list[messages.Account] = field(default_factory=list)
    pending: list[Interval] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.history = History(self.path)
        since = self.history.resume(self.now_ms)
        self.tracker = StateTracker(self._changed)
        self.today = RunningDay(ZONE, self.now_ms)
        for one in REGISTER.equipment:
            self.tracker.add(one.id, RULES, STALE_MS, GATEWAY_DOWN, since)
            self.today.count(one.id, self.history.columns(one.id, self.today.from_ms, since), since)
        known = Evidence.of(EvidenceHour(*row) for row in self.history.evidence(MONTH.from_ms))
        self.links = LinkTracker({"M1": STALE_MS, "M2": STALE_MS}, known, 31 * 86_400_000)
        self.links.opened(["M1", "M2"])
        self.due = AccountsDue(self.history, all_series(ZONE, ["M1", "M2", "M3"], CALENDARS))
        self.machine_time = MachineTime(self.history, ZONE, CALENDARS)
        self.pending += self.tracker.open_intervals()
        self.tracker.lost(["M3"], UnknownCause.NOT_CONNECTED, self.now_ms)

    def _changed(self, ended: Interval, begun: Interval) -> None:
        self.pending += [ended, begun]
        self.today.ended(ended)

    def live(self, step: int) -> None:
        """Take the readings of a step."""
        self.now_ms = MONTH.from_ms + step * STEP_MS
        if step - 1 in STEPPED:
            self.tracker.clock_stepped(MONTH.from_ms + STEPPED.start * STEP_MS, self.now_ms)
        for machine in ("M1", "M2"):
            if step in CUT[machine]:
                self.links.lost([machine])
                self.tracker.lost([machine], UnknownCause.TIMEOUT, self.now_ms)
                continue
            if step - 1 in CUT[machine]:
                self.links.opened([machine])
            batch = Batch(machine, self.now_ms, ["code"], [code(machine, step)])
            self.links.batch(batch)
            self.tracker.batch(batch)
        self.tracker.check_stale(self.now_ms)

    def save(self) -> None:
        intervals, self.pending = self.pending, []
        evidence = map(astuple, self.links.take_changed(self.now_ms))
        self.history.save(Changes(self.now_ms, intervals, [*evidence]))

    def account(self) -> None:
        """What the agent does every few seconds: accounts of what is over, and of what was amended."""
        again, number = self.due.amended()
        for machine, period in again:
            self._send(machine, period)
        self.due.made_again(number)
        for series in self.due.series:
            for period in self.due.due(series, self.now_ms):
                for machine in series.equipment:
                    self._send(machine, period)
                self.due.done(series, period)

    def _send(self, machine: str, period: Period) -> None:
        self.accounts.append(self.machine_time.account(machine, period, self.pending, self.now_ms))

    def killed(self) -> None:
        self.history.close()


def lived_through(path: Path) -> list[messages.Account]:
    """The month from its first step to an hour after it; returns all accounts that were sent."""
    gateway = Gateway(path, MONTH.from_ms)
    sent: list[messages.Account] = []
    for step in range(STEPS + HOUR_STEPS):
        down = next((one for one in DOWN if step in one), None)
        if step in STEPPED:
            continue
        if down is not None:
            if step == down.start:
                gateway.now_ms = MONTH.from_ms + step * STEP_MS
                gateway.save()
                sent += gateway.accounts
                gateway.killed()
            if step == down[-1]:
                gateway = Gateway(path, MONTH.from_ms + down.stop * STEP_MS)
            continue
        gateway.live(step)
        if step % HOUR_STEPS == 5:
            gateway.save()
            while gateway.history.pack(gateway.now_ms):
                pass
            gateway.account()
            check_today(gateway, step)
        if step == LATE.stop + 24 * HOUR_STEPS:
            gateway.history.amend("M1", late_intervals())
    gateway.save()
    gateway.killed()
    return sent + gateway.accounts


def late_intervals() -> list[Interval]:
    edges = [MONTH.from_ms + step * STEP_MS for step in (*LATE, LATE.stop)]
    return [
        Interval("M1", start, end, CODES[code("M1", step)])
        for step, (start, end) in zip(LATE, pairwise(edges), strict=True)
    ]


def check_today(gateway: Gateway, step: int) -> None:
    first = (gateway.today.from_ms - MONTH.from_ms) // STEP_MS
    for machine in ("M1", "M2", "M3"):
        if machine == "M1" and first <= LATE.start < step:
            continue  # what it did is not known yet
        account = gateway.today.account(machine, gateway.tracker.current(machine), gateway.now_ms)
        assert account.times == expected(machine, range(first, step)), (machine, step)


def expected(machine: str, of: Sequence[int]) -> Mapping[StateWithCause, int]:
    counted = Counter(truth(machine, step) for step in of)
    return {state: count * STEP_MS for state, count in counted.items()}


def times(lines: Sequence[messages.StateTime]) -> dict[StateWithCause, int]:
    return {StateWithCause(MachineState(one.state), one.cause): one.ms for one in lines}


def in_force(accounts: Sequence[messages.Account]) -> dict[tuple[str, str, int], messages.Account]:
    """As a receiver has them: of one machine, kind and beginning the one that was made last."""
    within = [one for one in accounts if MONTH.from_ms <= one.from_ < MONTH.to_ms]
    return {(one.equipment, one.period, one.from_): one for one in within}


@contextmanager
def recorded(path: Path) -> Iterator[tuple[StatementStore, RecordMaker]]:
    key = signing_key(path.parent)
    definitions = tuple(known_definitions().values())
    with (
        closing(History(path)),
        closing(StatementStore(path, key)) as store,
        closing(RecordMaker(path, "gw", ENTERPRISE, ZONE, definitions, lambda _: CALENDARS)) as maker,
    ):
        yield store, maker


def test_a_month_is_accounted_for_to_the_millisecond(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with closing(RegisterVersions(path)) as registers, closing(ConnectedVersions(path)) as versions:
        registers.keep(REGISTER, MONTH.from_ms)
        versions.keep({name: Connected(STALE_MS, ("code",)) for name in ("M1", "M2")}, MONTH.from_ms)
    accounts = in_force(lived_through(path))

    for account in accounts.values():
        assert sum(one.ms for one in account.times) == account.to - account.from_
        of = range((account.from_ - MONTH.from_ms) // STEP_MS, (account.to - MONTH.from_ms) // STEP_MS)
        if account.to <= MONTH.to_ms:
            assert times(account.times) == expected(account.equipment, of), account
    for machine in ("M1", "M2", "M3"):
        of_kind = {
            kind: [one for one in accounts.values() if (one.equipment, one.period) == (machine, kind)]
            for kind in ("hour", "day", "month", SHIFT)
        }
        assert [len(of_kind[kind]) for kind in ("hour", "day", "month")] == [31 * 24 - 1, 31, 1]
        assert len(of_kind[SHIFT]) == (0 if machine == "M3" else 22 + 25)
        (month,) = of_kind["month"]
        for kind in ("hour", "day"):
            summed: Counter[StateWithCause] = Counter()
            for one in of_kind[kind]:
                summed.update(times(one.times))
            assert dict(summed) == times(month.times), kind
        if machine != "M3":
            planned: Counter[StateWithCause] = Counter()
            for one in of_kind[SHIFT]:
                planned.update(times(one.planned or ()))
            assert month.planned is not None
            # The nights from February and into April are shifts of no month; less a break in the first one.
            at_the_edges = (6 - 0.5 + 2) * 3_600_000
            assert sum(one.ms for one in month.planned) == sum(planned.values()) + at_the_edges

    with recorded(path) as (store, maker):
        for draft in maker.drafts(MONTH):
            keep(store, draft)
        kept = list(store.in_force("fta.statement/1", "month", MONTH.from_ms, MONTH.to_ms))
        rates = {
            one.subject: next(f for f in one.content["figures"] if f["scope"]["level"] == "enterprise")
            for one in kept
        }
        # M2 was cut all through the last day of the month; M3 never was connected.
        for definition in ("networked-rate/miit-sme-2024", "networked-rate/live"):
            assert (rates[definition]["numerator"], rates[definition]["denominator"]) == (1, 3)
        assert store.last_number() == len(known_definitions())
        for draft in maker.drafts(MONTH):
            keep(store, draft)
        assert store.last_number() == len(known_definitions()), "counted again it is the same"
        numbers = [one.number for one in kept]
    report = verify(evidence_file(path, signing_key(tmp_path), numbers, MONTH.to_ms + SETTLE_MS))
    assert report.status == 0, report
