"""Who gets in: passwords, sessions, attempts, a proxy's word and a program's token, without a server."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.console import ConsoleOptions, Role
from edge_agent.console.attempts import Attempts
from edge_agent.console.passwords import fits, hashed, weakness
from edge_agent.console.sessions import Sessions
from edge_agent.console.sign_in import (
    ADDRESS_FAILURES,
    EVERYBODY,
    PROXIED_STREAM_S,
    STREAM_PATH,
    USER_EVERY_S,
    USER_FAILURES,
    Refused,
    SignIn,
)

PASSWORD = "gear box seven lathe"  # noqa: S105 - of nobody
HASH = hashed(PASSWORD)
TOKEN = "t0k3n-of-prometheus-0123456789abcdef"  # noqa: S105 - of nobody
OPTIONS: dict[str, Any] = {
    "sign_in": {
        "users": [
            {"name": "wang", "role": "technician", "password": HASH},
            {"name": "office", "password": hashed("coolant hose nine drill")},
        ],
        "token": TOKEN,
        "proxy": {"addresses": ["10.1.0.0/24"], "groups": {"maintenance": "technician", "office": "viewer"}},
    }
}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sign_in(clock: Clock) -> SignIn:
    return SignIn(ConsoleOptions.model_validate(OPTIONS), clock)


def asking(address: str = "192.168.1.7", **headers: str) -> dict[str, Any]:
    return {
        "path": "/api/v1/overview",
        "client": (address, 50000),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }


def begin(one: SignIn, user: str, password: str, address: str = "192.168.1.7") -> str | Refused:
    return asyncio.run(one.begin(user, password, asking(address)))


def token_of(begun: str | Refused) -> str:
    assert isinstance(begun, str)
    return begun


# Passwords.


@pytest.mark.parametrize(
    "password",
    ["", "short", "elevenchars", "aaaaaaaaaaaaaaaa", "121212121212", "Password123456", "wang-is-the-best!"],
)
def test_what_is_easily_guessed_is_refused(password: str) -> None:
    assert weakness(password, "Wang")


@pytest.mark.parametrize("password", [PASSWORD, "车床钻头铣刀夹具冷却液泵站", "x8!kQ2-vNm4p"])
def test_a_good_password_fits_its_hash_and_no_other(password: str) -> None:
    assert weakness(password, "wang") == ""
    made = hashed(password)
    assert made != hashed(password)
    assert fits(password, made)
    assert not fits(password + " ", made)
    assert not fits(password, HASH) or password == PASSWORD


def test_a_password_as_long_as_a_book_is_not_even_looked_at() -> None:
    assert not fits("a" * 100_000, HASH)


# Attempts.


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 100)), max_size=60))
def test_nobody_fails_more_often_than_may_be(tries: list[tuple[str, float]]) -> None:
    clock = Clock()
    attempts = Attempts(3, 10.0, clock)
    failed: dict[str, list[float]] = {}
    for key, pause_s in tries:
        clock.now += pause_s
        if attempts.wait_s(key) == 0:
            attempts.begun(key)
            failed.setdefault(key, []).append(clock.now)
    for times in failed.values():
        for first in times:
            for last in (one for one in times if one >= first):
                count = sum(first <= one <= last for one in times)
                assert count <= 3 + (last - first) / 10.0 + 1e-6


def test_what_is_remembered_of_attempts_is_bounded() -> None:
    attempts = Attempts(3, 10.0, Clock(), kept=5)
    for number in range(100):
        attempts.begun(str(number))
    assert len(attempts) == 5


def test_a_success_takes_back_its_own_attempt_alone(clock: Clock) -> None:
    attempts = Attempts(2, 10.0, clock)
    attempts.begun("a")
    attempts.begun("a")
    attempts.succeeded("a")
    assert attempts.wait_s("a") == 0
    attempts.begun("a")
    assert attempts.wait_s("a") == pytest.approx(10.0)


# Sessions.


def test_a_session_ends_without_use_and_however_it_is_used(clock: Clock) -> None:
    sessions = Sessions(100.0, 250.0, clock)
    idle, busy = sessions.begin("a", Role.VIEWER), sessions.begin("b", Role.VIEWER)
    for _ in range(3):
        clock.now += 80
        sessions.use(busy)
    assert sessions.find(idle) is None
    assert sessions.find(busy) is not None
    clock.now += 20
    sessions.use(busy)
    assert sessions.find(busy) is None
    assert len(sessions) == 0


def test_only_so_many_are_signed_in_and_the_one_who_was_away_longest_goes(clock: Clock) -> None:
    sessions = Sessions(100.0, 250.0, clock, kept=3)
    tokens = [sessions.begin(str(number), Role.VIEWER) for number in range(3)]
    sessions.use(tokens[0])
    sessions.begin("one more", Role.VIEWER)
    assert [sessions.find(token) is not None for token in tokens] == [True, False, True]
    assert len(set(tokens)) == 3


# Signing in.


def test_the_right_password_begins_a_session_with_the_users_role(sign_in: SignIn) -> None:
    token = token_of(begin(sign_in, "wang", PASSWORD))
    who = sign_in.who(asking(cookie=f"theme=dark; edge-agent={token}"))
    assert who is not None
    assert (who.user, who.role) == ("wang", Role.TECHNICIAN)
    assert sign_in.who(asking(cookie=f"edge-agent={token}x")) is None
    sign_in.end(asking(cookie=f"edge-agent={token}"))
    assert not who.lasts()
    assert sign_in.who(asking(cookie=f"edge-agent={token}")) is None


@pytest.mark.parametrize(
    ("user", "password"), [("wang", "wrong"), ("nobody", PASSWORD), ("", ""), ("office", PASSWORD)]
)
def test_nobody_else_gets_in_and_all_hear_the_same(sign_in: SignIn, user: str, password: str) -> None:
    assert begin(sign_in, user, password) == Refused("user or password is wrong")


def test_an_unknown_user_costs_as_much_as_a_known_one(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    def fits_anything(_: str, known_hash: str) -> bool:
        checked.append(known_hash)
        return True

    monkeypatch.setattr("edge_agent.console.sign_in.fits", fits_anything)
    assert isinstance(begin(sign_in, "nobody", "x"), Refused)
    assert checked == [HASH]


def test_what_was_typed_into_the_wrong_field_is_not_logged(
    sign_in: SignIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    begin(sign_in, PASSWORD, "x")
    begin(sign_in, "wang", "coolant")
    begin(sign_in, "wang", PASSWORD)
    assert PASSWORD not in caplog.text
    assert "coolant" not in caplog.text
    assert [one.getMessage() for one in caplog.records if one.name.startswith("edge_agent")] == [
        "page: sign-in failed for an unknown user from 192.168.1.7",
        "page: sign-in failed for wang from 192.168.1.7",
        "page: wang (technician) signed in from 192.168.1.7",
    ]


def test_one_address_may_guess_only_so_often(sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.console.sign_in.fits", lambda *_: False)
    for number in range(ADDRESS_FAILURES):
        begin(sign_in, f"user{number}", "x")
    refused = begin(sign_in, "wang", PASSWORD)
    assert isinstance(refused, Refused)
    assert refused.wait_s > 0
    assert begin(sign_in, "wang", "x", "192.168.1.8") == Refused("user or password is wrong")


def test_whoever_has_an_ipv6_network_has_one_address(
    sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.console.sign_in.fits", lambda *_: False)
    for number in range(ADDRESS_FAILURES):
        begin(sign_in, f"user{number}", "x", f"fd00::{number:x}")
    refused = begin(sign_in, "wang", "x", "fd00::ffff")
    assert isinstance(refused, Refused)
    assert refused.wait_s > 0


def test_one_user_is_guessed_only_so_often_from_everywhere(
    sign_in: SignIn, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.console.sign_in.fits", lambda *_: False)
    for number in range(USER_FAILURES):
        begin(sign_in, "wang", "x", f"192.168.2.{number}")
    refused = begin(sign_in, "wang", "x", "192.168.3.1")
    assert isinstance(refused, Refused)
    assert 0 < refused.wait_s <= USER_EVERY_S
    clock.now += refused.wait_s
    monkeypatch.setattr("edge_agent.console.sign_in.fits", lambda *_: True)
    assert isinstance(begin(sign_in, "wang", "x", "192.168.3.1"), str)


def test_a_page_that_asks_by_itself_keeps_nobody_signed_in(sign_in: SignIn, clock: Clock) -> None:
    token = token_of(begin(sign_in, "wang", PASSWORD))
    for _ in range(4):
        clock.now += 600
        found = sign_in.who(asking(cookie=f"edge-agent={token}", x_background="1"))
    assert found is None
    token = token_of(begin(sign_in, "wang", PASSWORD))
    for _ in range(4):
        clock.now += 600
        found = sign_in.who({**asking(cookie=f"edge-agent={token}"), "path": STREAM_PATH})
    assert found is None
    token = token_of(begin(sign_in, "wang", PASSWORD))
    for _ in range(4):
        clock.now += 600
        found = sign_in.who(asking(cookie=f"edge-agent={token}"))
    assert found is not None


# A proxy, and programs.


def test_a_proxy_is_believed_where_it_stands_alone(sign_in: SignIn, clock: Clock) -> None:
    said = {"x_forwarded_user": "li@works.lan", "x_forwarded_groups": "all, maintenance"}
    who = sign_in.who(asking("10.1.0.5", **said))
    assert who is not None
    assert (who.user, who.role) == ("li@works.lan", Role.TECHNICIAN)
    assert who.lasts()
    clock.now += PROXIED_STREAM_S
    assert not who.lasts()
    assert sign_in.who(asking("::ffff:10.1.0.5", **said)) is not None
    assert sign_in.who(asking("10.1.1.5", **said)) is None
    assert sign_in.who(asking("", **said)) is None


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        ("office", Role.VIEWER),
        ("office,maintenance", Role.TECHNICIAN),
        ("Office", None),
        ("", None),
        ("maint", None),
    ],
)
def test_the_groups_decide_the_role(sign_in: SignIn, groups: str, role: Role | None) -> None:
    who = sign_in.who(asking("10.1.0.5", x_forwarded_user="li", x_forwarded_groups=groups))
    assert (who.role if who is not None else None) is role


def test_of_two_headers_nobody_knows_who_wrote_which(sign_in: SignIn) -> None:
    scope = asking("10.1.0.5", x_forwarded_user="li", x_forwarded_groups="office")
    scope["headers"].append((b"x-forwarded-groups", b"maintenance"))
    assert sign_in.who(scope) is None


@pytest.mark.parametrize("user", ["", "a\x07b", "x" * 200])
def test_a_name_that_is_none_is_refused(sign_in: SignIn, user: str) -> None:
    assert sign_in.who(asking("10.1.0.5", x_forwarded_user=user, x_forwarded_groups="office")) is None


def test_a_program_reads_with_its_token(sign_in: SignIn) -> None:
    who = sign_in.who(asking(authorization=f"Bearer {TOKEN}"))
    assert who is not None
    assert who.role is Role.VIEWER
    assert not sign_in.is_forged(who, "")
    for wrong in (f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer ", TOKEN):
        assert sign_in.who(asking(authorization=wrong)) is None


def test_without_a_token_in_the_configuration_none_fits(clock: Clock) -> None:
    without = {"sign_in": {"users": OPTIONS["sign_in"]["users"]}}
    one = SignIn(ConsoleOptions.model_validate(without), clock)
    assert one.who(asking(authorization="Bearer ")) is None
    assert one.who(asking("10.1.0.5", x_forwarded_user="li", x_forwarded_groups="office")) is None


def test_each_has_an_anti_forgery_token_of_their_own(sign_in: SignIn) -> None:
    first, second = (sign_in.session(token_of(begin(sign_in, "wang", PASSWORD))) for _ in range(2))
    assert len({sign_in.csrf(first), sign_in.csrf(second), sign_in.csrf(None), sign_in.csrf(EVERYBODY)}) == 4
    assert not sign_in.is_forged(first, sign_in.csrf(first))
    for wrong in ("", sign_in.csrf(second), sign_in.csrf(None), "ü"):
        assert sign_in.is_forged(first, wrong)


def test_where_nobody_needs_to_sign_in_all_may_try_things_out() -> None:
    one = SignIn(ConsoleOptions())
    assert one.who(asking()) is EVERYBODY
    assert one.is_forged(EVERYBODY, "")
