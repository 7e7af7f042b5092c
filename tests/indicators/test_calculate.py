"""Figures against a table that can be checked by hand."""

import hashlib
from datetime import date
from pathlib import Path

import pytest

from edge_agent.contract.messages import Statements, encode
from edge_agent.indicators.calculate import Calculator
from edge_agent.indicators.definitions import Definition, DefinitionError, load_definitions
from edge_agent.model.equipment import Equipment, Register
from edge_agent.model.link import LinkLevel
from edge_agent.model.state import MachineState

NOW = 1_790_000_000_000  # 2026-09-21
HOUR = 3_600_000
SHIPPED = Path(__file__).parents[2] / "configs" / "definitions"

# id, workshop, production, nc, in service, link level now, hours since its newest good reading
PLANT = """
M1  A  yes  yes  yes      live        0
M2  A  yes  no   yes      data_valid  2
M3  A  yes  yes  yes      registered  23
M4  A  yes  yes  yes      registered  25
M5  B  yes  no   yes      reachable   -
M6  B  no   yes  yes      live        0
M7  B  yes  yes  retired  live        0
M8  C  no   no   yes      live        0
"""

# definition, scope: numerator / denominator
EXPECTED = {
    ("networked-rate/live", "enterprise"): (1, 5),  # M1 of M1 M2 M3 M4 M5
    ("networked-rate/live", "A"): (1, 4),
    ("networked-rate/live", "B"): (0, 1),
    ("networked-rate/live", "C"): (0, 0),
    ("networked-rate/miit-sme-2024", "enterprise"): (3, 5),  # M1 M2 M3: data within 24 hours
    ("networked-rate/miit-sme-2024", "A"): (3, 4),
    ("networked-rate/miit-sme-2024", "B"): (0, 1),
    ("networked-rate/miit-sme-2024", "C"): (0, 0),
    ("nc-rate/by-count", "enterprise"): (3, 5),  # M1 M3 M4; M6 is no production equipment, M7 retired
    ("nc-rate/by-count", "A"): (3, 4),
    ("nc-rate/by-count", "B"): (0, 1),
    ("nc-rate/by-count", "C"): (0, 0),
}


STATES = dict.fromkeys((f"M{i}" for i in range(1, 9)), MachineState.RUNNING)
STATES |= dict.fromkeys(("M4", "M5", "M6"), MachineState.UNKNOWN)


class Plant:
    """The table above as register and evidence."""

    def __init__(self) -> None:
        self.rows = [line.split() for line in PLANT.strip().splitlines()]
        self.register = Register(
            tuple(
                Equipment(
                    id=id,
                    name=id,
                    workshop=workshop,
                    production=production == "yes",
                    commissioned=date(2020, 5, 1),
                    nc=nc == "yes",
                    retired=date(2025, 1, 1) if service == "retired" else None,
                )
                for id, workshop, production, nc, service, _, _ in self.rows
            ),
            digest="d",
        )

    def _row(self, equipment: str) -> list[str]:
        return next(row for row in self.rows if row[0] == equipment)

    def level(self, equipment: str, now_ms: int) -> LinkLevel:
        assert now_ms == NOW
        return LinkLevel[self._row(equipment)[5].upper()]

    def last_good_ms(self, equipment: str) -> int | None:
        hours = self._row(equipment)[6]
        return None if hours == "-" else NOW - int(hours) * HOUR

    def good_readings(self, equipment: str, from_ms: int) -> int:
        last = self.last_good_ms(equipment)
        return 10 if last is not None and last >= from_ms else 0


@pytest.fixture(scope="module")
def definitions() -> dict[str, Definition]:
    return load_definitions([SHIPPED])


def statements(definition: Definition) -> Statements:
    plant = Plant()
    return Calculator(definition, "91330300MA00DEM06A", plant.register).statements(plant, STATES, NOW)


@pytest.mark.parametrize(("definition", "scope"), EXPECTED)
def test_figures_are_those_worked_out_by_hand(
    definitions: dict[str, Definition], definition: str, scope: str
) -> None:
    figures = {
        f.scope.id if f.scope.level == "workshop" else "enterprise": f
        for f in statements(definitions[definition]).figures
    }
    figure = figures[scope]
    numerator, denominator = EXPECTED[definition, scope]
    assert (figure.numerator, figure.denominator) == (numerator, denominator)
    if denominator:
        assert figure.rate == numerator / denominator
        assert figure.reason == ""
    else:
        assert figure.rate is None, "no denominator, no rate"
        assert figure.reason == "denominator_zero"


def test_every_machine_has_its_reason(definitions: dict[str, Definition]) -> None:
    rows = {r.equipment: r.reason for r in statements(definitions["networked-rate/live"]).equipment}
    assert rows == {
        "M1": "counted",
        "M2": "link_below_live",
        "M3": "link_below_live",
        "M4": "link_below_live",
        "M5": "link_below_live",
        "M6": "outside_denominator",
        "M7": "not_in_service",
        "M8": "outside_denominator",
    }
    rows = {r.equipment: r.reason for r in statements(definitions["nc-rate/by-count"]).equipment}
    assert rows["M2"] == "outside_numerator"


def test_unknown_machines_are_counted_within_the_denominator_only(
    definitions: dict[str, Definition],
) -> None:
    figures = statements(definitions["nc-rate/by-count"]).figures
    assert [f.unknown for f in figures] == [2, 1, 1, 0]


def test_the_receiver_can_recompute_a_figure_from_its_evidence(definitions: dict[str, Definition]) -> None:
    message = statements(definitions["networked-rate/miit-sme-2024"])
    for figure in message.figures:
        rows = [
            r
            for r in message.equipment
            if figure.scope.level == "enterprise" or r.workshop == figure.scope.id
        ]
        assert figure.numerator == sum(r.in_numerator for r in rows)
        assert figure.denominator == sum(r.in_denominator for r in rows)
        assert figure.unknown == sum(r.in_denominator and r.state == "unknown" for r in rows)
        assert figure.evidence == hashlib.sha256(encode(rows)).hexdigest()
    assert (message.from_, message.to) == (NOW - 24 * HOUR, NOW)


GOOD = """
id: x/y
version: 1
title: {zh: 甲, en: a}
standing: ours
source: {document: d, quote: q}
denominator: production
numerator: "true"
"""


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("denominator: production", "denominator: prodction"), "denominator: .*no column.*prodction"),
        (("denominator: production", "denominator: retired"), "denominator: .*no column.*retired"),
        (("denominator: production", 'denominator: "a =="'), "denominator"),
        (("standing: ours", "standing: mine"), "standing"),
        (("version: 1", "version: 0"), "version"),
        (("id: x/y", "id: xy"), "id"),
        (("version: 1", "version: 1\nextra: 1"), "extra"),
    ],
)
def test_a_wrong_definition_is_refused_with_file_and_field(
    tmp_path: Path, change: tuple[str, str], complaint: str
) -> None:
    (tmp_path / "d.yaml").write_text(GOOD.replace(*change), "utf-8")
    with pytest.raises(DefinitionError, match=rf"d\.yaml: {complaint}"):
        load_definitions([tmp_path])


def test_two_definitions_of_one_id_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD, "utf-8")
    (tmp_path / "b.yaml").write_text(GOOD, "utf-8")
    with pytest.raises(DefinitionError, match="x/y is already given"):
        load_definitions([tmp_path])
