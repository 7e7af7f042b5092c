"""What arrives when wires break, hosts leave, and commands make no sense."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from edge_agent.config.models import TlsOptions
from edge_agent.model.link import LinkLevel
from edge_agent.uplinks import uplink as base_module
from edge_agent.uplinks.sparkplug import uplink as module
from edge_agent.uplinks.uplink import UplinkState
from tests.field.certificates import Authority
from tests.field.mosquitto import Mosquitto
from tests.field.sparkplug.bench import GROUP, NODE, Bench, until
from tests.field.sparkplug.host import Host
from tests.field.sparkplug.tap import Tap
from tests.uplinks.sparkplug.lives import SAID_AT, batch, figures, state

PAUSE_S = 0.5
"""Between births that are asked for."""


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_module, "RETRY_FIRST_S", 0.1)


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def values_heard(host: Host, name: str) -> list[tuple[int | float, bool]]:
    """Each value that came for the metric `name`, and whether it came as history."""
    aliases: dict[int, str] = {}
    found = []
    for one in host.heard():
        for metric in one.decoded().metrics:
            if metric.name:
                aliases[metric.alias] = metric.name
            kind = metric.WhichOneof("value")
            if aliases.get(metric.alias) == name and kind is not None:
                found.append((getattr(metric, kind), metric.is_historical))
    return found


def test_a_wire_cut_while_data_flow_loses_nothing(tmp_path: Path) -> None:
    """The application at the other end of the broker gets each value, some more than once."""
    count = 6000

    async def work() -> None:
        with Mosquitto(tmp_path / "broker") as broker, Host(broker.port) as host:
            async with Tap(broker.port) as tap, Bench(tmp_path, tap.port) as bench:
                bench.add(batch("CNC-01", {"parts": 0}), state("CNC-01", LinkLevel.LIVE))
                await until(lambda: host.heard("DBIRTH"))
                for part in range(4):
                    # What the broker confirms does not arrive, so that some is on its way when it breaks.
                    tap.answers = False
                    for n in range(1, count // 4 + 1):
                        bench.add(batch("CNC-01", {"parts": part * count // 4 + n}, SAID_AT + n))
                    await until(lambda: len(bench.uplink._unconfirmed) > 100)
                    tap.cut()
                    await until(lambda: bench.uplink.state is UplinkState.CONNECTING)
                    tap.answers = True
                    await until(lambda: bench.uplink.state is UplinkState.CONNECTED)
                await bench.delivered(60)
                statistics = bench.uplink.statistics
                assert statistics.published > statistics.acknowledged == count + 2, "some are repeated"
            # Whatever was published over a connection arrives before its death.
            await until(lambda: len(host.heard("NDEATH")) >= statistics.connects)
            values = [value for value, _ in values_heard(host, "tags/parts")]
            assert set(values) == set(range(count + 1))
            assert any(historical for _, historical in values_heard(host, "tags/parts"))

    run(work)


def test_a_broker_that_was_away_gets_the_present_first_and_the_past_as_such(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")

    async def work() -> None:
        async with Bench(tmp_path, broker.port) as bench:
            for n in range(1, 51):
                bench.add(batch("CNC-01", {"parts": n}, SAID_AT + n))
            bench.add(state("CNC-01", LinkLevel.LIVE), figures(1, 2))
            await bench.journal.flush()
            await until(lambda: bench.told)
            await until(lambda: bench.uplink._known == bench.journal.last("scada"))
            broker.start()
            with Host(broker.port) as host:
                host.ask_for_births(GROUP, NODE)  # the first ones may have been before it came
                await bench.delivered()
                await until(lambda: len(values_heard(host, "tags/parts")) >= 50)
            assert [kind for kind, _ in bench.told] == ["uplink_down", "uplink_up"]

    try:
        run(work)
    finally:
        broker.stop()


def test_the_present_is_in_the_births_and_the_past_comes_after(tmp_path: Path) -> None:
    async def work() -> None:
        with Mosquitto(tmp_path / "broker") as broker, Host(broker.port) as host:
            async with Bench(tmp_path, broker.port, primary_host=host.id) as bench:
                for n in range(1, 51):
                    bench.add(batch("CNC-01", {"parts": n}, SAID_AT + n))
                bench.add(state("CNC-01", LinkLevel.LIVE))
                await bench.journal.flush()
                await until(lambda: bench.uplink._known == bench.journal.last("scada"))
                assert bench.journal.depth("scada") == 51
                await asyncio.to_thread(host.state, True, 1)
                await bench.delivered()
                bench.add(batch("CNC-01", {"parts": 51}, SAID_AT + 51))
                await bench.delivered()
            await until(lambda: host.heard("NDEATH"))
            assert values_heard(host, "tags/parts") == [
                (50, False),
                *((n, True) for n in range(1, 51)),
                (51, False),
            ]

    run(work)


def test_without_its_host_everything_stays_in_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HOST_WAIT_S", 0.2)

    async def work() -> None:
        with Mosquitto(tmp_path / "broker") as broker, Host(broker.port) as host:
            async with Bench(tmp_path, broker.port, primary_host="nobody") as bench:
                bench.add(*(batch("CNC-01", {"parts": n}) for n in range(20)))
                await until(lambda: bench.uplink.state is UplinkState.WAITING)
                await bench.journal.flush()
                assert bench.journal.depth("scada") == 20
                assert bench.told == [
                    ("uplink_down", f"the primary host is not online at 127.0.0.1:{broker.port}")
                ]
            await until(lambda: host.heard("NDEATH"))
            assert {one.verb for one in host.heard()} == {"NDEATH"}

    run(work)


def test_it_turns_to_the_broker_where_its_host_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HOST_WAIT_S", 0.3)

    async def work() -> None:
        with (
            Mosquitto(tmp_path / "first") as first,
            Mosquitto(tmp_path / "second") as second,
            Host(first.port) as here,
            Host(second.port) as there,
        ):
            fallback = [{"host": "127.0.0.1", "port": second.port}]
            await asyncio.to_thread(there.state, True, 1)
            async with Bench(tmp_path, first.port, primary_host="scada", fallback=fallback) as bench:
                bench.add(batch("CNC-01", {"parts": 1}), state("CNC-01", LinkLevel.LIVE))
                await until(lambda: bench.uplink._addresses[0].port == second.port)
                monkeypatch.setattr(module, "HOST_WAIT_S", 60)  # there, it says something
                await until(lambda: there.heard("DBIRTH"))
                assert here.heard("NBIRTH") == []
                await bench.delivered()
                await asyncio.to_thread(here.state, True, 1)
                await asyncio.to_thread(there.state, False, 2)
                await until(lambda: here.heard("DBIRTH"))
                bench.add(batch("CNC-01", {"parts": 2}, SAID_AT + 1))
                await bench.delivered()
            await until(lambda: (2, False) in values_heard(here, "tags/parts"))
            numbers = [
                metric.long_value
                for host in (there, here)
                for one in host.heard("NBIRTH")
                for metric in one.decoded().metrics
                if metric.name == "bdSeq"
            ]
            assert numbers == [1, 2], "one for each CONNECT, whichever broker it was for"

    run(work)


async def all_births(host: Host) -> int:
    """How many births of the node the broker has had by now."""
    marks = len(host.heard("NDATA"))
    await asyncio.to_thread(host.say, f"spBv1.0/{GROUP}/NDATA/mark", b"")
    await until(lambda: len(host.heard("NDATA")) > marks)
    return len(host.heard("NBIRTH"))


def test_commands_that_make_no_sense_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REBIRTH_PAUSE_S", PAUSE_S)
    command = f"spBv1.0/{GROUP}/NCMD/{NODE}"

    async def work() -> None:
        with Mosquitto(tmp_path / "broker") as broker, Host(broker.port) as host:
            await asyncio.to_thread(host.ask_for_births, GROUP, NODE, retain=True)
            async with Bench(tmp_path, broker.port) as bench:
                bench.add(batch("CNC-01", {"parts": 1}), state("CNC-01", LinkLevel.LIVE))
                await until(lambda: host.heard("DBIRTH"))
                for content in (b"", b"\xff\xff\xff", b'{"rebirth": true}'):
                    await asyncio.to_thread(host.say, command, content)
                for n in range(2, 5):
                    bench.add(batch("CNC-01", {"parts": n}, SAID_AT + n))
                    await bench.delivered()  # each asks for the commands anew
                await until(lambda: (4, False) in values_heard(host, "tags/parts"))
                assert len(host.heard("NBIRTH")) == 1, "a command that was kept is not obeyed"
                await asyncio.to_thread(host.ask_for_births, GROUP, NODE)
                await until(lambda: len(host.heard("NBIRTH")) == 2)
                loop = asyncio.get_running_loop()
                began = loop.time()
                for _ in range(50):
                    await asyncio.to_thread(host.ask_for_births, GROUP, NODE)
                bench.add(batch("CNC-01", {"parts": 5}, SAID_AT + 5))
                await bench.delivered()  # it has heard them all
                births = await all_births(host)
                assert births - 2 <= 1 + (loop.time() - began) / PAUSE_S, "not one for each"
                await until(lambda: len(host.heard("NBIRTH")) >= 3)
                await asyncio.sleep(4 * PAUSE_S)
                assert await all_births(host) <= births + 1, "who asks in a loop is answered once"
                assert bench.uplink.statistics.connects == 1

    run(work)


def test_over_tls_with_certificates_on_both_sides(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    server, server_key = authority.issue("server")
    certificate, key = authority.issue("client")
    extra = f"cafile {authority.ca}\ncertfile {server}\nkeyfile {server_key}\nrequire_certificate true"

    async def work() -> None:
        with Mosquitto(tmp_path / "broker", extra) as broker:
            tls = TlsOptions(ca=authority.ca, certificate=certificate, key=key)
            async with Bench(tmp_path, broker.port, tls=tls) as bench:
                bench.add(batch("CNC-01", {"parts": 1}), state("CNC-01", LinkLevel.LIVE))
                await bench.delivered()
                assert bench.told == []

    run(work)
