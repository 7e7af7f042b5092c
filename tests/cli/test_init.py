"""`edge-agent init` with people, without them, and given up."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_agent.cli.init import init
from edge_agent.config.site import load_site

CODE = "91330300MA00DEM06A"
ENOUGH = ("--enterprise", CODE, "--region", "330300", "--workshop", "一车间", "--workshop", "二车间")
SETTLED = (*ENOUGH, "--broker", "none")
LIMIT_S = 60.0


def run(*options: str) -> Result:
    result = CliRunner().invoke(init, list(options))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize("template", ["csv", "xlsx"])
def test_what_is_written_is_accepted_and_names_the_next_steps(tmp_path: Path, template: str) -> None:
    folder = tmp_path / "new" / "site"
    result = run(str(folder), *SETTLED, "--template", template, "--name", '一厂 "${x}" #1')
    assert result.exit_code == 0
    site = load_site(folder)
    assert (site.gateway.enterprise, site.gateway.region, site.gateway.id) == (CODE, "330300", "gw-01")
    assert site.gateway.name == '一厂 "${x}" #1'
    assert site.register.workshops == ("一车间", "二车间")
    assert site.uplinks == ()
    assert sorted(path.name for path in folder.iterdir()) == ["10-gateway.yaml", f"register.{template}"]
    for command in ("check", "discover", "match", "run"):
        assert f"edge-agent {command}" in result.output
    assert [path.name for path in folder.parent.iterdir()] == ["site"]


def test_a_broker_with_a_password(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n", encoding="utf-8")
    folder = tmp_path / "site"
    at = ("--broker", "mqtt.example.com", "--username", "gw", "--password-file", str(secret))
    assert run(str(folder), *ENOUGH, *at).exit_code == 0
    (uplink,) = load_site(folder).uplinks
    options = uplink.model_dump()
    assert (options["host"], options["port"], options["tls"] is not None) == ("mqtt.example.com", 8883, True)
    assert uplink.password is not None
    assert uplink.password.get_secret_value() == "hunter2"


def test_without_people_all_that_is_missing_is_told(tmp_path: Path) -> None:
    result = run(str(tmp_path / "site"))
    assert result.exit_code == 2
    for option in ("--enterprise", "--region", "--workshop", "--broker"):
        assert option in result.output
    result = run(str(tmp_path / "site"), *ENOUGH, "--broker", "h:1883", "--username", "x")
    assert (result.exit_code, "--password-file" in result.output) == (2, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--enterprise", "91330300MA00DEM06B"), "check digit"),
        (("--region", "990000"), "province"),
        (("--broker", "mqtt://x"), "HOST"),
        (("--broker", "x:70000"), "HOST"),
        (("--gateway", "网关"), "letters"),
        (("--workshop", " "), "workshop"),
    ],
)
def test_a_wrong_option_is_told_and_nothing_is_written(
    tmp_path: Path, given: Sequence[str], told: str
) -> None:
    usual = {"--enterprise": CODE, "--region": "330300", "--workshop": "一车间", "--broker": "none"}
    options = usual | {given[0]: given[1]}
    result = run(str(tmp_path / "site"), *(part for option in options.items() for part in option))
    assert result.exit_code == 2
    assert told in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_register_with_mistakes_is_refused_and_one_without_is_referred_to(tmp_path: Path) -> None:
    register = tmp_path / "台账.csv"
    register.write_text("设备编号,设备名称,车间,数控\nA,车床,一车间,大概\n", encoding="gb18030")
    usual = (str(tmp_path / "site"), *SETTLED[:4], "--broker", "none", "--register", str(register))
    result = run(*usual)
    assert (result.exit_code, "D2" in result.output) == (2, True)
    register.write_text("设备编号,设备名称,车间,数控\nA,车床,一车间,是\n", encoding="gb18030")
    assert run(*usual).exit_code == 0
    assert list(load_site(tmp_path / "site").register.by_id) == ["A"]


def test_nothing_is_overwritten_unless_told(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    assert run(str(folder), *SETTLED, "--template", "csv").exit_code == 0
    (folder / "20-connections.yaml").write_text("connections: []\n", encoding="utf-8")
    before = (folder / "10-gateway.yaml").read_bytes()
    result = run(str(folder), *SETTLED, "--gateway", "gw-02")
    assert (result.exit_code, "--force" in result.output) == (1, True)
    assert (folder / "10-gateway.yaml").read_bytes() == before
    assert run(str(folder), *SETTLED, "--gateway", "gw-02", "--template", "csv", "--force").exit_code == 0
    assert load_site(folder).gateway.id == "gw-02"
    assert (folder / "20-connections.yaml").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run(str(tmp_path / "file" / "site"), *SETTLED)
    assert result.exit_code == 1
    assert "Traceback" not in result.output


def typed(folder: Path, answers: Sequence[str]) -> tuple[int, str]:
    """Exit status and screen of `init` in a terminal, with one answer to each question; ^C is Ctrl-C."""
    pty = pytest.importorskip("pty", reason="terminals are another thing on Windows")
    master, slave = pty.openpty()
    command = [sys.executable, "-c", "from edge_agent.cli.init import init; init()", str(folder)]
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, preexec_fn=_own_terminal
    )
    os.close(slave)
    screen, asked, left = b"", 0, list(answers)
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if select.select([master], [], [], 0.05)[0]:
            try:
                screen += os.read(master, 4096)
            except OSError:  # the terminal is gone with the process
                break
        elif left and screen.endswith(b": ") and len(screen) > asked:
            asked = len(screen) + len(left[0].encode())
            os.write(master, b"\x03" if left[0] == "^C" else f"{left[0]}\n".encode())
            left.pop(0)
    os.close(master)
    return process.wait(LIMIT_S), screen.decode()


def _own_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_people_are_asked_again_until_it_is_right(tmp_path: Path) -> None:
    answers = ["9133", CODE.lower(), "", "", "示范工厂", "", "一车间、二车间", "csv", "none"]
    status, screen = typed(tmp_path / "site", answers)
    assert status == 0, screen
    assert "18 characters" in screen
    site = load_site(tmp_path / "site")
    assert (site.gateway.region, site.gateway.name) == ("330300", "示范工厂")  # the code's own region
    assert site.register.workshops == ("一车间", "二车间")


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    status, screen = typed(tmp_path / "site", [CODE, "^C"])
    assert status == 1
    assert "nothing was written" in screen
    assert list(tmp_path.iterdir()) == []
