"""One figure for an enterprise that several gateways report on: a machine that two of them see counts once.

Each gateway states what it has seen of its own register. Registers may be the same on all of them (then each
has all machines in its denominator, and sees some), may share some machines, or none. A machine is the same
if its id in the registers is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from edge_agent.contract.canonical import canonical_line
from edge_agent.contract.counting import Line, figure
from edge_agent.contract.merkle import leaf
from edge_agent.contract.messages import (
    DefinitionReference,
    EquipmentEvidence,
    Figure,
    ProcessEvidence,
    Scope,
    StatementOfRecord,
    Statements,
)

Stated = Statements | StatementOfRecord

PER_HEAD = "per_10000_employees"
_PROVED = ("registered", "reachable", "data_valid", "live")
_UNKNOWN = "unknown"


class NotTogetherError(Exception):
    """These statements cannot be put together; the message says why."""


@dataclass(frozen=True, slots=True)
class PlantFigures:
    """What several gateways state together. Of figures and lines the order is that of the contract."""

    definition: DefinitionReference
    from_ms: int
    to_ms: int
    figures: Sequence[Figure]
    equipment: Sequence[EquipmentEvidence]
    processes: Sequence[ProcessEvidence]
    seen_by: Mapping[str, Sequence[str]]
    """By machine or process, the gateways whose registers have it."""
    disagreements: Sequence[str]
    """Where registers of gateways say different things of one machine, in words."""


def together(stated: Mapping[str, Stated]) -> PlantFigures:
    """The figures of all gateways of one enterprise, of one definition and period.

    `stated` is by gateway. Of figures of the moment the period is that of the oldest. Raises
    NotTogetherError.
    """
    if not stated:
        raise NotTogetherError("there is nothing to put together")
    first = next(iter(stated.values()))
    _of_one_kind(stated, first)
    disagreements: list[str] = []
    machines: dict[str, list[tuple[str, EquipmentEvidence]]] = {}
    steps: dict[str, list[tuple[str, ProcessEvidence]]] = {}
    for gateway, one in stated.items():
        for machine in _equipment_of(one):
            machines.setdefault(machine.equipment, []).append((gateway, machine))
        for step in _processes_of(one):
            steps.setdefault(step.process, []).append((gateway, step))
    equipment = [_one_machine(machines[name], disagreements) for name in sorted(machines)]
    processes = [_one_process(steps[name], disagreements) for name in sorted(steps)]
    lines: Sequence[Line] = [*equipment, *processes]
    hashed = [(line, leaf(canonical_line(line))) for line in lines]
    headcount = _headcount(stated, disagreements) if first.definition.unit == PER_HEAD else None
    in_effect = all(_enterprise(one).reason != "definition_not_in_effect" for one in stated.values())
    figures = [
        figure(
            scope,
            [one for one in hashed if _belongs(one[0], scope)],
            per_head=first.definition.unit == PER_HEAD,
            people=headcount if scope.level == "enterprise" else None,
            in_effect=in_effect,
        )
        for scope in _scopes(stated.values())
    ]
    named = {name: [gateway for gateway, _ in lines] for name, lines in (machines | steps).items()}
    oldest = min(stated.values(), key=lambda one: one.to)
    return PlantFigures(
        first.definition, oldest.from_, oldest.to, figures, equipment, processes, named, disagreements
    )


def _of_one_kind(stated: Mapping[str, Stated], first: Stated) -> None:
    for gateway, one in stated.items():
        if one.definition.digest != first.definition.digest:
            raise NotTogetherError(
                f"{gateway} counts {one.definition.id} by another text of the definition than the others"
            )
        if type(one) is not type(first):
            raise NotTogetherError(f"{gateway} states another kind of figure than the others")
        if isinstance(one, StatementOfRecord) and (one.from_, one.to) != (first.from_, first.to):
            raise NotTogetherError(f"{gateway} states another period than the others")
        if _enterprise(one).scope != _enterprise(first).scope:
            raise NotTogetherError(f"{gateway} is of another enterprise: {_enterprise(one).scope.id}")


def _equipment_of(one: Stated) -> Sequence[EquipmentEvidence]:
    return one.evidence.equipment if isinstance(one, StatementOfRecord) else one.equipment


def _processes_of(one: Stated) -> Sequence[ProcessEvidence]:
    return one.evidence.processes if isinstance(one, StatementOfRecord) else one.processes


def _enterprise(one: Stated) -> Figure:
    return next(figure for figure in one.figures if figure.scope.level == "enterprise")


def _one_machine(
    told: Sequence[tuple[str, EquipmentEvidence]], disagreements: list[str]
) -> EquipmentEvidence:
    """What is proved of a machine by the gateway that has proved most; good readings are not added up, as two
    gateways may have read the same ones."""
    name = told[0][1].equipment
    for what in ("workshop", "line", "weight", "in_denominator"):
        _agree(name, what, [(gateway, getattr(line, what)) for gateway, line in told], disagreements)
    _, best = max(told, key=lambda one: _proof(one[1]))
    good = [line.last_good for _, line in told if line.last_good is not None]
    return replace(best, last_good=max(good, default=None))


def _proof(line: EquipmentEvidence) -> tuple[bool, bool, int, bool, int]:
    proved = _PROVED.index(line.link) if line.link in _PROVED else -1
    return line.in_numerator, line.in_denominator, proved, line.state != _UNKNOWN, line.good_readings


def _one_process(told: Sequence[tuple[str, ProcessEvidence]], disagreements: list[str]) -> ProcessEvidence:
    """A process that machines of several gateways serve has all of them. Whether it counts is what one of
    them says: only who has all its machines in the register can say that; it is told if some have fewer."""
    name = told[0][1].process
    for what in ("workshop", "in_denominator", "in_numerator", "equipment"):
        _agree(name, what, [(gateway, str(getattr(line, what))) for gateway, line in told], disagreements)
    _, best = max(told, key=lambda one: (one[1].in_numerator, one[1].in_denominator, len(one[1].equipment)))
    return replace(
        best,
        equipment=sorted({machine for _, line in told for machine in line.equipment}),
        nc_equipment=sorted({machine for _, line in told for machine in line.nc_equipment}),
    )


def _agree(
    name: str, what: str, said: Sequence[tuple[str, str | int | bool]], disagreements: list[str]
) -> None:
    if len({value for _, value in said}) > 1:
        listed = ", ".join(f"{gateway}: {value}" for gateway, value in said)
        disagreements.append(f"{name}: {what} differs ({listed})")


def _headcount(stated: Mapping[str, Stated], disagreements: list[str]) -> int | None:
    """That of the enterprise, which every gateway should have been told alike; None if none was."""
    whole = [(gateway, _enterprise(one)) for gateway, one in stated.items()]
    told = [(gateway, one.denominator) for gateway, one in whole if one.reason != "headcount_missing"]
    _agree("enterprise", "headcount", told, disagreements)
    return max((count for _, count in told), default=None)


def _scopes(stated: Iterable[Stated]) -> list[Scope]:
    """Those of all gateways: the enterprise, and each workshop with its lines behind it."""
    scopes = list(dict.fromkeys(figure.scope for one in stated for figure in one.figures))
    workshops = [one.id for one in scopes if one.level == "workshop"]
    order = {"enterprise": 0, "workshop": 1, "line": 2}

    def place(scope: Scope) -> tuple[int, int]:
        of = scope.id if scope.level == "workshop" else scope.workshop
        return (workshops.index(of) + 1 if of in workshops else 0), order[scope.level]

    return sorted(scopes, key=place)


def _belongs(line: Line, scope: Scope) -> bool:
    if scope.level == "enterprise":
        return True
    if scope.level == "workshop":
        return line.workshop == scope.id
    return isinstance(line, EquipmentEvidence) and (line.workshop, line.line) == (scope.workshop, scope.id)
