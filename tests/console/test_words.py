"""The catalogues of the page have a word for everything that the agent says, in both languages."""

import json
import re
from typing import get_args

import pytest

from edge_agent import words as everywhere
from edge_agent.config.models import Carried
from edge_agent.console.api import STATIC
from edge_agent.indicators.kpis import Missing
from edge_agent.indicators.periods import PeriodKind
from edge_agent.model.link import LinkLevel
from edge_agent.model.state import MachineState, UnknownCause
from edge_agent.statements import verification
from edge_agent.uplinks.uplink import UplinkState, UplinkStatistics
from edge_agent.words.failures import CAUSES
from tests.house.documents import event_kinds, text_of

Words = dict[str, dict[str, str]]

SCRIPTS = "".join(text_of(path) for path in sorted(STATIC.glob("*.js")))


def catalogue(language: str) -> Words:
    words: Words = json.loads(text_of(STATIC / f"{language}.json"))
    return words


def test_both_have_the_same_words_and_none_is_empty() -> None:
    chinese, english = catalogue("zh"), catalogue("en")
    assert {group: set(words) for group, words in chinese.items()} == {
        group: set(words) for group, words in english.items()
    }
    assert all(word for words in (*chinese.values(), *english.values()) for word in words.values())


def test_what_is_put_into_words_is_the_same() -> None:
    chinese, english = catalogue("zh"), catalogue("en")
    for group, words in chinese.items():
        for key, word in words.items():
            assert set(re.findall(r"{\w+}", word)) == set(re.findall(r"{\w+}", english[group][key])), key


def test_every_word_that_the_scripts_use_is_there() -> None:
    words = catalogue("en")
    used = set(re.findall(r'\btf?\("(\w+)\.(\w+)"', SCRIPTS))
    assert len(used) > 100
    assert [key for key in used if key[1] not in words[key[0]]] == []


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("states", set(MachineState)),
        ("links", {level.label for level in LinkLevel}),
        ("causes", set(UnknownCause)),
        ("reasons", set(everywhere.REASONS)),
        ("missing", set(Missing)),
        ("events", event_kinds()),
        ("uplink_states", set(UplinkState)),
        ("uplink_means", set(UplinkState)),
        ("uplink_todo", set(UplinkState)),
        ("checks", set(verification.KINDS.values())),
        ("statistics", set(UplinkStatistics.__dataclass_fields__)),
        ("carries", set(get_args(Carried))),
        ("periods", {PeriodKind.DAY, PeriodKind.MONTH}),
    ],
)
def test_everything_that_the_agent_says_has_a_word(group: str, names: set[str]) -> None:
    assert set(map(str, names)) <= set(catalogue("zh")[group])


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ("states", everywhere.STATES),
        ("reasons", everywhere.REASONS),
        ("missing", everywhere.MISSING),
        ("causes", CAUSES),
    ],
)
def test_the_words_are_those_of_the_commands_and_the_report(
    group: str, words: dict[str, everywhere.Words]
) -> None:
    for language in ("zh", "en"):
        found = catalogue(language)[group]
        assert {key: found.get(key) for key in map(str, words)} == {
            str(key): word.zh if language == "zh" else word.en for key, word in words.items()
        }
