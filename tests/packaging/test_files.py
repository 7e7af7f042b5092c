"""The files by which the agent gets onto a gateway, as far as that can be seen without installing it."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_agent import __version__
from edge_agent.cli.demo import demo
from edge_agent.cli.health import SILENT_S
from edge_agent.cli.run import EXIT_CONFIG, EXIT_UNUSABLE
from edge_agent.config.site import load_site
from edge_agent.simulator import stage

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
UNIT = PACKAGING / "systemd" / "edge-agent.service"
SCRIPTS = [
    *(PACKAGING / "bundle").iterdir(),
    *(PACKAGING / "debian" / name for name in ("postinst", "prerm", "postrm")),
    *PACKAGING.glob("build-*"),
    PACKAGING / "slim",
    *(path for path in (ROOT / "scripts").iterdir() if path.suffix in ("", ".sh") and path.is_file()),
]


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False
    )


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A tree in which systemd finds the unit, what it starts and what it is ordered by."""
    units = tmp_path / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    shutil.copy(UNIT, units)
    for name in ("network-online", "time-sync", "multi-user", "sysinit", "basic", "shutdown"):
        (units / f"{name}.target").write_text("[Unit]\nDescription=x\nDefaultDependencies=no\n")
    for program in ("usr/bin/edge-agent", "bin/sh"):
        (tmp_path / program).parent.mkdir(parents=True)
        (tmp_path / program).touch(0o755)
    return tmp_path


@pytest.mark.parametrize("serial", [False, True])
def test_systemd_has_nothing_to_say_of_the_unit(system: Path, serial: bool) -> None:
    if serial:
        drop_ins = system / "etc/systemd/system/edge-agent.service.d"
        drop_ins.mkdir()
        shutil.copy(PACKAGING / "systemd" / "serial.conf", drop_ins)
    done = run("systemd-analyze", "verify", "--man=no", f"--root={system}", "edge-agent.service")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_unit_is_closed_off() -> None:
    done = run("systemd-analyze", "security", "--offline=yes", "--threshold=20", UNIT)
    assert done.returncode == 0, done.stdout[-2000:]


def test_the_health_check_and_the_watchdog_wait_alike() -> None:
    (watchdog,) = re.findall(r"^WatchdogSec=(\d+)s$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert int(watchdog) == SILENT_S


def test_what_only_a_person_can_heal_is_not_tried_again() -> None:
    (statuses,) = re.findall(r"^RestartPreventExitStatus=(.+)$", UNIT.read_text("utf-8"), re.MULTILINE)
    assert statuses.split() == [str(EXIT_CONFIG), str(EXIT_UNUSABLE)]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_have_no_common_mistake(script: Path) -> None:
    done = run("shellcheck", "--external-sources", "--exclude=SC1091", script)
    assert done.returncode == 0, done.stdout


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    for example in (PACKAGING / "example").iterdir():
        shutil.copy(example, tmp_path / example.name.removesuffix(".example"))
    agent = tmp_path / "agent.yaml"
    site = load_site(tmp_path)
    assert site.data_dir == Path("/var/lib/edge-agent")
    assert site.uplinks == ()
    # What is commented out is right, too.
    text = agent.read_text(encoding="utf-8")
    below = (
        text[text.index("# Without uplinks") :].replace("# Without", "## Without").replace("# The", "## The")
    )
    text = text[: text.index("# Without uplinks")] + re.sub(r"^# ", "", below, flags=re.MULTILINE)
    agent.write_text(text.replace("file:${CREDENTIALS_DIRECTORY}/secrets_region", "secret"), encoding="utf-8")
    site = load_site(tmp_path)
    assert [uplink.id for uplink in site.uplinks] == ["region"]
    assert site.console is not None


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = run(Path(sys.executable).parent / "hatchling", "build", "-t", "wheel", "-d", folder)
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("*.whl")
    return made


def test_the_wheel_has_what_runs_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    folders = {name.split("/")[0] for name in names}
    assert folders == {"edge_agent", "drivers", f"edge_agent-{__version__}.dist-info"}
    tracked = run("git", "ls-files", "edge_agent", "drivers", "configs").stdout.splitlines()
    wanted = {re.sub(r"^configs/", "edge_agent/shipped/", name) for name in tracked}
    assert {name for name in names if ".dist-info/" not in name} == wanted


def test_the_wheel_runs_by_itself(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path)
    program = "import sys; sys.path.insert(0, sys.argv.pop(1)); from edge_agent.cli.main import main; main()"
    done = run(sys.executable, "-I", "-c", program, tmp_path, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "modbus" in done.stdout, "drivers are found by their entry points"
    assert (
        run(sys.executable, "-I", "-c", program, tmp_path, "--version").stdout.strip().endswith(__version__)
    )


ALLOWED = {
    "MIT-CMU",
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "PSF-2.0", "Zlib",
    # How older packages say the same.
    "3-Clause BSD License", "Apache 2.0", "Apache Software License", "BSD", "BSD License", "MIT License",
    "ISC License (ISCL)",
}  # fmt: skip
WEIGHED = {
    "asyncua": {"GNU Lesser General Public License v3 or later (LGPLv3+)"},
    "certifi": {"Mozilla Public License 2.0 (MPL 2.0)"},
    "paho-mqtt": {"EPL-2.0", "BSD-3-Clause"},
}
"""Licences that ask for more than their text; docs/dependencies.md says how that is met."""


def licences(package: str) -> set[str]:
    about = metadata.metadata(package)
    if "License-Expression" in about:
        return set(re.split(r" (?:AND|OR) ", about["License-Expression"]))
    classifiers = [line for line in about.get_all("Classifier", []) if line.startswith("License ::")]
    return {line.split(" :: ")[-1] for line in classifiers} or {about["License"]}


def test_every_library_of_a_gateway_may_be_passed_on() -> None:
    packages = re.findall(r"^([\w.-]+)==", (ROOT / "requirements/package.txt").read_text(), re.MULTILINE)
    for package in set(packages) - {"colorama"}:  # on Windows alone
        assert licences(package) <= WEIGHED.get(package, ALLOWED), package


LOAD_ALL = """
import importlib, pkgutil, sys
for package in ("edge_agent", "drivers"):
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(*sys.modules)
"""


def test_nothing_is_loaded_that_packages_are_slimmed_of() -> None:
    removed = re.findall(r"^rm -rf? ([^#\n]+)", (PACKAGING / "slim").read_text("utf-8"), re.MULTILINE)
    names = {name.rstrip("*").replace("/", ".") for line in removed for name in line.split()}
    assert {"numpy.f2py", "numpy.distutils", "pygments", "typer"} <= names
    done = run(sys.executable, "-c", LOAD_ALL)
    assert done.returncode == 0, done.stderr
    assert not names & set(done.stdout.split())


def test_a_demo_without_its_broker_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "find_spec", lambda _: None)
    done = CliRunner().invoke(demo, [])
    assert done.exit_code == 1
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (wanted,) = project["optional-dependencies"]["demo"]
    assert f'pip install "{wanted}"' in done.output
