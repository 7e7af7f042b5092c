"""What a technician reads is there in both languages, stays together, and says what the agent says."""

from pathlib import Path

import pytest

from edge_agent.words import Language
from edge_agent.words.events import EVENTS
from edge_agent.words.failures import CAUSES, FAILURES
from tests.house.documents import ROOT, TWINS, fences, name_of, outline, table_rows, text_of

ENGLISH, CHINESE = ROOT / "docs" / "troubleshooting.md", ROOT / "docs" / "troubleshooting.zh-CN.md"
in_both = pytest.mark.parametrize(("page", "language"), [(ENGLISH, "en"), (CHINESE, "zh")])
twins = pytest.mark.parametrize(("english", "chinese"), TWINS, ids=[name_of(one) for one, _ in TWINS])


def test_the_pages_of_the_technician_have_a_twin() -> None:
    assert {page.stem for page, _ in TWINS} >= {"install", "commissioning", "troubleshooting"}


@twins
def test_twins_lead_to_each_other(english: Path, chinese: Path) -> None:
    assert f"[中文]({chinese.name})" in text_of(english)
    assert f"[English]({english.name})" in text_of(chinese)


@twins
def test_twins_have_the_same_structure(english: Path, chinese: Path) -> None:
    assert outline(english) == outline(chinese)
    assert table_rows(english) == table_rows(chinese)


@twins
def test_twins_show_the_same_commands_and_outputs(english: Path, chinese: Path) -> None:
    assert fences(english) == fences(chinese)


@in_both
def test_every_failure_is_told_with_what_to_do(page: Path, language: Language) -> None:
    text = text_of(page)
    for failure in FAILURES.values():
        assert f"| {failure.what.of(language)} | {failure.todo.of(language)} |" in text


@in_both
def test_every_cause_of_an_unknown_state_is_told(page: Path, language: Language) -> None:
    text = text_of(page)
    for cause, words in CAUSES.items():
        assert f"| `{cause}` | {words.of(language)} |" in text


@in_both
def test_every_event_is_told(page: Path, language: Language) -> None:
    """In the words of the page, up to the first thing that is filled in."""
    text = text_of(page)
    for kind, words in EVENTS.items():
        assert f"| `{kind}` | {words.of(language).partition('{')[0]}" in text
