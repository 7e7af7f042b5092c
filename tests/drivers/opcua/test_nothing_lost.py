"""What a server keeps during an interruption is fetched; what is lost is told."""

import asyncio
import random
import time
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import pytest

from drivers.opcua import feed, upkeep, watch
from edge_agent.model.batch import Value
from tests.drivers.opcua.conftest import StartServer
from tests.drivers.opcua.harness import connection, driver_for, tag
from tests.drivers.opcua.life import Life
from tests.drivers.opcua.proxy import Proxy
from tests.drivers.opcua.server import ServerProcess
from tests.drivers.opcua.test_subscription import READING_ONLY

KEEPING_ONLY = {
    "RepublishRequest",
    "SetMonitoringModeRequest",
    "TransferSubscriptionsRequest",
    "DeleteSubscriptionsRequest",
}
"""What is asked for after an interruption, beyond `READING_ONLY`; it changes nothing in a machine."""


def values(life: Life, equipment: str, name: str) -> list[Value]:
    """Of a tag, in their order, each once though it may be told again; None for a gap."""
    told = [value for value, _ in life.history(equipment, name)]
    return told[:1] + [later for earlier, later in pairwise(told) if later != earlier]


def gaps(life: Life, equipment: str, name: str) -> int:
    return sum(
        batch.flaws.get(index) == feed.GAP
        for batch in life.batches
        if batch.equipment == equipment
        for index, told in enumerate(batch.tags)
        if told == name
    )


def write(server: ServerProcess, node: str, numbers: Sequence[int]) -> None:
    """Each with a source time of its own: its number of seconds."""
    for number in numbers:
        server.ask("put", node, number, "Int64", 0, 1_700_000_000_000 + 1000 * number)


@pytest.mark.parametrize("how", ["session goes on", "subscription is transferred"])
def test_values_of_a_cut_are_fetched_with_their_source_times(how: str, start_server: StartServer) -> None:
    server = start_server()
    write(server, "A.t", [0])
    write(server, "A.still", [7])

    async def body() -> None:
        async with Proxy(server.port) as proxy:
            options = connection(proxy.port, {"A": [tag("t", "A.t"), tag("still", "A.still")]})
            async with Life(driver_for(options)) as life:
                await life.until(partial(life.shows, "A", "t", 0))
                write(server, "A.t", range(1, 4))
                await life.until(partial(life.shows, "A", "t", 3))
                proxy.refuse()
                await life.until(lambda: len(life.failures) >= 1)
                write(server, "A.t", range(4, 30))
                if how == "subscription is transferred":
                    server.ask("forget_sessions")
                proxy.release()
                await life.until(partial(life.shows, "A", "t", 29))
                assert life.shows("A", "still", 7), "also what has not changed is there again"
                assert values(life, "A", "t") == list(range(30))
                assert all(
                    source == 1_700_000_000_000 + 1000 * value
                    for value, source in life.history("A", "t")
                    if isinstance(value, int)
                )
                assert gaps(life, "A", "t") == gaps(life, "A", "still") == 0
                assert server.ask("subscriptions") == 1
                await life.until(lambda: server.ask("connections") == 1)
                assert set(server.ask("requests")) <= READING_ONLY | KEEPING_ONLY

    asyncio.run(body())


def test_an_interruption_that_the_queue_does_not_bridge_is_told(start_server: StartServer) -> None:
    server = start_server()
    write(server, "A.t", [0])
    write(server, "A.deep", [0])

    async def body() -> None:
        async with Proxy(server.port) as proxy:
            tags = [tag("t", "A.t", queue_size=2), tag("deep", "A.deep")]
            async with Life(driver_for(connection(proxy.port, {"A": tags}, bridge="60s"))) as life:
                await life.until(partial(life.shows, "A", "t", 0))
                proxy.refuse()
                started = time.monotonic()
                write(server, "A.t", range(1, 10))
                write(server, "A.deep", range(1, 10))
                await life.until(lambda: time.monotonic() - started > 0.5)
                proxy.release()
                await life.until(lambda: life.shows("A", "t", 9) and life.shows("A", "deep", 9))
                assert values(life, "A", "deep") == list(range(10))
                told = values(life, "A", "t")
                # What was published while they were written is kept too.
                assert (told[:2], told[-2:]) == ([0, None], [8, 9])
                assert [value for value in range(10) if value in told] == told[:1] + told[2:]
                assert (gaps(life, "A", "t"), gaps(life, "A", "deep")) == (1, 0)

    asyncio.run(body())


def test_a_restarted_server_has_kept_nothing_and_the_gap_is_told(start_server: StartServer) -> None:
    server = start_server()
    write(server, "A.t", [1])

    async def body() -> None:
        async with Life(driver_for(connection(server.port, {"A": [tag("t", "A.t")]}))) as life:
            await life.until(partial(life.shows, "A", "t", 1))
            assert gaps(life, "A", "t") == 0, "before the first reading there is no gap"
            server.kill()
            await life.until(lambda: len(life.failures) >= 1)
            server.start()
            write(server, "A.t", [2])
            await life.until(partial(life.shows, "A", "t", 2))
            assert gaps(life, "A", "t") >= 1
            assert values(life, "A", "t")[:2] == [1, None]

    asyncio.run(body())


