"""`edge-agent console password`, as a technician meets it."""

import pytest
from click.testing import CliRunner

from edge_agent.cli.console import console
from edge_agent.console.passwords import fits

GOOD = "gear box seven lathe"


def test_a_password_typed_twice_becomes_its_hash_and_nothing_else() -> None:
    done = CliRunner().invoke(console, ["password"], input=f"{GOOD}\n{GOOD}\n")
    assert done.exit_code == 0
    assert fits(GOOD, done.stdout.strip())
    assert GOOD not in done.output


@pytest.mark.parametrize(
    ("typed", "user", "said"),
    [
        (["short"], "", "shorter than 12"),
        (["wang is in the hall"], "wang", "name of the user"),
        ([GOOD, GOOD + "s"], "", "they differ"),
    ],
)
def test_what_is_weak_or_mistyped_is_refused(typed: list[str], user: str, said: str) -> None:
    done = CliRunner().invoke(console, ["password", "--user", user], input="\n".join(typed) + "\n")
    assert done.exit_code == 1
    assert said in done.stderr
    assert done.stdout == ""
