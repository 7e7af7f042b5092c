"""There is a word for everything that is said by a fixed one, in both languages."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import pytest

from edge_agent import words
from edge_agent.indicators.claims import ClaimKind
from edge_agent.indicators.kpis import Missing
from edge_agent.indicators.targets import Verdict, WhyNot
from edge_agent.model.failure import FailureKind
from edge_agent.model.link import LinkLevel
from edge_agent.model.state import MachineState, UnknownCause
from edge_agent.words.events import EVENTS, FAILED, event_of, span_text
from edge_agent.words.failures import CAUSES, FAILURES, failure_of
from tests.house.documents import event_kinds


@pytest.mark.parametrize(
    ("said", "of"),
    [
        (words.STATES, MachineState),
        (words.LINKS, LinkLevel),
        (words.CLAIMS, ClaimKind),
        (words.MISSING, Missing),
        (words.VERDICTS, Verdict),
        (words.WHY_NOT, WhyNot),
        (CAUSES, UnknownCause),
        ({kind: one.what for kind, one in FAILURES.items()}, FailureKind),
        ({kind: one.todo for kind, one in FAILURES.items()}, FailureKind),
    ],
)
def test_there_are_words_for_all(said: Mapping[Any, words.Words], of: type[Enum]) -> None:
    assert said.keys() == set(of)
    for one in said.values():
        assert one.zh != one.en
        assert one.en.isascii()
        assert (one.of("zh"), one.of("en")) == (one.zh, one.en)
        assert one.both == f"{one.zh} {one.en}"


def test_a_reason_is_that_of_a_figure_or_of_a_target() -> None:
    assert words.why_not("denominator_zero").zh == "分母为零"
    assert words.why_not("no_baseline").en == "no baseline"


def test_a_failure_of_no_kind_is_told_by_its_cause() -> None:
    assert failure_of("host_unknown", "unreachable") is FAILURES[FailureKind.HOST_UNKNOWN]
    by_cause = failure_of("", "unreachable")
    assert by_cause.what is CAUSES[UnknownCause.UNREACHABLE]
    assert by_cause.todo.en.startswith("check that the device is on")
    assert failure_of("of a later version", "and so its cause").what.zh == "and so its cause"


def test_every_event_of_the_contract_has_a_sentence() -> None:
    assert set(EVENTS) | FAILED == event_kinds()


def test_a_sentence_has_what_the_detail_says() -> None:
    lost = event_of("equipment_lost", {"cause": "timeout", "error": "no_answer"})
    assert lost is FAILURES[FailureKind.NO_ANSWER]
    reset = event_of("counter_reset", {"tag": "parts", "before": 40, "after": 0})
    assert reset.what.en == "the counter parts was 40 and is now 0; it is counted on from there"
    over = event_of(
        "diagnostics_limit", {"unit": "", "name": "failed_share", "value": 0.25, "limit": 0.1, "x": 1}
    )
    assert over.what.zh == "请求失败率 为 0.25，超过 0.1"
    assert event_of("clock_step", {}).what.en == "the system clock was set forward by ?"
    assert event_of("of a later version", {}).what.en == ""


@pytest.mark.parametrize(
    ("ms", "text"), [(0, "0 s"), (400, "0.4 s"), (90_000, "1.5 min"), (5_400_000, "1.5 h"), (-9e7, "-1.04 d")]
)
def test_spans_are_told_in_the_unit_that_they_fill(ms: float, text: str) -> None:
    assert span_text(ms, "en") == text
