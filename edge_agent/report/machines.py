"""The chapters of machines: the register with the evidence of each connection, which machine counts where,
and what is claimed without evidence."""

from collections.abc import Iterator, Mapping

from edge_agent.contract.messages import EquipmentEvidence
from edge_agent.indicators.claims import ClaimKind
from edge_agent.indicators.periods import HOUR_MS
from edge_agent.model.equipment import Equipment
from edge_agent.model.link import LinkLevel
from edge_agent.model.state import MachineState
from edge_agent.report import words
from edge_agent.report.content import Block, Cell, Column, Heading, Instant, Row, Section, Table, Text
from edge_agent.report.gather import Month, Stated
from edge_agent.report.parts import Tell, title_of, yes_no
from edge_agent.words import CLAIMS, LINKS, REASONS, STATES

_IN_NUMERATOR, _IN_DENOMINATOR, _NOWHERE = "●", "○", "–"


def machines(month: Month, tell: Tell) -> Section:
    blocks: list[Block] = [Text(tell(words.MACHINES_EXPLAINED), "small"), _register(month, tell)]
    counted = {number: one for number, one in enumerate(month.stated, 1) if one.message.evidence.equipment}
    if counted:
        blocks += [
            Heading(tell(words.MATRIX)),
            Text(tell(words.MATRIX_EXPLAINED), "small"),
            _matrix(month, counted, tell),
            _lines(month, counted, tell),
        ]
    processes = list(_processes(month, tell))
    if processes:
        blocks.append(Heading(tell(words.PROCESSES)))
        blocks += processes
    return Section(tell(words.MACHINES), blocks, new_page=True)


def claims(month: Month, tell: Tell) -> Section:
    found = {
        (claim.subject, claim.kind, claim.detail): None
        for one in month.stated
        for claim in one.message.claims
    }
    blocks: list[Block] = [Text(tell(words.CLAIMS_EXPLAINED), "small")]
    if not found:
        blocks.append(Text(tell(words.NO_CLAIMS)))
    blocks.append(
        Table(
            [
                Column(tell(words.SUBJECT), 18),
                Column(tell(words.CLAIM), 42),
                Column(tell(words.DETAIL), 40),
            ],
            [
                Row([subject, tell(CLAIMS[ClaimKind(kind)]), detail])
                for subject, kind, detail in sorted(found)
            ],
            sheet=tell(words.CLAIMS),
        )
    )
    return Section(tell(words.CLAIMS), blocks)


def _register(month: Month, tell: Tell) -> Table:
    windows = _windows(month)
    evidence = {line.equipment: line for lines in windows.values() for line in lines.values()}
    columns = [
        Column(tell(words.EQUIPMENT), 15),
        Column(tell(words.NAME), 19),
        Column(tell(words.PLACE), 19),
        Column(tell(words.NC), 6),
        Column(tell(words.SHOULD_CONNECT), 8),
        Column(tell(words.STATE), 10),
        Column(tell(words.LINK), 11),
        *(
            Column(tell(words.GOOD_READINGS).format(hours=window / HOUR_MS), 13, align="right")
            for window in windows
            if window
        ),
        Column(tell(words.LAST_GOOD), 20, align="right"),
    ]
    rows = []
    for one in sorted(month.register.equipment, key=_place):
        line = evidence.get(one.id)
        cells: list[Cell] = [
            one.id,
            one.name,
            " / ".join(filter(None, (one.workshop, one.line))),
            yes_no(one.nc, tell),
            yes_no(one.should_connect, tell),
            None if line is None else tell(STATES[MachineState(line.state)]),
            None if line is None else tell(LINKS[LinkLevel[line.link.upper()]]),
        ]
        cells += [
            lines[one.id].good_readings if one.id in lines else None
            for window, lines in windows.items()
            if window
        ]
        cells.append(None if line is None or line.last_good is None else Instant(line.last_good))
        rows.append(Row(cells))
    return Table(columns, rows, sheet=tell(words.SHEET_MACHINES))


def _place(one: Equipment) -> tuple[str, str, str]:
    return one.workshop, one.line, one.id


