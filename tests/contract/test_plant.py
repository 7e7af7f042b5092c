"""Several gateways of one plant: a machine counts once, whoever sees it."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.cli.main import main
from edge_agent.config.definitions import known_definitions
from edge_agent.contract.messages import Figure, Scope, Statements, encode
from edge_agent.contract.plant import NotTogetherError, together
from edge_agent.indicators.calculate import Calculator
from edge_agent.indicators.definitions import Definition
from edge_agent.model.equipment import Register
from edge_agent.model.link import LinkLevel
from edge_agent.model.state import MachineState
from tests.indicators.plant import ENTERPRISE, NOW, REGISTER, ROWS, STATES, TableEvidence, statements

DEFINITIONS = known_definitions()
NAMES = st.sampled_from(sorted(DEFINITIONS))
LIVE = "networked-rate/live"


class Sees(TableEvidence):
    """What one gateway proves: of the machines that it does not see, nothing."""

    def __init__(self, seen: frozenset[str]) -> None:
        self._seen = seen

    def level(self, equipment: str, now_ms: int) -> LinkLevel:
        return super().level(equipment, now_ms) if equipment in self._seen else LinkLevel.REGISTERED

    def last_good_ms(self, equipment: str) -> int | None:
        return super().last_good_ms(equipment) if equipment in self._seen else None


def seen_by(gateway: frozenset[str], definition: Definition, register: Register = REGISTER) -> Statements:
    states = {name: STATES[name] if name in gateway else MachineState.UNKNOWN for name in ROWS}
    return Calculator(definition, ENTERPRISE, register).statements(Sees(gateway), states, NOW)


def by_scope(figures: object) -> Mapping[Scope, Figure]:
    assert isinstance(figures, list | tuple)
    return {figure.scope: figure for figure in figures}


@settings(deadline=None)
@given(NAMES, st.lists(st.frozensets(st.sampled_from(sorted(ROWS))), min_size=1, max_size=4))
def test_gateways_with_one_register_state_together_what_one_that_sees_all_states(
    name: str, gateways: list[frozenset[str]]
) -> None:
    all_seen = frozenset[str]().union(*gateways)
    stated = {f"gw-{n}": seen_by(seen, DEFINITIONS[name]) for n, seen in enumerate(gateways)}
    plant = together(stated)
    assert by_scope(plant.figures) == by_scope(seen_by(all_seen, DEFINITIONS[name]).figures)
    assert plant.disagreements == []
    assert all(len(known) == len(gateways) for known in plant.seen_by.values())


@settings(deadline=None)
@given(
    NAMES.filter(lambda name: DEFINITIONS[name].counts == "equipment"),
    st.lists(st.frozensets(st.sampled_from(sorted(ROWS)), min_size=1), min_size=1, max_size=4),
)
def test_gateways_with_registers_of_their_own_state_together_what_is_in_any(
    name: str, gateways: list[frozenset[str]]
) -> None:
    definition, all_seen = DEFINITIONS[name], frozenset[str]().union(*gateways)

    def own(members: frozenset[str]) -> Register:
        return replace(REGISTER, equipment=tuple(e for e in REGISTER.equipment if e.id in members))

    stated = {f"gw-{n}": seen_by(seen, definition, own(seen)) for n, seen in enumerate(gateways)}
    plant = together(stated)
    assert by_scope(plant.figures) == by_scope(seen_by(all_seen, definition, own(all_seen)).figures)
    assert {name: len(known) for name, known in plant.seen_by.items()} == {
        name: sum(name in seen for seen in gateways) for name in all_seen
    }


def test_registers_that_disagree_are_told() -> None:
    moved = tuple(replace(e, workshop="B") if e.id == "M1" else e for e in REGISTER.equipment)
    definition = DEFINITIONS["nc-rate/by-count"]
    plant = together(
        {
            "gw-1": statements(definition),
            "gw-2": statements(definition, replace(REGISTER, equipment=moved, headcount=1)),
        }
    )
    assert plant.disagreements == ["M1: workshop differs (gw-1: A, gw-2: B)"]
    assert sum(f.numerator for f in plant.figures if f.scope.level == "workshop") == 3, "M1 is counted once"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"definition": {"digest": "0" * 64}}, "another text of the definition"),
        ({"figures": {"scope": {"id": "91330300MA00DEM06B"}}}, "another enterprise"),
    ],
)
def test_what_cannot_be_put_together_is_refused(change: Mapping[str, object], reason: str) -> None:
    one = statements(DEFINITIONS[LIVE])
    if "definition" in change:
        other = msgspec.structs.replace(
            one, definition=msgspec.structs.replace(one.definition, digest="0" * 64)
        )
    else:
        scope = Scope("enterprise", "91330300MA00DEM06B")
        other = msgspec.structs.replace(one, figures=[msgspec.structs.replace(one.figures[0], scope=scope)])
    with pytest.raises(NotTogetherError, match=f"gw-2.*{reason}"):
        together({"gw-1": one, "gw-2": other})


def test_nothing_is_refused() -> None:
    with pytest.raises(NotTogetherError, match="nothing"):
        together({})


def received(folder: Path, *rows: tuple[str, Statements]) -> Path:
    """As `edge-agent receive --sqlite` writes it."""
    path = folder / "messages.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE messages (gateway TEXT, seq INTEGER, topic TEXT, schema TEXT, message TEXT)")
        db.execute("CREATE TABLE newest (gateway TEXT, topic TEXT, message TEXT)")
        for seq, (gateway, one) in enumerate(rows, 1):
            text = encode(msgspec.structs.replace(one, seq=seq)).decode()
            db.execute(
                "INSERT INTO messages VALUES (?, ?, ?, 'fta.indicator/1', ?)", (gateway, seq, LIVE, text)
            )
    return path


def test_the_command_shows_the_plant_and_each_gateway(tmp_path: Path) -> None:
    definition = DEFINITIONS[LIVE]
    left, right = seen_by(frozenset({"M1"}), definition), seen_by(frozenset({"M2", "M1"}), definition)
    path = received(tmp_path, ("gw-1", right), ("gw-2", right), ("gw-1", left))
    done = CliRunner().invoke(main, ["plant", str(path)])
    assert done.exit_code == 0, done.output
    assert "20.0%  1/5" in done.output
    done = CliRunner().invoke(main, ["plant", str(path), "--json"])
    (plant,) = msgspec.json.decode(done.output)
    assert plant["seen_by"]["M1"] == ["gw-1", "gw-2"]
    done = CliRunner().invoke(main, ["plant", str(path), "--period", "month"])
    assert done.exit_code == 1
    assert "no such figures" in done.output
