"""YAML as people write it, and as it must be understood."""

from pathlib import Path

import pytest

from edge_agent.config.yaml_files import parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("12:30", "12:30"),
        ("1:20:30", "1:20:30"),
        ("2021-03-01", "2021-03-01"),
        ("1_000", "1_000"),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-7", -7),
        (".inf", ".inf"),
        ("NaN", "NaN"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("'5'", "5"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        ("3.1.1", "3.1.1"),
        ("=", "="),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(tmp_path: Path, written: str, value: object) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"key: {written}\n")
    tree, problems = parse_yaml(file)
    assert problems == []
    assert tree is not None
    read = tree.plain()
    assert isinstance(read, dict)
    assert read["key"] == value
    assert type(read["key"]) is type(value)


def test_every_value_has_its_place(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a:\n  - x\n  - b: 1\n    c: {d: 2}\n")
    tree, _ = parse_yaml(file)
    assert tree is not None
    places = {node.route: (node.place.line, node.place.column) for node in tree.walk()}
    assert places == {
        (): (1, 1),
        ("a",): (2, 3),
        ("a", 0): (2, 5),
        ("a", 1): (3, 5),
        ("a", 1, "b"): (3, 8),
        ("a", 1, "c"): (4, 8),
        ("a", 1, "c", "d"): (4, 12),
    }


def test_a_folder_is_merged_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text("list: [3]\nmap: {y: {z: 2}}\n")
    (tmp_path / "a.yaml").write_text("list: [1, 2]\nmap: {x: 1, y: {a: 1}}\nonly: a\n")
    (tmp_path / "c.yaml").write_text("# nothing yet\n")
    source = read_yaml(tmp_path)
    assert source.problems == []
    assert source.root.plain() == {"list": [1, 2, 3], "map": {"x": 1, "y": {"a": 1, "z": 2}}, "only": "a"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf_8_with_and_without_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.yaml").write_text("name: 一车间\n", encoding=encoding)
    assert read_yaml(tmp_path / "a.yaml").root.plain() == {"name": "一车间"}


def test_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("id: x\nname: 一车间\n".encode("gbk"))
    (problem,) = read_yaml(tmp_path / "a.yaml").problems
    assert (problem.line, problem.found) == (2, "is not UTF-8")


def test_a_forbidden_character_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"id: x\nname: \x07\n")
    (problem,) = read_yaml(tmp_path / "a.yaml").problems
    assert problem.found == "forbidden character U+0007"


def test_no_such_file(tmp_path: Path) -> None:
    (problem,) = read_yaml(tmp_path / "a.yaml").problems
    assert problem.found == "there is no such file or folder"
