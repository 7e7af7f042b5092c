"""Over a server that was not written here: node-opcua, by way of server.js."""

import asyncio
from functools import partial

import pytest

from drivers.opcua import upkeep, watch
from drivers.opcua.pki import Pki
from edge_agent.model.state import UnknownCause
from tests.drivers.opcua.harness import connection, driver_for
from tests.drivers.opcua.life import LIMIT, Life
from tests.drivers.opcua.node_opcua.conftest import StartNode
from tests.drivers.opcua.node_opcua.server import NodeServer
from tests.drivers.opcua.proxy import Proxy
from tests.drivers.opcua.test_nothing_lost import gaps, values

PASSWORD = "geheim-4711"  # noqa: S105 - of a server that lives as long as its test
START_MS = 1_700_000_000_000


def tag(server: NodeServer, name: str, **more: object) -> dict[str, object]:
    return {"id": name, "node": f"nsu={server.namespace};s={name}", "sampling": "50ms"} | more


def failed(life: Life, times: int) -> bool:
    return len(life.failures) >= times


def told_gaps(life: Life, count: int) -> bool:
    return gaps(life, "A", "a") >= count


async def count_up(server: NodeServer, name: str, first: int, last: int) -> None:
    """Values with source times of their own, each when the server has sampled the one before."""
    for number in range(first, last + 1):
        server.ask("put", name, number, START_MS + 1000 * number)
        async with asyncio.timeout(LIMIT):
            while not server.ask("sampled", name):
                await asyncio.sleep(0.01)


def test_values_with_their_source_times_and_who_it_is(start_node: StartNode) -> None:
    server = start_node(values={"a": 1.5})
    server.ask("put", "text", "läuft 运行", START_MS, "String")
    server.ask("put", "on", True, START_MS, "Boolean")
    server.ask("put", "whole", -7, START_MS + 1, "Int32")
    names = ("a", "text", "on", "whole")

    async def body() -> None:
        options = connection(server.port, {"A": [tag(server, name) for name in names]})
        async with Life(driver_for(options)) as life:
            await life.until(lambda: len(life.latest) == 4)
            assert life.shows("A", "a", 1.5)
            assert life.history("A", "text") == [("läuft 运行", START_MS)]
            assert life.history("A", "on") == [(True, START_MS)]
            assert life.history("A", "whole") == [(-7, START_MS + 1)]
            probe = await life.driver.probe()
            assert "NodeOPCUA" in probe.identity["product"]
            assert probe.limits["monitored items per call"] == "1000"

    asyncio.run(body())


@pytest.mark.parametrize("security", ["none", "strongest"])
def test_user_and_password(security: str, start_node: StartNode) -> None:
    """Without message security its password still goes out encrypted, so its certificate is looked at."""
    server = start_node(values={"a": 1}, user="agent", password=PASSWORD)
    more = {"username": "agent", "security": security}

    async def body() -> None:
        equipment = {"A": [tag(server, "a")]}
        async with Life(driver_for(connection(server.port, equipment, password=PASSWORD, **more))) as life:
            await life.until(lambda: bool(life.failures))
            (kept_aside,) = Pki().rejected()
            assert kept_aside.certificate.thumbprint in life.failures[0].remedy
            Pki().accept(kept_aside.certificate.thumbprint)
            await life.until(partial(life.shows, "A", "a", 1.0))
        async with Life(
            driver_for(connection(server.port, equipment, password=PASSWORD[::-1], **more))
        ) as life:
            await life.until(lambda: bool(life.failures))
            assert life.failures[0].cause is UnknownCause.REFUSED
            assert "refuses this user" in str(life.failures[0])

    asyncio.run(body())


def test_its_limits(start_node: StartNode) -> None:
    """Few items a call, fewer in a subscription than there are tags: the rest is polled."""
    numbers = {f"t{number}": float(number) for number in range(25)}
    server = start_node(values=numbers, itemsPerCall=4, itemsPerSubscription=10)

    async def body() -> None:
        options = connection(server.port, {"A": [tag(server, name) for name in numbers]})
        async with Life(driver_for(options)) as life:
            await life.until(lambda: all(life.shows("A", name, value) for name, value in numbers.items()))
            assert len(server.ask("items")) == 10
            for name in ("t0", "t9", "t10", "t24"):
                server.ask("put", name, 99)
            await life.until(lambda: all(life.shows("A", name, 99.0) for name in ("t0", "t9", "t10", "t24")))
            assert life.failures == []

    asyncio.run(body())


