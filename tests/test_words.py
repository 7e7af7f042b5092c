"""There is a word for everything that is said by a fixed one, in both languages."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import pytest

from edge_agent import words
from edge_agent.indicators.claims import ClaimKind
from edge_agent.indicators.kpis import Missing
from edge_agent.indicators.targets import Verdict, WhyNot
from edge_agent.model.link import LinkLevel
from edge_agent.model.state import MachineState


@pytest.mark.parametrize(
    ("said", "of"),
    [
        (words.STATES, MachineState),
        (words.LINKS, LinkLevel),
        (words.CLAIMS, ClaimKind),
        (words.MISSING, Missing),
        (words.VERDICTS, Verdict),
        (words.WHY_NOT, WhyNot),
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
