"""Forged figures do not get past the receiver; over a real mosquitto, with figures that a gateway signed."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from edge_agent.contract.messages import Settlement, StatementOfRecord, Statements, decode, encode
from edge_agent.contract.receiver import Delivery, Notice, Rules
from edge_agent.contract.signatures import flaw
from edge_agent.statements.keys import SigningKey, signed, signing_key
from tests.contract.test_receiver import QUICK, ROOT, Gateway, collect, event, gateway, receiving, subscribed
from tests.field.mosquitto import Mosquitto
from tests.house.test_docs import examples

KINDS = ["indicator", "statement", "settlement"]


def example(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(examples()[kind])
    return found


def judged(message: dict[str, Any]) -> str:
    payload = json.dumps(message).encode()
    decoded = decode(payload)
    assert isinstance(decoded, Statements | StatementOfRecord | Settlement)
    return flaw(decoded, payload)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_gateway_signed_is_right(kind: str) -> None:
    assert judged(example(kind)) == ""


def more_counted(message: dict[str, Any]) -> None:
    message["figures"][0]["numerator"] += 1


def another_reason(message: dict[str, Any]) -> None:
    lines = message.get("evidence", message)
    (lines["equipment"] if "equipment" in lines else lines["processes"])[0]["reason"] = "counted!"


def a_field_more(message: dict[str, Any]) -> None:
    message["rate_of_all"] = 1


def no_signature(message: dict[str, Any]) -> None:
    message["signature"] = ""


def another_key(message: dict[str, Any]) -> None:
    message["key"] = "00" * 32


def no_key(message: dict[str, Any]) -> None:
    message["key"] = "none"


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (more_counted, "not valid"),
        (another_reason, "the evidence"),
        (a_field_more, "not valid"),
        (no_signature, "not signed"),
        (another_key, "not valid"),
        (no_key, "not valid"),
    ],
)
def test_what_was_changed_is_found(tamper: Callable[[dict[str, Any]], None], said: str) -> None:
    for kind in ("indicator", "statement"):
        message = example(kind)
        tamper(message)
        assert said in judged(message), kind


def test_a_changed_settlement_is_found() -> None:
    message = example("settlement")
    message["fen"] -= 1
    assert "not valid" in judged(message)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as running:
        yield running


def figures(seq: int, key: SigningKey | None = None) -> bytes:
    """The example under a number; signed with another key if one is given."""
    message = decode(json.dumps({**example("indicator"), "seq": seq}).encode())
    assert isinstance(message, Statements)
    return encode(message if key is None else replace(signed(message, key), seq=seq))


def send(played: Gateway, payload: bytes) -> None:
    played.send(payload, "indicator/networked-rate/live")


def test_a_forged_message_does_not_take_the_place_of_the_real_one(broker: Mosquitto) -> None:
    async def run() -> None:
        with gateway(broker) as played:
            async with receiving(broker) as items:
                await subscribed(items, played)
                send(played, figures(1))
                forged = json.loads(figures(2))
                forged["figures"][0]["rate"] = 1.0
                send(played, json.dumps(forged).encode())
                played.kept = {2: figures(2)}
                played.events([3])
                found = await collect(items, 5)
                told = {one.kind: one for one in found if isinstance(one, Notice)}
                assert told["forged"].payload == json.dumps(forged).encode()
                assert (told["gap"].first, told["gap"].last) == (2, 2)
                handed_over = [one.payload for one in found if isinstance(one, Delivery)]
                assert handed_over == [figures(1), figures(2), event(3)], "the second was asked for"

    asyncio.run(run())


def test_another_key_is_told_once_over_restarts(broker: Mosquitto, tmp_path: Path) -> None:
    new = signing_key(tmp_path)
    ledger = tmp_path / "ledger.db"

    async def run() -> None:
        with gateway(broker) as played:
            async with receiving(broker, ledger, client_id="p") as items:
                await subscribed(items, played)
                send(played, figures(1))
                (first,) = await collect(items, 1)
                assert isinstance(first, Delivery)
            async with receiving(broker, ledger, client_id="p") as items:
                await subscribed(items, played)
                send(played, figures(2, new))
                send(played, figures(3, new))
                found = await collect(items, 3)
                told = [one for one in found if isinstance(one, Notice)]
                assert [one.kind for one in told] == ["key_changed"]
                assert new.public in told[0].text

    asyncio.run(run())


def test_with_a_known_key_no_other_is_taken(broker: Mosquitto, tmp_path: Path) -> None:
    known = example("indicator")["key"]
    rules = Rules(patience=QUICK.patience, give_up=QUICK.give_up, replay=False, keys={ROOT: known})

    async def run() -> None:
        with gateway(broker) as played:
            async with receiving(broker, rules=rules) as items:
                await subscribed(items, played)
                send(played, figures(1, signing_key(tmp_path)))
                send(played, figures(1))
                notice, delivery = await collect(items, 2)
                assert isinstance(notice, Notice)
                assert notice.kind == "forged"
                assert isinstance(delivery, Delivery)
                assert delivery.payload == figures(1)

    asyncio.run(run())
