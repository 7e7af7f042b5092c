"""Definitions: what each must say, and what is refused with its place."""

import os
from pathlib import Path

import pytest

from edge_agent.config.definitions import known_definitions, read_definitions
from edge_agent.indicators.definitions import Definition

NAMES = """
digital-rate/miit-sme-2024 networked-rate/miit-sme-2024 networked-rate/of-digital
networked-rate/of-should-connect networked-rate/of-key networked-rate/of-nc networked-rate/live
nc-rate/by-count nc-rate/by-asset-value key-process-nc-rate/discrete key-process-nc-rate/process-industry
key-equipment-nc-rate/by-count robot-density/ifr
"""

GOOD = """\
id: x/y
version: 1
title: {zh: 甲, en: a}
standing: ours
source: {document: d, quote: q}
denominator: production
numerator: "true"
"""


def read(folder: Path, text: str) -> tuple[dict[str, Definition], list[str]]:
    (folder / "d.yaml").write_text(text, "utf-8")
    found, problems = read_definitions([folder])
    return found, [str(problem).replace(f"{folder}{os.sep}", "") for problem in problems]


def test_all_that_were_promised_are_shipped() -> None:
    assert known_definitions().keys() == set(NAMES.split())


@pytest.mark.parametrize("name", NAMES.split())
def test_a_shipped_definition_says_where_it_is_from(name: str) -> None:
    definition = known_definitions()[name]
    assert definition.aggregation == "pooled"
    # Only the questionnaire's words were found; all others say that there are none to quote.
    assert bool(definition.source.quote) == (definition.standing == "questionnaire")
    assert bool(definition.source.without_quote) == (definition.standing != "questionnaire")


@pytest.mark.parametrize(
    ("old", "new", "place", "complaint"),
    [
        ("denominator: production", "denominator: prodction", "6:14: denominator", "not prodction"),
        ("denominator: production", "denominator: retired", "6:14: denominator", "not retired"),
        ("denominator: production", "denominator: asset_value > 1", "6:14: denominator", "not asset_value"),
        ("denominator: production", 'denominator: "a =="', "6:14: denominator", "a CEL expression"),
        ("denominator: production", "denominator: workshop", "6:14: denominator", "true or false"),
        ("denominator: production", "denominator: line > 3", "6:14: denominator", "true or false"),
        ("denominator: production", "denominator: headcount", "6:14: denominator", "belong together"),
        ('numerator: "true"', "numerator: control", "7:12: numerator", "not control"),
        ("denominator: production", "denominator: production && !production", "6:14: denominator", "no line"),
        ("denominator: production", "denominator: key == !key", "6:14: denominator", "no line"),
        (
            "denominator: production",
            'denominator: (nc || robot) && line == "A" && !nc && !robot',
            "6:14: denominator",
            "no line",
        ),
        ("denominator: production", 'denominator: "false"', "6:14: denominator", "no line"),
        ('numerator: "true"', "numerator: '!production'", "7:12: numerator", "of the denominator"),
        ('numerator: "true"', 'numerator: "false"', "7:12: numerator", "of the denominator"),
        (
            "denominator: production",
            "counts: process\ndenominator: key && industry == control",
            "7:14: denominator",
            "no line",
        ),
        (
            'denominator: production\nnumerator: "true"',
            "counts: process\ndenominator: control in ['plc', 'dcs']\nnumerator: control == 'cnc'",
            "8:12: numerator",
            "of the denominator",
        ),
        (
            'denominator: production\nnumerator: "true"',
            "unit: per_10000_employees\ndenominator: headcount\nnumerator: robot && !robot",
            "8:12: numerator",
            "of the denominator",
        ),
        ("standing: ours", "standing: mine", "4:11: standing", "one of: official text"),
        ("version: 1", "version: 0", "2:10: version", "at least 1"),
        ("id: x/y", "id: xy", "1:5: id", "text of the form"),
        ("version: 1", "version: 1\nextra: 1", "3:1: extra", "unknown key"),
        ("title: {zh: 甲, en: a}", "title: {zh: 甲}", "3:8: title", "both languages"),
        ("quote: q}", "without_quote: r, quote: q}", "5:9: source", "quote, or without_quote"),
        ("{document: d, quote: q}", "{document: d}", "5:9: source", "quote, or without_quote"),
        ("version: 1", "version: 1\ncounts: process", "7:14: denominator", "not production"),
        ("version: 1", "version: 1\nunit: per_10000_employees", "7:14: denominator", "belong together"),
        ("version: 1", "version: 1\neffective: {from: soon}", "3:19: effective.from", "a day, such as"),
        ("version: 1", "version: 1\nconnected: {level: live, window: 1h}", "3:12: connected", "data_valid"),
    ],
)
def test_a_wrong_definition_is_refused_with_file_line_and_field(
    tmp_path: Path, old: str, new: str, place: str, complaint: str
) -> None:
    found, problems = read(tmp_path, GOOD.replace(old, new))
    assert found == {}
    assert len(problems) == 1
    assert problems[0].startswith(f"d.yaml:{place}: ")
    assert complaint in problems[0]


@pytest.mark.parametrize(
    "more",
    [
        'denominator: line == "A" || line == "B"\nnumerator: workshop != "C"',
        'denominator: line == "A" && line == "B"\nnumerator: "true"',  # a contradiction of texts is not found
        'denominator: processes.exists(p, p == "OP10")\nnumerator: "!digital && processes.size() > 4"',
        "denominator: '!production'\nnumerator: nc == digital",
        "counts: process\ndenominator: equipment > 100 && key\nnumerator: nc_equipment == equipment",
        "counts: process\ndenominator: control == ''\nnumerator: industry == 'process'",
    ],
)
def test_what_may_hold_for_some_line_is_taken(tmp_path: Path, more: str) -> None:
    head = GOOD.partition("denominator:")[0]
    assert read(tmp_path, f"{head}{more}\n")[1] == []


@pytest.mark.parametrize(
    ("more", "field"),
    [("weight: asset_value", "weight"), ("connected: {level: live}", "connected")],
)
def test_processes_have_neither_weight_nor_connection(tmp_path: Path, more: str, field: str) -> None:
    text = GOOD.replace("production", "key") + f"counts: process\n{more}\n"
    assert any(f": {field}: " in problem for problem in read(tmp_path, text)[1])


def test_only_equipment_is_counted_per_employee(tmp_path: Path) -> None:
    text = GOOD.replace("production", "headcount") + "unit: per_10000_employees\nweight: asset_value\n"
    assert "nothing else" in read(tmp_path, text)[1][0]


def test_two_definitions_of_one_id_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD, "utf-8")
    found, problems = read(tmp_path, GOOD)
    assert list(found) == ["x/y"]
    assert problems == [
        'd.yaml:1:5: id: found "x/y", already in a.yaml:1:5 (expected: each definition with an id of its own)'
    ]


def test_every_file_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("id: [", "utf-8")
    found, problems = read(tmp_path, GOOD)
    assert list(found) == ["x/y"]
    assert len(problems) == 1
    assert problems[0].startswith("a.yaml:")


def test_the_digest_is_of_what_the_file_says(tmp_path: Path) -> None:
    digest = read(tmp_path, GOOD)[0]["x/y"].digest
    assert read(tmp_path, f"# a remark\n{GOOD}")[0]["x/y"].digest == digest
    assert read(tmp_path, GOOD.replace("production", "digital"))[0]["x/y"].digest != digest
