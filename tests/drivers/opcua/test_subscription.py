"""What a subscription brings, in which order, and within which limits of the server."""

import asyncio
import math
from functools import partial
from itertools import count

import pytest
from asyncua.ua.status_codes import StatusCodes

from drivers.opcua import channel, watch
from drivers.opcua.driver import OpcuaDriver
from edge_agent.driver import TagSet
from edge_agent.model.quality import bad, uncertain
from tests.drivers.opcua.conftest import StartServer
from tests.drivers.opcua.harness import connection, driver_for, tag
from tests.drivers.opcua.life import Life

READING_ONLY = {
    "OpenSecureChannelRequest",
    "CreateSessionRequest",
    "ActivateSessionRequest",
    "CloseSessionRequest",
    "ReadRequest",
    "BrowseRequest",
    "CreateSubscriptionRequest",
    "CreateMonitoredItemsRequest",
    "DeleteMonitoredItemsRequest",
    "PublishRequest",
}


def test_queued_values_come_in_order_with_their_own_times(start_server: StartServer) -> None:
    server = start_server()
    server.ask("put", "A.t", 0, "Int64", 0, 1_000)

    async def body() -> None:
        options = connection(server.port, {"A": [tag("t", "A.t", queue_size=100)]}, period="300ms")
        async with Life(driver_for(options)) as life:
            await life.until(lambda: life.shows("A", "t", 0))
            for number in range(1, 21):
                server.ask("put", "A.t", number, "Int64", 0, 1_000 + number)
            await life.until(lambda: life.shows("A", "t", 20))
            assert life.history("A", "t") == [(number, 1_000 + number) for number in range(21)]
            assert any(len(batch.tags) > 1 for batch in life.batches), "20 values in well under 20 publishes"

    asyncio.run(body())


def test_a_slow_taker_loses_nothing(start_server: StartServer) -> None:
    server = start_server()
    server.ask("put", "A.t", 0)

    async def body() -> None:
        options = connection(server.port, {"A": [tag("t", "A.t", queue_size=1000)]}, period="20ms")
        async with Life(driver_for(options)) as life:
            life.pause = asyncio.Event()
            await life.until(lambda: life.shows("A", "t", 0))
            for number in range(1, 101):
                server.ask("put", "A.t", number)
                await asyncio.sleep(0.01)
            assert len(life.batches) == 1
            life.pause.set()
            await life.until(lambda: life.shows("A", "t", 100))
            assert [value for value, _ in life.history("A", "t")] == list(range(101))
            assert life.failures == []

    asyncio.run(body())


def test_values_that_are_not_plain_good_values(start_server: StartServer) -> None:
    server = start_server()
    server.ask("put", "A.nan", math.nan, "Double")
    server.ask("put", "A.bytes", b"x", "ByteString")
    server.ask("put", "A.old", 7, "Int64", StatusCodes.UncertainLastUsableValue)
    server.ask("put", "A.broken", None, "Null", StatusCodes.BadSensorFailure)
    server.ask("put", "A.text", "绿灯", "String")
    server.ask("put", "A.list", [1.5, 2.5], "Double")
    server.ask("put", "A.raw", 20, "UInt16")
    names = ["nan", "bytes", "old", "broken", "text", "list"]
    tags = [tag(name, f"A.{name}") for name in names] + [tag("raw", "A.raw", scale=0.1, offset=-1.0)]

    async def body() -> None:
        async with Life(driver_for(connection(server.port, {"A": tags}))) as life:
            await life.until(lambda: bool(life.batches))
            assert len(life.batches[0].tags) == 7, "the first batch has all tags"
            told = {name: reading for (_, name), reading in life.latest.items()}
            assert told == {
                "nan": (None, bad("not_a_number")),
                "bytes": ("eA==", None),
                "old": (7, uncertain("UncertainLastUsableValue")),
                "broken": (None, bad("BadSensorFailure")),
                "text": ("绿灯", None),
                "list": ([1.5, 2.5], None),
                "raw": (1.0, None),
            }

    asyncio.run(body())


@pytest.mark.parametrize(("refuses", "largest"), [(False, 7), (True, 100)])
def test_requests_keep_to_the_limits_of_the_server(
    refuses: bool, largest: int, start_server: StartServer
) -> None:
    """Those that it states, and those that it only shows by refusing."""
    server = start_server(max_items_per_call=7, refuse_more_items=refuses)
    server.ask("put_all", "A.t", 120)
    tags = [tag(f"t{number}", f"A.t{number}") for number in range(120)]

    async def body() -> None:
        async with Life(driver_for(connection(server.port, {"A": tags}))) as life:
            await life.until(lambda: all(life.shows("A", f"t{number}", number) for number in range(120)))
            assert server.ask("largest") == largest

    asyncio.run(body())


