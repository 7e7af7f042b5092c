"""Figures against a table that can be checked by hand (plant.py)."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.definitions import known_definitions
from edge_agent.contract.canonical import canonical
from edge_agent.contract.counting import Line
from edge_agent.contract.merkle import leaf, root
from edge_agent.contract.messages import Figure, Scope, encode
from edge_agent.indicators.definitions import Definition, Effective
from edge_agent.model.equipment import Equipment, Process, Register
from tests.indicators.plant import (
    ENTERPRISE,
    EXPECTED,
    HOUR,
    NOW,
    REGISTER,
    ROWS,
    counts,
    statements,
    table,
)

DEFINITIONS = known_definitions()
WORKED_OUT = {row.pop("definition"): row for row in table(EXPECTED)}
MONEY = "nc-rate/by-asset-value"
DENSITY = "robot-density/ifr"


def test_every_definition_is_worked_out_by_hand() -> None:
    assert WORKED_OUT.keys() == DEFINITIONS.keys()


@pytest.mark.parametrize("name", WORKED_OUT)
def test_figures_are_those_worked_out_by_hand(name: str) -> None:
    figures = statements(DEFINITIONS[name]).figures
    by_scope = {"enterprise" if f.scope.id == ENTERPRISE else f.scope.id: f for f in figures}
    assert by_scope.keys() == WORKED_OUT[name].keys()
    for scope, text in WORKED_OUT[name].items():
        figure = by_scope[scope]
        numerator, denominator = counts(text)
        assert (figure.numerator, figure.denominator) == (numerator, denominator), scope
        if denominator:
            assert figure.rate == numerator / denominator
            assert figure.reason == ""
        else:
            assert figure.rate is None, "no denominator, no rate"
            assert figure.reason == ("headcount_missing" if "?" in text else "denominator_zero")


def reasons(name: str, register: Register = REGISTER) -> dict[str, str]:
    message = statements(DEFINITIONS[name], register)
    return {r.equipment: r.reason for r in message.equipment} | {
        r.process: r.reason for r in message.processes
    }


def test_every_machine_has_its_reason() -> None:
    assert reasons("networked-rate/live") == {
        "M1": "counted",
        "M2": "link_below_live",
        "M3": "link_below_live",
        "M4": "link_below_live",
        "M5": "link_below_live",
        "M6": "outside_denominator",
        "M7": "not_in_service",
        "M8": "outside_denominator",
    }
    assert reasons("nc-rate/by-count")["M2"] == "outside_numerator"


def test_every_process_has_its_reason_and_its_equipment() -> None:
    assert reasons("key-process-nc-rate/discrete") == {
        "P1": "counted",
        "P2": "outside_numerator",
        "P3": "outside_numerator",
        "P4": "outside_denominator",
        "P5": "not_in_service",
        "P6": "outside_denominator",
        "P7": "outside_denominator",
    }
    message = statements(DEFINITIONS["key-process-nc-rate/discrete"])
    assert message.equipment == []
    served = {line.process: (line.equipment, line.nc_equipment) for line in message.processes}
    assert served["P1"] == (["M1", "M2"], ["M1"])
    assert served["P5"] == ([], [])


def test_unknown_machines_are_counted_within_the_denominator_only() -> None:
    figures = statements(DEFINITIONS["nc-rate/by-count"]).figures
    assert [f.unknown for f in figures] == [2, 1, 1, 0]


@pytest.mark.parametrize("name", sorted(DEFINITIONS))
def test_the_receiver_can_recompute_a_figure_from_its_evidence(name: str) -> None:
    message = statements(DEFINITIONS[name])
    for figure in message.figures:
        evidence: list[Line] = [*message.equipment, *message.processes]
        whole = figure.scope.level == "enterprise"
        lines = [line for line in evidence if whole or line.workshop == figure.scope.id]
        weights: list[int] = [getattr(line, "weight", 1) for line in lines]
        counted = list(zip(lines, weights, strict=True))
        assert figure.numerator == sum([weight for line, weight in counted if line.in_numerator])
        if message.definition.unit == "share":
            assert figure.denominator == sum([weight for line, weight in counted if line.in_denominator])
        assert figure.evidence == root([leaf(canonical(json.loads(encode(line)))) for line in lines])
    rule = DEFINITIONS[name].connected
    window = HOUR * 24 if rule is not None and rule.window else 0
    assert (message.from_, message.to) == (NOW - window, NOW)
    assert (message.register_digest, message.register_version) == (REGISTER.digest, REGISTER.version)


def test_a_machine_without_asset_value_leaves_no_rate_of_its_scopes() -> None:
    members = tuple(replace(e, asset_value=None) if e.id == "M2" else e for e in REGISTER.equipment)
    message = statements(DEFINITIONS[MONEY], replace(REGISTER, equipment=members))
    assert [(f.rate is None, f.reason) for f in message.figures] == [
        (True, "asset_value_missing"),
        (True, "asset_value_missing"),
        (False, ""),
        (True, "denominator_zero"),
    ]
    assert [line.equipment for line in message.equipment if line.reason == "asset_value_missing"] == ["M2"]


def test_a_machine_outside_the_denominator_needs_no_asset_value() -> None:
    members = tuple(replace(e, asset_value=None) if e.id in ("M6", "M7") else e for e in REGISTER.equipment)
    assert statements(DEFINITIONS[MONEY], replace(REGISTER, equipment=members)).figures[0].reason == ""


def test_without_a_headcount_there_is_no_density() -> None:
    figure = statements(DEFINITIONS[DENSITY], replace(REGISTER, headcount=None)).figures[0]
    assert (figure.numerator, figure.denominator, figure.rate) == (2, 0, None)
    assert figure.reason == "headcount_missing"
    figure = statements(DEFINITIONS[DENSITY], replace(REGISTER, headcount=0)).figures[0]
    assert (figure.rate, figure.reason) == (None, "denominator_zero")


@pytest.mark.parametrize(
    ("effective", "reason"),
    [
        ({"from": "2026-09-22"}, "definition_not_in_effect"),
        ({"until": "2026-09-20"}, "definition_not_in_effect"),
        ({"from": "2026-09-21", "until": "2026-09-21"}, ""),
    ],
)
def test_a_definition_holds_in_its_days(effective: dict[str, str], reason: str) -> None:
    definition = DEFINITIONS["nc-rate/by-count"].model_copy(
        update={"effective": Effective.model_validate(effective)}
    )
    figure = statements(definition).figures[0]
    assert (figure.reason, figure.rate is None) == (reason, bool(reason))
    assert (figure.numerator, figure.denominator) == (3, 5)


def test_lines_are_counted_within_their_workshop() -> None:
    """L is a line of A and another one of B; M3 and M4 belong to none."""
    lines = {"M1": "L", "M2": "K", "M5": "L"}
    members = tuple(replace(e, line=lines.get(e.id, "")) for e in REGISTER.equipment)
    figures = statements(DEFINITIONS["nc-rate/by-count"], replace(REGISTER, equipment=members)).figures
    assert [(f.scope.level, f.scope.workshop, f.scope.id, f.numerator, f.denominator) for f in figures] == [
        ("enterprise", "", ENTERPRISE, 3, 5),
        ("workshop", "", "A", 3, 4),
        ("line", "A", "L", 1, 1),
        ("line", "A", "K", 0, 1),
        ("workshop", "", "B", 0, 1),
        ("line", "B", "L", 0, 1),
        ("workshop", "", "C", 0, 0),
    ]
    of_processes = statements(
        DEFINITIONS["key-process-nc-rate/discrete"], replace(REGISTER, equipment=members)
    )
    assert {f.scope.level for f in of_processes.figures} == {"enterprise", "workshop"}


# Any register: the parts and the whole, and the order of the lines.

yes_or_no = st.booleans()
equipment = st.builds(
    Equipment,
    id=st.sampled_from(sorted(ROWS)),
    name=st.just("machine"),
    workshop=st.sampled_from("ABCD"),
    production=yes_or_no,
    digital=yes_or_no,
    nc=yes_or_no,
    should_connect=yes_or_no,
    key=yes_or_no,
    line=st.sampled_from(["", "L1", "L2"]),
    asset_value=st.integers(0, 10**13),
    processes=st.lists(st.sampled_from(["P1", "P2", "P3"]), unique=True).map(tuple),
    robot=yes_or_no,
)
registers = st.builds(
    Register,
    st.lists(equipment, unique_by=lambda one: one.id, min_size=1).map(tuple),
    st.builds(
        lambda keys, workshop: tuple(
            Process(f"P{i}", "process", workshop, key, "discrete", "cnc") for i, key in enumerate(keys, 1)
        ),
        st.lists(yes_or_no, max_size=3),
        st.just("A"),
    ),
    st.none() | st.integers(1, 10**6),
)
definitions = st.sampled_from(sorted(DEFINITIONS)).map(DEFINITIONS.__getitem__)
shares = definitions.filter(lambda one: one.unit == "share")


@given(register=registers, definition=shares)
def test_the_pooled_rates_of_the_workshops_are_the_whole(register: Register, definition: Definition) -> None:
    if definition.counts == "process" and "A" not in register.workshops:
        return  # such a register is refused
    whole, *others = statements(definition, register).figures
    parts = [f for f in others if f.scope.level == "workshop"]
    numerator, denominator = sum(p.numerator for p in parts), sum(p.denominator for p in parts)
    assert (numerator, denominator) == (whole.numerator, whole.denominator)
    if whole.rate is not None:
        assert 0 <= numerator <= denominator
        assert whole.rate == float(Fraction(numerator, denominator))
        assert whole.unknown == sum(p.unknown for p in parts)


@given(register=registers, definition=definitions, data=st.data())
def test_the_order_of_lines_does_not_matter(
    register: Register, definition: Definition, data: st.DataObject
) -> None:
    shuffled = Register(
        tuple(data.draw(st.permutations(register.equipment))),
        tuple(data.draw(st.permutations(register.processes))),
        register.headcount,
    )
    assert (shuffled.digest, shuffled.version) == (register.digest, register.version)

    def figures(of: Register) -> dict[Scope, Figure]:
        return {figure.scope: figure for figure in statements(definition, of).figures}

    assert figures(shuffled) == figures(register)
