"""Servers that are killed, fall silent, forget, or come back different."""

import asyncio
from functools import partial

import pytest

from drivers.opcua import model_changes, subscription, watch
from edge_agent.model.state import UnknownCause
from tests.drivers.opcua.conftest import StartServer
from tests.drivers.opcua.harness import connection, driver_for, tag
from tests.drivers.opcua.life import Life
from tests.drivers.opcua.proxy import Proxy
from tests.drivers.opcua.server import ServerProcess


def put(server: ServerProcess, **values: int) -> None:
    for name, value in values.items():
        server.ask("put", name.replace("_", "."), value)


def failed(life: Life, times: int) -> bool:
    return len(life.failures) >= times


def test_ten_kills_and_the_data_is_back_each_time(start_server: StartServer) -> None:
    server = start_server()
    options = connection(server.port, {"A": [tag("t", "A.t")], "B": [tag("t", "B.t")]})

    async def body() -> None:
        async with Life(driver_for(options)) as life:
            for number in range(1, 11):
                put(server, A_t=number, B_t=-number)
                await life.until(partial(life.shows, "A", "t", number))
                await life.until(partial(life.shows, "B", "t", -number))
                assert server.ask("connections") == 1
                assert server.ask("subscriptions") == 1
                failures = len(life.failures)
                server.kill()
                await life.until(partial(failed, life, failures + 1))
                server.start()
            assert {failure.cause for failure in life.failures} == {UnknownCause.UNREACHABLE}

    asyncio.run(body())


def test_a_node_absent_at_reconnection_appears_later(start_server: StartServer) -> None:
    server = start_server()
    put(server, A_t=1, A_u=2)
    options = connection(server.port, {"A": [tag("t", "A.t"), tag("u", "A.u")]})

    async def body() -> None:
        async with Life(driver_for(options)) as life:
            await life.until(lambda: life.shows("A", "t", 1) and life.shows("A", "u", 2))
            server.kill()
            server.start()
            put(server, A_t=10)
            await life.until(lambda: life.shows("A", "t", 10) and life.reason("A", "u") == "BadNodeIdUnknown")
            put(server, A_u=20)
            await life.until(lambda: life.shows("A", "u", 20))
            put(server, A_u=21, A_t=11)
            await life.until(lambda: life.shows("A", "u", 21) and life.shows("A", "t", 11))
            assert server.ask("subscriptions") == 1

    asyncio.run(body())


def test_namespaces_are_found_by_uri_wherever_they_stand(start_server: StartServer) -> None:
    server = start_server(namespaces_before=3)
    put(server, A_t=1)
    late = "http://example.com/late"
    options = connection(
        server.port, {"A": [tag("t", "A.t"), {"id": "late", "node": f"nsu={late};s=A.late"}]}
    )

    async def body() -> None:
        async with Life(driver_for(options)) as life:
            await life.until(
                lambda: life.shows("A", "t", 1) and life.reason("A", "late") == "namespace_unknown"
            )
            server.ask("put_elsewhere", late, "A.late", 5)
            await life.until(lambda: life.shows("A", "late", 5))

    asyncio.run(body())


def test_a_dead_cable_is_noticed_and_closing_does_not_hang(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a question that is not answered, long before the next sign of life of the subscription is due."""
    monkeypatch.setattr(watch, "QUIET", 0.5)
    monkeypatch.setattr(subscription, "KEEP_ALIVE", 600.0)
    monkeypatch.setattr(model_changes, "EVERY", 600.0)
    server = start_server()
    put(server, A_t=1)

    async def body() -> None:
        async with Proxy(server.port) as proxy:
            options = connection(proxy.port, {"A": [tag("t", "A.t")]}, timeout="3s")
            async with Life(driver_for(options)) as life:
                await life.until(lambda: life.shows("A", "t", 1))
                proxy.hold()
                await life.until(partial(failed, life, 1))
                assert life.failures[0].cause is UnknownCause.TIMEOUT
                held = len(life.batches)
                put(server, A_t=2)
                await life.until(partial(failed, life, 2))
                assert life.failures[1].cause is UnknownCause.TIMEOUT
                assert len(life.batches) == held, "no sign of life from behind a dead cable"
                proxy.release()
                await life.until(lambda: life.shows("A", "t", 2))
                await life.until(lambda: server.ask("connections") == 1)
            driver = driver_for(connection(proxy.port, {"A": [tag("t", "A.t")]}, timeout="60s"))
            await driver.open()
            proxy.hold()
            async with asyncio.timeout(20):  # it takes 2 s; for an answer it would wait a minute
                await driver.close()

    asyncio.run(body())


def test_a_reset_is_noticed_at_once(start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not by what the server does not say any more: that would take minutes here."""
    monkeypatch.setattr(watch, "QUIET", 600.0)
    monkeypatch.setattr(subscription, "KEEP_ALIVE", 600.0)
    monkeypatch.setattr(model_changes, "EVERY", 600.0)
    server = start_server()
    put(server, A_t=1)

    async def body() -> None:
        async with (
            Proxy(server.port) as proxy,
            Life(driver_for(connection(proxy.port, {"A": [tag("t", "A.t")]}))) as life,
        ):
            for cuts in range(1, 4):
                await life.until(lambda: life.shows("A", "t", 1))
                proxy.cut()
                await life.until(partial(failed, life, cuts))
            await life.until(lambda: life.shows("A", "t", 1))
            assert {failure.cause for failure in life.failures} == {UnknownCause.UNREACHABLE}

    asyncio.run(body())


@pytest.mark.parametrize(
    ("how", "told"),
    [("end_subscriptions", "ended the subscription"), ("drop_subscriptions", "no longer publishes")],
)
def test_a_server_that_loses_its_subscriptions(
    how: str, told: str, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a word to the client, or without: then the keep-alive messages are what is missing."""
    monkeypatch.setattr(subscription, "KEEP_ALIVE", 0.5)
    server = start_server()
    put(server, A_t=1)

    async def body() -> None:
        async with Life(driver_for(connection(server.port, {"A": [tag("t", "A.t")]}, timeout="5s"))) as life:
            await life.until(lambda: life.shows("A", "t", 1))
            server.ask(how)
            await life.until(partial(failed, life, 1))
            assert told in str(life.failures[0])
            put(server, A_t=2)
            await life.until(lambda: life.shows("A", "t", 2))
            assert server.ask("subscriptions") == 1

    asyncio.run(body())