def _windows(month: Month) -> Mapping[int, Mapping[str, EquipmentEvidence]]:
    """By how long evidence was looked at (0: at the instant), what it was, by equipment; short ones first."""
    found = {
        one.message.evidence_to - one.message.evidence_from: {
            line.equipment: line for line in one.message.evidence.equipment
        }
        for one in month.stated
        if one.message.evidence.equipment
    }
    return dict(sorted(found.items()))


def _matrix(month: Month, counted: Mapping[int, Stated], tell: Tell) -> Table:
    marks = {
        number: {line.equipment: _mark(line) for line in one.message.evidence.equipment}
        for number, one in counted.items()
    }
    return Table(
        [Column(tell(words.EQUIPMENT), 24), *(Column(str(number), 7, align="center") for number in counted)],
        [
            Row([one.id, *(of_one.get(one.id) for of_one in marks.values())])
            for one in sorted(month.register.equipment, key=_place)
        ],
    )


def _mark(line: EquipmentEvidence) -> str:
    if line.in_numerator:
        return _IN_NUMERATOR
    return _IN_DENOMINATOR if line.in_denominator else _NOWHERE


def _lines(month: Month, counted: Mapping[int, Stated], tell: Tell) -> Table:
    """Every judgement with its evidence: for the workbook, as there are many."""
    names = month.register.by_id
    columns = [
        Column(tell(words.DEFINITION), 34),
        Column(tell(words.STATEMENT), 9, align="right"),
        Column(tell(words.EQUIPMENT), 14),
        Column(tell(words.NAME), 20),
        Column(tell(words.WORKSHOP), 14),
        Column(tell(words.LINE), 14),
        Column(tell(words.IN_DENOMINATOR), 10),
        Column(tell(words.IN_NUMERATOR), 10),
        Column(tell(words.REASON), 24),
        Column(tell(words.STATE), 10),
        Column(tell(words.LINK), 12),
        Column(tell(words.HOURS), 10, align="right"),
        Column(tell(words.GOOD), 12, align="right"),
        Column(tell(words.LAST_GOOD), 20, align="right"),
    ]
    rows = []
    for one in counted.values():
        hours = (one.message.evidence_to - one.message.evidence_from) // HOUR_MS
        for line in one.message.evidence.equipment:
            rows.append(
                Row(
                    [
                        one.message.definition.id,
                        one.message.number,
                        line.equipment,
                        names[line.equipment].name if line.equipment in names else "",
                        line.workshop,
                        line.line,
                        yes_no(line.in_denominator, tell),
                        yes_no(line.in_numerator, tell),
                        tell(REASONS[line.reason]),
                        tell(STATES[MachineState(line.state)]),
                        tell(LINKS[LinkLevel[line.link.upper()]]),
                        hours or None,
                        line.good_readings if hours else None,
                        None if line.last_good is None else Instant(line.last_good),
                    ]
                )
            )
    return Table(columns, rows, sheet=tell(words.SHEET_LINES), printed=False)


def _processes(month: Month, tell: Tell) -> Iterator[Block]:
    """The judgements of each definition that counts processes."""
    names = {one.id: one.name for one in month.register.processes}
    for number, one in enumerate(month.stated, 1):
        lines = one.message.evidence.processes
        if lines:
            yield Text(f"{number}  {title_of(one.message.definition, tell)}", "small")
            yield Table(
                [
                    Column(tell(words.PROCESS), 14),
                    Column(tell(words.NAME), 18),
                    Column(tell(words.WORKSHOP), 16),
                    Column(tell(words.IN_DENOMINATOR), 9),
                    Column(tell(words.IN_NUMERATOR), 9),
                    Column(tell(words.REASON), 18),
                    Column(tell(words.SERVED_BY), 26),
                    Column(tell(words.NC_EQUIPMENT), 26),
                ],
                [
                    Row(
                        [
                            line.process,
                            names.get(line.process, ""),
                            line.workshop,
                            yes_no(line.in_denominator, tell),
                            yes_no(line.in_numerator, tell),
                            tell(REASONS[line.reason]),
                            ", ".join(line.equipment),
                            ", ".join(line.nc_equipment),
                        ]
                    )
                    for line in lines
                ],
                sheet=tell(words.PROCESSES),
                of=[(Column(tell(words.DEFINITION), 34), one.message.definition.id)],
            )
