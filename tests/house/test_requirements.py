"""The pinned requirements fit what is asked for, and each other."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]


def pins(name: str) -> dict[str, list[Version]]:
    """Versions that a set of requirements pins, by package; more than one where markers choose."""
    found: dict[str, list[Version]] = {}
    for line in (ROOT / "requirements" / name).read_text().splitlines():
        if pin := re.match(r"([\w.-]+)==([^ ]+) ", line):
            found.setdefault(pin[1], []).append(Version(pin[2]))
    return found


def asked_for(*names: str) -> list[Requirement]:
    lines = [line for name in names for line in (ROOT / "requirements" / name).read_text().splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def declared(extra: str | None = None) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [
        Requirement(line)
        for line in (project["optional-dependencies"][extra] if extra else project["dependencies"])
    ]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("build.txt", asked_for("build.in")),
        ("run.txt", declared()),
        ("package.txt", [*declared(), *declared("report")]),
        ("demo.txt", [*declared(), *declared("demo"), *asked_for("build.in")]),
        (
            "test.txt",
            [*declared(), *declared("demo"), *declared("report"), *asked_for("build.in", "test.in")],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_pins_fit_what_is_asked_for(name: str, wanted: list[Requirement]) -> None:
    """Fails after a change in pyproject.toml or requirements/*.in until `make lock` has run."""
    pinned = pins(name)
    for requirement in wanted:
        if requirement.marker is None or requirement.marker.evaluate():
            versions = pinned.get(canonicalize_name(requirement.name), [])
            assert versions, f"{requirement} is not pinned"
            assert any(requirement.specifier.contains(version) for version in versions), (
                f"{requirement}: {versions}"
            )


@pytest.mark.parametrize("name", ["build.txt", "run.txt", "package.txt", "demo.txt"])
def test_what_is_installed_is_what_was_tested(name: str) -> None:
    tested = pins("test.txt")
    assert {package: tested.get(package) for package in pins(name)} == pins(name)
