"""Tags found along paths: below a base, by pattern, and again when the server's model has changed."""

import asyncio

import pytest

from drivers.opcua import model_changes, upkeep
from tests.drivers.opcua.conftest import StartServer
from tests.drivers.opcua.harness import connection, driver_for
from tests.drivers.opcua.life import Life
from tests.drivers.opcua.server import NAMESPACE, ServerProcess
from tests.drivers.opcua.test_subscription import READING_ONLY

FINDING_ONLY = READING_ONLY | {"BrowseNextRequest"}
PLACES = ("Hall/M1", "Hall/M2")


def fill(server: ServerProcess) -> None:
    for number, machine in enumerate(PLACES, start=1):
        server.ask("put_below", f"{machine}/Monitoring/Channel/FeedOverride", 100 * number)
        server.ask("put_below", f"{machine}/parts", number)


PROFILE: list[dict[str, object]] = [
    {"id": "feed", "path": "**/Monitoring/*/FeedOverride"},
    {"id": "parts", "path": [f"nsu={NAMESPACE};counter", f"nsu={NAMESPACE};parts"]},
    {"id": "either", "path": "**/*"},
    {"id": "none", "path": "Monitoring/nowhere"},
    {"id": "other", "path": "nsu=http://example.com/other;parts"},
]


def test_one_profile_serves_many_machines(start_server: StartServer) -> None:
    server = start_server()
    fill(server)
    options = connection(server.port, {"M1": PROFILE, "M2": PROFILE})
    first, second = options.equipment
    options = options.model_copy(
        update={
            "equipment": (
                first.model_copy(update={"base": "/Objects/Hall/M1"}),
                second.model_copy(update={"base": f"nsu={NAMESPACE};s=Hall/M2"}),
            )
        }
    )

    async def body() -> None:
        async with Life(driver_for(options)) as life:
            await life.until(lambda: life.shows("M1", "feed", 100) and life.shows("M2", "feed", 200))
            assert life.shows("M1", "parts", 1)
            assert life.shows("M2", "parts", 2)
            for machine in ("M1", "M2"):
                assert life.reason(machine, "either") == "path_matches_2_nodes"
                assert life.reason(machine, "none") == "no_match"
                assert life.reason(machine, "other") == "no_match"
            assert life.failures == []
        assert set(server.ask("requests")) <= FINDING_ONLY

    asyncio.run(body())


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "by its namespaces"])
def test_paths_are_followed_again_when_the_model_changes(
    announced: bool, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before the next regular attempt: what appears is found, what becomes ambiguous is bad."""
    monkeypatch.setattr(upkeep, "FIRST_RETRY", 1000.0)
    monkeypatch.setattr(model_changes, "EVERY", 1000.0 if announced else 0.2)
    server = start_server()
    fill(server)
    tags: list[dict[str, object]] = [
        {"id": "feed", "path": "Hall/M1/**/FeedOverride"},
        {"id": "late", "path": "Hall/M1/late"},
    ]

    async def body() -> None:
        async with Life(driver_for(connection(server.port, {"A": tags}))) as life:
            await life.until(lambda: life.shows("A", "feed", 100))
            assert life.reason("A", "late") == "no_match"
            server.ask("put_below", "Hall/M1/late", 7)
            server.ask("put_below", "Hall/M1/second/FeedOverride", 9)
            if announced:
                server.ask("announce_model_change")
            else:
                server.ask("put_elsewhere", "http://example.com/new", "x", 1)
            await life.until(lambda: life.shows("A", "late", 7))
            await life.until(lambda: life.reason("A", "feed") == "path_matches_2_nodes")
            assert life.failures == []

    asyncio.run(body())


def test_a_base_that_is_not_there(start_server: StartServer) -> None:
    server = start_server()
    options = connection(server.port, {"A": [{"id": "t", "path": "x"}], "B": [{"id": "t", "path": "x"}]})
    first, second = options.equipment
    options = options.model_copy(
        update={
            "equipment": (
                first.model_copy(update={"base": f"nsu={NAMESPACE};s=gone"}),
                second.model_copy(update={"base": "nsu=http://example.com/unknown;s=M"}),
            )
        }
    )

    async def body() -> None:
        async with Life(driver_for(options)) as life:
            await life.until(lambda: life.reason("A", "t") == "BadNodeIdInvalid")
            await life.until(lambda: life.reason("B", "t") == "namespace_unknown")

    asyncio.run(body())
