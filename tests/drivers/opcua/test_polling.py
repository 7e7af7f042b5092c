"""Tags that are read in place of being subscribed: by choice, or because the server does not go along."""

import asyncio
import logging
from functools import partial

import pytest
from pydantic import ValidationError

from drivers.opcua.feed import Feed
from drivers.opcua.items import items_of
from edge_agent.driver import TagSet
from tests.drivers.opcua.conftest import StartServer
from tests.drivers.opcua.harness import connection, driver_for, tag
from tests.drivers.opcua.life import Life
from tests.drivers.opcua.server import ServerProcess

COUNT = 12
TAGS = [tag(f"t{number}", f"A.t{number}") for number in range(COUNT)]


def all_shown(life: Life, value: int) -> bool:
    return all(life.shows("A", f"t{number}", value + number) for number in range(COUNT))


def put_all(server: ServerProcess, value: int) -> None:
    for number in range(COUNT):
        server.ask("put", f"A.t{number}", value + number)


def test_polled_by_choice(start_server: StartServer) -> None:
    server = start_server()
    put_all(server, 0)
    options = connection(server.port, {"A": TAGS}, poll=True, limits={"nodes_per_read": 5})
    driver = driver_for(options)
    (planned,) = driver.plan()
    assert planned.what == "read every 100 ms: 12 of 12 nodes"

    async def body() -> None:
        async with Life(driver) as life:
            await life.until(partial(all_shown, life, 0))
            put_all(server, 100)
            await life.until(partial(all_shown, life, 100))
            server.ask("put", "A.t3", 7, "Int64", 0, 1_700_000_000_123)
            await life.until(lambda: life.history("A", "t3")[-1] == (7, 1_700_000_000_123))
            told = len(life.history("A", "t0"))
            before = len(life.batches)
            await life.until(lambda: len(life.batches) >= before + 5)
            assert len(life.history("A", "t0")) == told, "what has not changed is not told again"
            server.ask("remove", "A.t5")
            await life.until(lambda: life.reason("A", "t5") == "BadNodeIdUnknown")
            server.ask("put", "A.t5", 55)
            await life.until(partial(life.shows, "A", "t5", 55))
            assert life.failures == []
            assert server.ask("subscriptions") == 0
            assert "CreateSubscriptionRequest" not in server.ask("requests")

    asyncio.run(body())


def test_a_server_without_subscriptions_is_polled(
    start_server: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = start_server(subscriptions=False)
    put_all(server, 0)

    async def body() -> None:
        async with Life(driver_for(connection(server.port, {"A": TAGS}))) as life:
            await life.until(partial(all_shown, life, 0))
            put_all(server, 100)
            await life.until(partial(all_shown, life, 100))
            server.kill()
            await life.until(lambda: bool(life.failures))
            server.start()
            put_all(server, 200)
            await life.until(partial(all_shown, life, 200))

    with caplog.at_level(logging.WARNING):
        asyncio.run(body())
    assert "makes no subscription (BadServiceUnsupported): tags are polled" in caplog.text


@pytest.mark.parametrize(
    ("of_server", "of_options"), [({"max_items": 5}, {}), ({}, {"limits": {"items": 5, "items_per_call": 2}})]
)
def test_tags_beyond_the_limit_are_polled(
    of_server: dict[str, int], of_options: dict[str, object], start_server: StartServer
) -> None:
    """As the server has it, or as the options say where it states nothing of the kind."""
    server = start_server(**of_server)
    put_all(server, 0)

    async def body() -> None:
        async with Life(driver_for(connection(server.port, {"A": TAGS}, **of_options))) as life:
            await life.until(partial(all_shown, life, 0))
            put_all(server, 100)
            await life.until(partial(all_shown, life, 100))
            assert server.ask("items") == 5
            assert server.ask("largest") == (2 if of_options else 12)
            assert life.failures == []

    asyncio.run(body())


def test_a_dead_band_is_kept_by_the_server(start_server: StartServer) -> None:
    server = start_server()
    for name in ("A.t", "A.scaled", "A.plain"):
        server.ask("put", name, 100.0, "Double")
    tags = [
        tag("t", "A.t", deadband=5),
        tag("scaled", "A.scaled", deadband=5, scale=0.1),
        tag("plain", "A.plain"),
    ]

    async def body() -> None:
        async with Life(driver_for(connection(server.port, {"A": tags}))) as life:
            await life.until(lambda: len(life.latest) == 3)
            assert server.ask("filters") == [5, 50]
            server.ask("put", "A.t", 104.0, "Double")
            server.ask("put", "A.scaled", 140.0, "Double")
            server.ask("put", "A.plain", 101.0, "Double")
            await life.until(partial(life.shows, "A", "plain", 101.0))
            assert life.shows("A", "t", 100.0)
            assert life.shows("A", "scaled", 10.0)
            server.ask("put", "A.t", 110.0, "Double")
            server.ask("put", "A.scaled", 200.0, "Double")
            await life.until(lambda: life.shows("A", "t", 110.0) and life.shows("A", "scaled", 20.0))

    asyncio.run(body())


def test_a_dead_band_that_the_server_refuses_is_left_out(
    start_server: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = start_server(filters=False)
    server.ask("put", "A.t", 100.0, "Double")

    async def body() -> None:
        options = connection(server.port, {"A": [tag("t", "A.t", deadband=5)]})
        async with Life(driver_for(options)) as life:
            await life.until(partial(life.shows, "A", "t", 100.0))
            server.ask("put", "A.t", 101.0, "Double")
            await life.until(partial(life.shows, "A", "t", 101.0))

    with caplog.at_level(logging.WARNING):
        asyncio.run(body())
    assert "no dead-band for t: the server sends every change" in caplog.text


def test_one_kind_of_dead_band_a_tag() -> None:
    with pytest.raises(ValidationError, match="either deadband or deadband_percent"):
        connection(4840, {"A": [tag("t", "A.t", deadband=1, deadband_percent=1)]})


@pytest.mark.parametrize(
    ("options", "queue"),
    [
        ({}, 301),  # 30 s of values every 100 ms, and one
        ({"sampling": "20ms"}, 1501),
        ({"sampling": "10min"}, 2),
        ({"sampling": "1ms"}, 10_000),
        ({"queue_size": 5}, 5),
    ],
)
def test_queues_bridge_an_interruption(options: dict[str, object], queue: int) -> None:
    (equipment,) = connection(4840, {"A": [tag("t", "A.t", **options)]}).equipment
    (item,) = items_of([Feed(TagSet(equipment, equipment.tags, 0.1))], 0.1, 30.0)
    assert item.queue == queue
