"""The house itself: what is kept in it, what each driver admits to, and that its own instructions hold."""

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, model_validator
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
DRIVERS = sorted({path.parent for path in (ROOT / "drivers").glob("*/*.py")})

REGISTRY_HOSTS = [
    rb"pypi\.org",
    rb"pythonhosted\.org",
    rb"registry\.npmjs\.",
    rb"registry\.yarnpkg\.",
    rb"(deb|security|snapshot|ftp)[\w.]*\.debian\.org",
]
HOMES = [rb"/home/\w+/", rb"/Users/\w+/", rb"/root/\w+"]


@cache
def kept_files() -> dict[str, bytes]:
    """Path from the root -> content, of every file that is in git or would be added by `git add`."""
    listing = subprocess.run(
        # The checkout may belong to another user than the one who tests it.
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-coz", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    paths = [name.decode() for name in listing.split(b"\0") if name]
    return {name: (ROOT / name).read_bytes() for name in paths if (ROOT / name).is_file()}


def places(pattern: bytes) -> list[str]:
    """`path:line` of each line in the kept files that matches."""
    return [
        f"{name}:{number}"
        for name, content in kept_files().items()
        for number, line in enumerate(content.splitlines(), 1)
        if re.search(pattern, line)
    ]


def test_files_are_found() -> None:
    assert {"Makefile", "pyproject.toml", "tests/house/test_house.py"} <= kept_files().keys()


def test_no_file_names_a_registry_host() -> None:
    assert places(b"|".join(REGISTRY_HOSTS)) == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    assert places(b"|".join([re.escape(f"{ROOT}/".encode()), *HOMES])) == []


def test_readme_and_ci_run_the_same_command() -> None:
    *_, last_line = (ROOT / ".ci" / "run").read_text().splitlines()
    command = last_line.removeprefix("exec ")
    assert command == "make test"
    for readme in ("README.md", "README.zh-CN.md"):
        assert re.search(
            rf"^\s*(\$ )?{command}\b", (ROOT / readme).read_text(encoding="utf-8"), re.MULTILINE
        ), readme


class Rule(BaseModel):
    model_config = ConfigDict(extra="forbid")

    status: Literal["done", "todo", "exempt"]
    reason: str = ""

    @model_validator(mode="after")
    def gap_has_reason(self) -> "Rule":
        if self.status != "done" and not self.reason.strip():
            raise ValueError(f"{self.status} needs a reason")
        return self


class Quality(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rules: dict[str, Rule]


def rules_of_the_house() -> set[str]:
    page = (ROOT / "docs" / "driver-quality.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))


def test_drivers_and_rules_are_found() -> None:
    assert {driver.name for driver in DRIVERS} >= {"modbus", "opcua"}
    assert {"contract-tests", "read-only", "source-time"} <= rules_of_the_house()


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_driver_answers_for_every_rule(driver: Path) -> None:
    quality = Quality.model_validate(YAML(typ="safe").load(driver / "quality.yaml"))
    assert quality.rules.keys() == rules_of_the_house()
