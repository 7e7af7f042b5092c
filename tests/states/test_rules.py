import pytest

from edge_agent.model.batch import Value
from edge_agent.model.options import StateRule
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.states.rules import RuleSet

RULES = RuleSet(
    [
        StateRule(when="!power", state=MachineState.OFF),
        StateRule(when="alarm != 0", state=MachineState.ALARM, cause="alarm"),
        StateRule(when="status == 2", state=MachineState.RUNNING),
        StateRule(when="status == 1 || load < 0.5", state=MachineState.IDLE),
    ]
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"power": False, "alarm": 7, "status": 2, "load": 1.0}, ("off", "")),
        ({"power": True, "alarm": 7, "status": 2, "load": 1.0}, ("alarm", "alarm")),
        ({"power": True, "alarm": 0, "status": 2, "load": 1.0}, ("running", "")),
        ({"power": True, "alarm": 0, "status": 1}, ("idle", "")),
        ({"power": True, "alarm": 0, "status": 9, "load": 0.25}, ("idle", "")),
        ({"power": True, "alarm": 0, "status": 9, "load": 1.0}, ("unknown", "undecided")),
        # A tag that is not there decides nothing, although a later rule would hold.
        ({"power": True, "status": 2, "load": 1.0}, ("unknown", "bad_quality")),
        ({}, ("unknown", "bad_quality")),
        # But a rule that holds before it is asked for wins.
        ({"power": False}, ("off", "")),
        # A value of the wrong type cannot be judged.
        ({"power": 1, "alarm": 0, "status": 2}, ("unknown", "undecided")),
    ],
)
def test_first_match_wins_and_doubt_is_unknown(values: dict[str, Value], expected: tuple[str, str]) -> None:
    state, cause = expected
    assert RULES.decide(values) == StateWithCause(MachineState(state), cause)


def test_the_tags_that_rules_need() -> None:
    assert RULES.tags == ("alarm", "load", "power", "status")


def test_without_rules_nothing_is_decided() -> None:
    assert RuleSet([]).decide({}) == StateWithCause(MachineState.UNKNOWN, "undecided")
