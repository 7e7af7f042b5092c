"""The pages about machine time say what the code does."""

import json
import re
from typing import Any

from edge_agent.indicators.accounts_due import MADE_UP_MS
from edge_agent.indicators.kpis import KPIS, Missing, Reason
from tests.house.documents import ROOT, text_of

INDICATORS = ROOT / "docs" / "indicators.md"
CONTRACT = ROOT / "docs" / "contract.md"


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading of the page."""
    section = text_of(INDICATORS).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def example() -> dict[str, Any]:
    section = text_of(CONTRACT).partition("\n## `account/")[2]
    (text,) = re.findall(r"^```json\n(.*?)^```$", section.partition("\n## ")[0], re.M | re.S)
    found: dict[str, Any] = json.loads(text)
    return found


def test_key_figures_are_listed_as_they_are() -> None:
    assert rows("Key figures") == [[f"`{kpi.id}`", kpi.zh, kpi.formula, kpi.unit] for kpi in KPIS]


def test_inputs_that_can_be_missing_are_listed_as_they_are() -> None:
    assert [row[0].strip("`") for row in rows("What can be missing")] == list(Missing)


def test_reasons_are_listed_as_they_are() -> None:
    assert [row[0].strip("`") for row in rows("What can be wrong with the counts")] == list(Reason)
    assert set(Reason) <= set(re.findall(r"`([a-z_]+)`", text_of(CONTRACT)))


def test_the_kinds_of_period_are_those_that_are_sent() -> None:
    section = text_of(CONTRACT).partition("\n## `account/")[2].partition("\n## ")[0]
    assert " or ".join(f"`{kind}`" for kind in MADE_UP_MS) in section


def test_the_times_of_the_example_add_up_and_its_figures_follow() -> None:
    account = example()
    assert sum(line["ms"] for line in account["times"]) == account["to"] - account["from"]
    planned = sum(line["ms"] for line in account["planned"])
    running = sum(line["ms"] for line in account["planned"] if line["state"] == "running")
    figures = {figure["id"]: figure for figure in account["figures"]}
    availability = figures["availability/iso-22400-2"]
    assert (availability["numerator"], availability["denominator"]) == (running, planned)
    for figure in figures.values():
        if figure["value"] is not None:
            assert figure["value"] == figure["numerator"] / figure["denominator"]
    assert list(figures) == [kpi.id for kpi in KPIS]