@pytest.mark.parametrize("kept", [True, False])
def test_a_lost_message_is_fetched_or_told(kept: bool, start_server: StartServer) -> None:
    server = start_server()
    write(server, "A.t", [1])
    write(server, "A.u", [1])

    async def body() -> None:
        options = connection(server.port, {"A": [tag("t", "A.t"), tag("u", "A.u")]})
        async with Life(driver_for(options)) as life:
            await life.until(lambda: life.shows("A", "t", 1) and life.shows("A", "u", 1))
            server.ask("lose_message", kept)
            write(server, "A.t", [2])
            await life.until(lambda: life.shows("A", "t", 2))
            write(server, "A.u", [5])
            await life.until(lambda: life.shows("A", "u", 5))
            assert values(life, "A", "t") == ([1, 2] if kept else [1, None, 2])
            if kept:
                assert gaps(life, "A", "t") == gaps(life, "A", "u") == 0
            else:
                assert gaps(life, "A", "t") == gaps(life, "A", "u") == 1
            assert life.failures == []

    asyncio.run(body())


def test_a_monitored_item_that_is_stuck_is_found_and_made_anew(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "UNHEARD", 0.3)
    monkeypatch.setattr(upkeep, "FIRST_RETRY", 0.2)
    server = start_server()
    write(server, "A.t", [1])
    write(server, "A.busy", [1])

    async def body() -> None:
        tags = [tag("t", "A.t"), tag("busy", "A.busy")]
        # As long as a change may be on its way before its item counts as stuck.
        options = connection(server.port, {"A": tags}, timeout="3s")
        async with Life(driver_for(options)) as life:
            await life.until(partial(life.shows, "A", "t", 1))
            server.ask("stick", "A.t")
            write(server, "A.t", [2])

            def busy_and_found() -> bool:
                server.ask("put", "A.busy", int(1000 * time.monotonic()))
                return life.shows("A", "t", 2)

            await life.until(busy_and_found)
            assert gaps(life, "A", "t") == 1
            assert gaps(life, "A", "busy") == 0
            write(server, "A.t", [3])
            await life.until(partial(life.shows, "A", "t", 3))
            server.ask("stick", "A.t")
            write(server, "A.t", [4])
            await life.until(partial(life.shows, "A", "t", 4))
            server.ask("stick", "A.t")
            write(server, "A.t", [5])  # by now it is polled
            await life.until(partial(life.shows, "A", "t", 5))
            assert gaps(life, "A", "t") == 2
            assert life.failures == []

    asyncio.run(body())


def test_the_other_of_two_redundant_servers_takes_over(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.opcua.serving.QUIET", 0.2)
    first, second = start_server(), start_server()
    write(first, "A.t", [1])
    write(second, "A.t", [1])
    options = connection(
        first.port,
        {"A": [tag("t", "A.t")]},
        redundant=[f"opc.tcp://127.0.0.1:{second.port}/machines"],
    )

    async def body() -> None:
        async with Life(driver_for(options)) as life:
            await life.until(partial(life.shows, "A", "t", 1))
            first.kill()
            write(second, "A.t", [2])
            await life.until(partial(life.shows, "A", "t", 2))
            assert gaps(life, "A", "t") >= 1
            first.start()
            write(first, "A.t", [3])
            second.ask("set_service_level", 0)
            await life.until(partial(life.shows, "A", "t", 3))
            assert "service level 0" in str(life.failures[-1])
            await life.until(lambda: (first.ask("connections"), second.ask("connections")) == (1, 0))

    asyncio.run(body())


def test_a_hundred_random_kills_and_cuts_and_the_tag_list_is_complete(start_server: StartServer) -> None:
    server = start_server()
    nodes = [f"{equipment}.t{number}" for equipment in "ABC" for number in range(10)]
    equipment = {name: [tag(f"t{number}", f"{name}.t{number}") for number in range(10)] for name in "ABC"}
    chance = random.Random(4)  # noqa: S311 - no secret; the same hundred each time
    round_ = 0

    def rewrite() -> None:
        for node in nodes:
            server.ask("put", node, round_)

    def complete(life: Life) -> bool:
        return all(life.shows(name, f"t{number}", round_) for name in "ABC" for number in range(10))

    async def body() -> None:
        nonlocal round_
        async with Proxy(server.port) as proxy:
            options = connection(proxy.port, equipment)
            async with Life(driver_for(options)) as life:
                rewrite()
                await life.until(partial(complete, life))
                for round_ in range(1, 101):
                    if chance.random() < 0.25:
                        server.kill()
                        await asyncio.sleep(chance.random() * 0.05)
                        server.start()
                    else:
                        proxy.cut()
                    rewrite()
                    await asyncio.sleep(chance.random() * 0.15)  # the next one at any moment of the return
                    if round_ % 5 == 0:
                        await life.until(partial(complete, life))
                        await life.until(lambda: server.ask("connections") == 1)
                # One that was made as the line was cut is given up when it says its first word.
                await life.until(lambda: server.ask("subscriptions") == 1)
                assert len(life.failures) >= 20, "each time after all was complete, at least"

    asyncio.run(body())
