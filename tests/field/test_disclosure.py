"""What is planted as a secret in machines and register never reaches a region, and all of it the works."""

import asyncio
from pathlib import Path

from edge_agent.contract.messages import (
    Event,
    Replay,
    ReplayRequest,
    State,
    Statements,
    Status,
    Telemetry,
    decode,
    encode,
    number,
)
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.store import Record
from edge_agent.uplinks.disclosure import told_to
from tests.drivers.modbus.harness import ModbusHarness
from tests.field.agent_process import AgentProcess
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform, Received
from tests.field.test_mqtt_uplink import ROOT, Bench

CONFIGURATION = """
gateway: {{id: gw-1, region: "330300", enterprise: 91330300MA00DEM06A}}
register: register.csv
connections:
  - id: bus
    driver: modbus
    host: 127.0.0.1
    port: {modbus}
    period: 100ms
    timeout: 10s
    equipment:
      - id: A
        unit: 1
        tags: [{{id: strokes, table: holding, address: 0, type: uint32, counter: {{}}}}]
        states:
          - {{when: strokes > 1000000, state: running, cause: program O7734}}
          - {{when: "true", state: alarm, cause: E-4711 spindle overload}}
uplinks:
  - {{id: region, type: mqtt, host: 127.0.0.1, port: {mqtt}}}
  - {{id: plant, type: mqtt, host: 127.0.0.1, port: {mqtt}, client_id: p, root: plant, audience: plant}}
indicators: {{every: 1s}}
sharing:
  tenants: [{{id: zhenghe, name: 正和精密}}]
  machines: [{{equipment: A, sessions: register}}]
"""
STROKES = 987654321
REGISTER = "id,name,workshop,nc,asset_value,tenant\nA,冲床,一车间,no,31415926.53,zhenghe\n"
SECRETS = [
    b"987654321",  # a reading
    b"strokes",  # a tag
    b"O7734",  # a program
    b"E-4711",  # an alarm
    b"3141592653",  # money, in fen
    b"zhenghe",  # a tenant
    b"127.0.0.1",  # an address in the text of an event
]


def seen(received: list[Received]) -> set[str]:
    """What has come of that by which the agent can be seen to have told its story."""
    kinds = {r.message.kind for r in received if isinstance(r.message, Event)}
    states = {r.message.state for r in received if isinstance(r.message, State)}
    figures = {"figures"} if any(isinstance(r.message, Statements) for r in received) else set()
    register = {"register"} if any(r.topic == "register" for r in received) else set()
    return kinds | states | figures | register


def said_goodbye(received: list[Received]) -> bool:
    """Whether its last word has come, and with that all before it."""
    return any(isinstance(r.message, Status) and not r.message.online for r in received)


STORY = {
    "register",
    "figures",
    "running",
    "alarm",
    "unknown",
    "alarm_begun",
    "counter_reset",
    "connection_lost",
}


def test_no_secret_leaves_the_works(tmp_path: Path) -> None:
    async def main() -> None:
        device = ModbusHarness()
        await device.start()
        try:
            await device.set("A", "t0", STROKES >> 16)
            await device.set("A", "t1", STROKES & 0xFFFF)
            with (
                Mosquitto(tmp_path / "broker") as broker,
                Platform(broker.port) as region,
                Platform(broker.port, "plant", client_id="plant") as plant,
            ):
                (tmp_path / "register.csv").write_text(REGISTER, "utf-8")
                configuration = tmp_path / "agent.yaml"
                configuration.write_text(CONFIGURATION.format(modbus=device.port, mqtt=broker.port), "utf-8")
                with AgentProcess(configuration, tmp_path, module="tests.field.patient_agent") as agent:
                    await until(region, {"running", "figures"}, agent)
                    await device.set("A", "t0", 0)
                    await until(region, {"counter_reset", "alarm_begun"}, agent)
                    await device.stop()
                    await until(region, STORY, agent)
                    agent.stop()
                for platform in (region, plant):
                    await asyncio.to_thread(platform.wait_for, said_goodbye)
                to_region = [r.payload for r in region.received()]
                to_plant = b"".join(r.payload for r in plant.received())
                assert [secret for secret in SECRETS if secret not in to_plant] == [], "was it ever told?"
                assert [(s, p) for p in to_region for s in SECRETS if s in p] == []
                assert not [r for r in region.received() if isinstance(r.message, Telemetry)]
                numbers = sorted(region.numbered())
                assert numbers == list(range(1, len(numbers) + 1))
                audiences = {
                    r.message.audience
                    for of in (region, plant)
                    for r in of.received()
                    if isinstance(r.message, Status) and r.message.online
                }
                assert audiences == {"region", "plant"}
        finally:
            await device.stop()

    asyncio.run(main())


async def until(platform: Platform, wanted: set[str], agent: AgentProcess) -> None:
    try:
        await asyncio.to_thread(platform.wait_for, lambda received: wanted <= seen(received))
    except AssertionError as error:
        missing = wanted - seen(platform.received())
        raise AssertionError(f"{error}; without {missing}\n{agent.log()[-3000:]}") from error


def test_what_is_asked_for_comes_with_the_bytes_of_the_first_time(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker") as broker, Platform(broker.port, ROOT) as platform:
        bench = Bench(tmp_path, broker.port, audience="region")
        reset = Event(time=1, kind="counter_reset", subject="A", message="secret", detail={"tag": "secret"})
        state = State(equipment="A", time=2, state="alarm", cause="secret", since=1, link="live")
        records = [
            Record(RecordClass.EVENTS, "", encode(reset)),
            Record(RecordClass.STATES, "A", encode(state)),
        ]

        def answered(received: list[Received]) -> dict[int, bytes]:
            again = [bytes(r.message.message) for r in received if isinstance(r.message, Replay)]
            return {decode(payload).seq: payload for payload in again}  # type: ignore[union-attr,misc]  # all are numbered

        async def work() -> None:
            for record in records:
                bench.journal.append(record)
            await bench.journal.flush()
            await bench.journal.delivered()
            async with asyncio.timeout(20):
                while len(answered(platform.received())) < len(records):
                    platform.publish("replay/request", encode(ReplayRequest(id="r", first=1, last=2)))
                    await asyncio.sleep(0.5)

        bench.run(work)
        told = told_to("region")
        first = platform.numbered()
        assert first == {seq: number(told(record), seq) for seq, record in enumerate(records, 1)}
        assert answered(platform.received()) == first
        assert b"secret" not in b"".join(r.payload for r in platform.received())