def test_one_subscription_a_period_whatever_the_number_of_equipment(start_server: StartServer) -> None:
    server = start_server()
    equipment = [f"E{number}" for number in range(12)]
    for name in equipment:
        server.ask("put", f"{name}.t", 5)
    options = connection(server.port, {name: [tag("t", f"{name}.t")] for name in equipment})
    slow, fast = options.equipment[0], options.equipment
    driver = OpcuaDriver(options, [TagSet(e, e.tags, 0.1) for e in fast] + [TagSet(slow, slow.tags, 0.4)])
    planned = driver.plan()
    assert len(planned) == 13
    assert {request.what.partition(":")[0] for request in planned} == {
        "subscription 1, published every 100 ms",
        "subscription 2, published every 400 ms",
    }

    async def body() -> None:
        async with Life(driver) as life:
            await life.until(lambda: len(life.batches) >= 13)
            assert server.ask("subscriptions") == 2
            assert server.ask("connections") == 1
            probe = await driver.probe()
            assert probe.identity["product"] == "FreeOpcUa Python Server"
            assert "http://example.com/machines" in probe.identity["namespaces"]
            assert probe.limits["monitored items per call"] == "10000"

    asyncio.run(body())


def test_signs_of_life_per_equipment_while_nothing_changes(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "QUIET", 0.4)
    server = start_server()
    server.ask("put", "A.t", 1)
    server.ask("put", "B.t", 1)
    options = connection(
        server.port, {"A": [tag("t", "A.t")], "B": [tag("t", "B.t")], "dead": [tag("t", "C.t")]}
    )

    async def body() -> None:
        async with Life(driver_for(options)) as life:

            def signs(equipment: str) -> list[int]:
                return [b.received_ms for b in life.batches if b.equipment == equipment and not b.tags]

            numbers = count(2)

            def busy_and_signs_of_the_others() -> bool:
                server.ask("put", "A.t", next(numbers))
                return all(len(signs(name)) >= 4 for name in ("B", "dead"))

            await life.until(busy_and_signs_of_the_others)
            await life.until(lambda: len(signs("A")) >= 4)
            assert life.history("B", "t") == [(1, life.history("B", "t")[0][1])], "no old value told anew"
            assert life.reason("dead", "t") == "BadNodeIdUnknown"
            assert len(life.history("dead", "t")) == 1, "told once, however often it is tried again"

    asyncio.run(body())


def test_a_node_that_vanishes_without_a_word_is_bad(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "QUIET", 0.3)
    server = start_server()
    tags = [tag(f"t{number}", f"A.t{number}") for number in range(3)]
    server.ask("put_all", "A.t", 3)

    async def body() -> None:
        async with Life(driver_for(connection(server.port, {"A": tags}))) as life:
            await life.until(lambda: life.shows("A", "t2", 2))
            server.ask("remove", "A.t2")
            await life.until(lambda: life.reason("A", "t2") == "BadNodeIdUnknown")
            assert life.shows("A", "t0", 0)
            server.ask("put", "A.t2", 22)
            await life.until(lambda: life.shows("A", "t2", 22))
            assert life.failures == []

    asyncio.run(body())


def test_a_server_that_lets_fewer_publish_requests_wait(start_server: StartServer) -> None:
    server = start_server(publish_requests=1)
    server.ask("put", "A.t", 0)

    async def body() -> None:
        async with Life(driver_for(connection(server.port, {"A": [tag("t", "A.t")]}))) as life:
            for number in range(1, 11):
                server.ask("put", "A.t", number)
                await life.until(partial(life.shows, "A", "t", number))
            assert life.failures == []

    asyncio.run(body())


def test_the_secure_channel_is_renewed(start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "CHANNEL_LIFETIME_MS", 5_000)  # the server waits for a quarter more
    # as in earnest, there is a request between two renewals: the server takes a new token from it
    monkeypatch.setattr(watch, "QUIET", 0.2)
    server = start_server()
    server.ask("put", "A.t", 1)

    async def body() -> None:
        async with Life(driver_for(connection(server.port, {"A": [tag("t", "A.t")]}))) as life:
            await life.until(lambda: server.ask("requests").get("OpenSecureChannelRequest", 0) >= 3)
            server.ask("put", "A.t", 2)
            await life.until(lambda: life.shows("A", "t", 2))
            assert life.failures == []

    asyncio.run(body())


def test_nothing_is_written_or_called(start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole life, with a vanished node and a probe, and every request that the server saw."""
    monkeypatch.setattr(watch, "QUIET", 0.3)
    server = start_server()
    server.ask("put", "A.t", 1)

    async def body() -> None:
        async with Life(driver_for(connection(server.port, {"A": [tag("t", "A.t")]}))) as life:
            await life.until(lambda: life.shows("A", "t", 1))
            await life.driver.probe()
            server.ask("remove", "A.t")
            await life.until(lambda: life.reason("A", "t") != "")
            server.ask("put", "A.t", 2)
            await life.until(lambda: life.shows("A", "t", 2))
        seen = server.ask("requests")
        assert set(seen) == READING_ONLY

    asyncio.run(body())
