"""The chapters of machine time: where the time of each workshop and machine went, and its key figures."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from edge_agent.contract.messages import Account, KeyFigure
from edge_agent.indicators.kpis import KPIS, Missing
from edge_agent.model.state import MachineState
from edge_agent.report import words
from edge_agent.report.content import (
    Block,
    Cell,
    Column,
    Duration,
    Energy,
    Heading,
    Rate,
    Row,
    Section,
    Shares,
    StateLegend,
    Table,
    Text,
)
from edge_agent.report.gather import Month
from edge_agent.report.parts import Tell
from edge_agent.words import MISSING, REASONS, STATES, Words

_KNOWN = {kpi.id: kpi for kpi in KPIS}


def machine_time(month: Month, tell: Tell) -> Section:
    times = {name: _by_state(account) for name, account in month.accounts.items()}
    by_workshop: dict[str, list[str]] = defaultdict(list)
    for name in times:
        by_workshop[month.register.by_id[name].workshop].append(name)
    together = {
        workshop: sum((times[name] for name in names), Counter()) for workshop, names in by_workshop.items()
    }
    workshops = [
        Row([workshop, len(by_workshop[workshop]), *_cells(of_all)]) for workshop, of_all in together.items()
    ]
    machines = [Row([name, month.register.by_id[name].workshop, *_cells(one)]) for name, one in times.items()]
    return Section(
        tell(words.MACHINE_TIME),
        [
            Text(tell(words.TIME_EXPLAINED), "small"),
            StateLegend([(state, tell(STATES[state])) for state in MachineState]),
            Heading(tell(words.BY_WORKSHOP)),
            Table(
                [
                    Column(tell(words.WORKSHOP), 18),
                    Column(tell(words.MACHINES_OF), 8, align="right"),
                    *_columns(tell),
                ],
                workshops,
            ),
            Heading(tell(words.BY_MACHINE)),
            Table(
                [Column(tell(words.EQUIPMENT), 14), Column(tell(words.WORKSHOP), 12), *_columns(tell)],
                machines,
                sheet=tell(words.SHEET_TIME),
            ),
        ],
    )


def _columns(tell: Tell) -> list[Column]:
    return [
        Column(tell(words.SHARES), 38),
        *(Column(tell(STATES[state]), 10, align="right") for state in MachineState),
    ]


def _by_state(account: Account) -> Counter[MachineState]:
    times: Counter[MachineState] = Counter()
    for one in account.times:
        times[MachineState(one.state)] += one.ms
    return times


def _cells(times: Mapping[MachineState, int]) -> list[Cell]:
    """A bar, and the time in each state."""
    each = [(state, times.get(state, 0)) for state in MachineState]
    return [Shares(each), *(Duration(ms) for _, ms in each)]


def key_figures(month: Month, tell: Tell) -> Section:
    accounts = month.accounts.values()
    ids = list(dict.fromkeys(figure.id for account in accounts for figure in account.figures))
    computed = [id for id in ids if any(_figure(account, id).value is not None for account in accounts)]
    blocks: list[Block] = [Text(tell(words.KEY_FIGURES_EXPLAINED), "small")]
    if computed:
        blocks.append(_values(month, computed, tell))
    if rows := list(_not_computed(accounts, tell)):
        blocks.append(Heading(tell(words.NOT_COMPUTED)))
        blocks.append(
            Table(
                [
                    Column(tell(words.KEY_FIGURE), 30),
                    Column(tell(words.REASON), 40),
                    Column(tell(words.NUMBER), 8, align="right"),
                    Column(tell(words.WHICH), 50),
                ],
                rows,
            )
        )
    blocks.append(_all_values(month, tell))
    counted = [one for one in accounts if one.parts is not None or one.energy_wh is not None]
    if counted:
        blocks += [
            Heading(tell(words.PRODUCTION)),
            Text(tell(words.PRODUCTION_EXPLAINED), "small"),
            _production(counted, month, tell),
        ]
    return Section(tell(words.KEY_FIGURES), blocks)


def _production(accounts: Collection[Account], month: Month, tell: Tell) -> Table:
    return Table(
        [
            Column(tell(words.EQUIPMENT), 14),
            Column(tell(words.WORKSHOP), 14),
            Column(tell(words.CYCLE_TIME), 12, align="right"),
            Column(tell(words.PIECES), 10, align="right"),
            Column(tell(words.GOOD_PIECES), 10, align="right"),
            Column(tell(words.SPANNING), 10, align="right"),
            Column(tell(words.COUNTER_RESETS), 10, align="right"),
            Column(tell(words.VALUE_ENERGY), 12, align="right"),
        ],
        [
            Row(
                [
                    one.equipment,
                    month.register.by_id[one.equipment].workshop,
                    None if one.cycle_time is None else Duration(one.cycle_time),
                    one.parts,
                    one.good,
                    one.spanning_parts,
                    one.counter_resets,
                    None if one.energy_wh is None else Energy(one.energy_wh),
                ]
            )
            for one in accounts
        ],
        sheet=tell(words.SHEET_PRODUCTION),
    )


def _figure(account: Account, id: str) -> KeyFigure:
    return next((one for one in account.figures if one.id == id), KeyFigure(id, None))


def _values(month: Month, ids: Sequence[str], tell: Tell) -> Table:
    """A row for each machine, a column for each figure that any of them has."""
    return Table(
        [Column(tell(words.EQUIPMENT), 14), *(Column(_name(id, tell), 9, align="right") for id in ids)],
        [
            Row([name, *(_value(_figure(account, id)) for id in ids)])
            for name, account in month.accounts.items()
        ],
    )


def _name(id: str, tell: Tell) -> str:
    kpi = _KNOWN.get(id)
    return id if kpi is None else tell(Words(kpi.zh, kpi.en))


def _unit_of(id: str) -> str:
    kpi = _KNOWN.get(id)
    return "" if kpi is None else kpi.unit


def _value(figure: KeyFigure) -> Cell:
    if figure.value is None:
        return None
    match _unit_of(figure.id):
        case "ms":
            return Duration(round(figure.value))
        case "Wh":
            return Energy(figure.value)
        case _:
            return Rate(figure.value)


def _not_computed(accounts: Collection[Account], tell: Tell) -> Iterable[Row]:
    """By what is missing and for which machines: which figures."""
    lacking: dict[tuple[str, str], list[str]] = defaultdict(list)
    for account in accounts:
        for figure in account.figures:
            if figure.value is None:
                lacking[figure.id, _why(figure, tell)].append(account.equipment)
    together: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (id, why), names in lacking.items():
        together[why, tuple(names)].append(_name(id, tell))
    for (why, machines), figures in together.items():
        which = tell(words.ALL) if len(machines) == len(accounts) else ", ".join(machines)
        yield Row([_listed(figures, tell), why, len(machines), which])


def _why(figure: KeyFigure, tell: Tell) -> str:
    if figure.missing:
        return _listed([tell(MISSING[Missing(one)]) for one in figure.missing], tell)
    return tell(REASONS[figure.reason])


def _listed(names: Sequence[str], tell: Tell) -> str:
    return tell(Words("、", ", ")).join(names)


def _all_values(month: Month, tell: Tell) -> Table:
    """Every figure of every machine with its counts: for the workbook."""
    rows = []
    for name, account in month.accounts.items():
        for figure in account.figures:
            value = _value(figure)
            rows.append(
                Row(
                    [
                        name,
                        month.register.by_id[name].workshop,
                        figure.id,
                        _name(figure.id, tell),
                        value if isinstance(value, Rate) else None,
                        value if isinstance(value, Duration) else None,
                        value if isinstance(value, Energy) else None,
                        figure.numerator,
                        figure.denominator,
                        Duration(figure.unknown),
                        "" if figure.value is not None else _why(figure, tell),
                    ]
                )
            )
    return Table(
        [
            Column(tell(words.EQUIPMENT), 14),
            Column(tell(words.WORKSHOP), 14),
            Column(tell(words.KEY_FIGURE), 34),
            Column(tell(words.NAME), 30),
            Column(tell(words.VALUE), 10, align="right"),
            Column(tell(words.VALUE_DURATION), 14, align="right"),
            Column(tell(words.VALUE_ENERGY), 14, align="right"),
            Column(tell(words.NUMERATOR), 16, align="right"),
            Column(tell(words.DENOMINATOR), 16, align="right"),
            Column(tell(words.UNKNOWN_TIME), 12, align="right"),
            Column(tell(words.REASON), 40),
        ],
        rows,
        sheet=tell(words.SHEET_KEY_FIGURES),
        printed=False,
    )