def test_queues_sampling_and_dead_bands_arrive(start_node: StartNode) -> None:
    server = start_node(values={"a": 500, "b": 500, "c": 500})

    async def body() -> None:
        tags = [
            tag(server, "a", deadband=5),
            tag(server, "b", deadband_percent=10),
            tag(server, "c", queue_size=3),
        ]
        async with Life(driver_for(connection(server.port, {"A": tags}, bridge="2s"))) as life:
            await life.until(lambda: len(life.latest) == 3)
            items = server.ask("items")
            assert [item["deadband"] for item in items] == [5, 10, None]
            assert [item["queue"] for item in items] == [41, 41, 3]
            assert [item["sampling"] for item in items] == [50, 50, 50]
            for name in "abc":
                server.ask("put", name, 503)
            await life.until(partial(life.shows, "A", "c", 503.0))
            for name in "ab":
                server.ask("put", name, 507)
            await life.until(partial(life.shows, "A", "a", 507.0))
            assert values(life, "A", "a") == [500, 507]
            assert values(life, "A", "b") == [500]
            server.ask("put", "b", 620)
            await life.until(partial(life.shows, "A", "b", 620.0))
            assert values(life, "A", "b") == [500, 620]

    asyncio.run(body())


@pytest.mark.parametrize("how", ["session goes on", "subscription is transferred"])
def test_values_of_a_cut_are_fetched(how: str, start_node: StartNode) -> None:
    server = start_node(values={"a": 0, "still": 7})

    async def body() -> None:
        async with Proxy(server.port) as proxy:
            options = connection(proxy.port, {"A": [tag(server, "a"), tag(server, "still")]})
            async with Life(driver_for(options)) as life:
                await life.until(partial(life.shows, "A", "a", 0.0))
                await count_up(server, "a", 1, 3)
                proxy.refuse()
                await count_up(server, "a", 4, 20)
                if how == "subscription is transferred":
                    server.ask("end_sessions")
                proxy.release()
                await life.until(lambda: life.shows("A", "a", 20.0) and life.shows("A", "still", 7.0))
                assert values(life, "A", "a") == list(range(21))
                assert gaps(life, "A", "a") == 0
                assert {
                    source - START_MS for value, source in life.history("A", "a")[1:] if source is not None
                } == {1000 * number for number in range(1, 21)}
                assert server.ask("sessions") == server.ask("subscriptions") == 1

    asyncio.run(body())


def test_a_restart_is_a_gap_and_one_session_at_a_time(start_node: StartNode) -> None:
    server = start_node(values={"a": 1})

    async def body() -> None:
        options = connection(server.port, {"A": [tag(server, "a")]})
        async with Life(driver_for(options)) as life:
            for restart in range(2):
                await life.until(partial(life.shows, "A", "a", 1.0))
                assert server.ask("sessions") == server.ask("subscriptions") == 1
                server.kill()
                failures = len(life.failures)
                await life.until(partial(failed, life, failures + 1))
                server.start()
                await life.until(partial(told_gaps, life, restart + 1))
            await life.until(partial(life.shows, "A", "a", 1.0))

    asyncio.run(body())


def test_a_deleted_node_is_bad_and_comes_back(start_node: StartNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "QUIET", 0.3)
    monkeypatch.setattr(upkeep, "FIRST_RETRY", 0.2)
    server = start_node(values={"a": 1, "b": 2})

    async def body() -> None:
        options = connection(server.port, {"A": [tag(server, "a"), tag(server, "b")]})
        async with Life(driver_for(options)) as life:
            await life.until(lambda: life.shows("A", "a", 1.0) and life.shows("A", "b", 2.0))
            server.ask("remove", "a")
            await life.until(lambda: life.reason("A", "a") == "BadNodeIdUnknown")
            assert life.shows("A", "b", 2.0)
            server.ask("put", "a", 3)
            await life.until(partial(life.shows, "A", "a", 3.0))
            assert life.failures == []

    asyncio.run(body())


def test_a_frozen_subscription_is_found(start_node: StartNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its keep-alive messages go on; only the values no longer come."""
    monkeypatch.setattr(watch, "UNHEARD", 0.3)
    monkeypatch.setattr(watch, "QUIET", 0.3)
    monkeypatch.setattr(upkeep, "FIRST_RETRY", 0.2)
    server = start_node(values={"a": 1, "b": 2})

    async def body() -> None:
        # As long as a change may be on its way before its item counts as stuck.
        options = connection(server.port, {"A": [tag(server, "a"), tag(server, "b")]}, timeout="3s")
        async with Life(driver_for(options)) as life:
            await life.until(lambda: life.shows("A", "a", 1.0) and life.shows("A", "b", 2.0))
            server.ask("stick")
            server.ask("put", "a", 3)
            await life.until(partial(life.shows, "A", "a", 3.0))
            assert gaps(life, "A", "a") == 1
            assert gaps(life, "A", "b") == 0
            assert life.failures == []

    asyncio.run(body())
