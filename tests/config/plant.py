"""Two small drivers, a polled and a streaming one, and a configuration that is right."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, FilePath, SecretStr, model_validator

from edge_agent.driver import (
    AnyDriver,
    ConnectionFailed,
    EquipmentFailed,
    PlannedRequest,
    PolledDriver,
    ProbeResult,
    StreamingDriver,
    TagSet,
)
from edge_agent.model.batch import Batch
from edge_agent.model.clock import CLOCK
from edge_agent.model.options import ConnectionOptions, EquipmentOptions, Options, TagOptions
from edge_agent.model.quality import bad
from edge_agent.model.state import UnknownCause

MISSING_ADDRESS = 99
DEAD_UNIT = 13


class BusTag(TagOptions):
    address: int = Field(ge=0, le=999)
    kind: Literal["number", "text"] = "number"
    length: int | None = None

    @model_validator(mode="after")
    def _length_of_texts(self) -> "BusTag":
        if (self.kind == "text") != (self.length is not None):
            raise ValueError("length is for kind text, and for no other")
        return self


class BusEquipment(EquipmentOptions):
    unit: int = Field(default=1, ge=0, le=255)
    highest: int = 999
    tags: tuple[BusTag, ...] = ()

    @model_validator(mode="after")
    def _addresses(self) -> "BusEquipment":
        for tag in self.tags:
            if tag.address > self.highest:
                raise ValueError(
                    f"tag {tag.id} is at {tag.address}, above the highest address {self.highest}"
                )
        return self


class ByName(Options):
    kind: Literal["name"]
    user: str
    password: SecretStr


class ByToken(Options):
    kind: Literal["token"]
    token: SecretStr = Field(min_length=8)


class BusConnection(ConnectionOptions):
    driver: Literal["bus"]
    host: str
    port: int = Field(default=502, ge=1, le=65535)
    secure: bool = False
    login: Annotated[ByName | ByToken, Field(discriminator="kind")] | None = None
    pin: SecretStr | None = None
    ca: FilePath | None = None
    limits: tuple[int | float, ...] = ()
    texts: dict[int, str] = Field(default_factory=dict)
    equipment: tuple[BusEquipment, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _pin_is_good(self) -> "BusConnection":
        # Drivers write such messages; what stands in them must not get out.
        if self.pin is not None and self.pin.get_secret_value().startswith("bad"):
            raise ValueError(f"the pin {self.pin.get_secret_value()!r} on {self.host} is refused")
        return self


class BusDriver(PolledDriver[BusConnection, BusEquipment, BusTag]):
    """`host` says how the endpoint behaves: ok, refuses, hangs or breaks."""

    Connection = BusConnection
    Tag = BusTag

    async def open(self) -> None:
        if self.options.host == "refuses":
            raise ConnectionFailed(UnknownCause.REFUSED, "the pin is wrong", "Ask for the right one.")
        if self.options.host == "hangs":
            await asyncio.Event().wait()
        if self.options.host == "breaks":
            raise RuntimeError("a fault of the driver's own")

    async def close(self) -> None: ...

    def plan(self) -> Sequence[PlannedRequest]:
        return [
            PlannedRequest(one.equipment.id, one.period, f"unit {one.equipment.unit}", one.names)
            for one in self.tag_sets
        ]

    async def probe(self) -> ProbeResult:
        return ProbeResult({"maker": "Bus & Co"}, {"tags per request": "9"})

    async def read(self, tag_set: TagSet[BusEquipment, BusTag]) -> Batch:
        if tag_set.equipment.unit == DEAD_UNIT:
            raise EquipmentFailed(UnknownCause.TIMEOUT, "unit 13 is silent", "Is it switched on?")
        now = CLOCK.now_ms()
        values = [None if tag.address == MISSING_ADDRESS else tag.address * tag.scale for tag in tag_set.tags]
        flaws = {index: bad("illegal_address") for index, value in enumerate(values) if value is None}
        return Batch(tag_set.equipment.id, now, tag_set.names, values, flaws, [now - 1500] * len(values))


class FeedTag(TagOptions):
    node: str


class FeedEquipment(EquipmentOptions):
    tags: tuple[FeedTag, ...] = ()


class FeedConnection(ConnectionOptions):
    driver: Literal["feed"]
    url: str
    equipment: tuple[FeedEquipment, ...] = Field(min_length=1)


class FeedDriver(StreamingDriver[FeedConnection, FeedEquipment, FeedTag]):
    """Tells of every tag but of those whose node is `silent`."""

    Connection = FeedConnection
    Tag = FeedTag

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def plan(self) -> Sequence[PlannedRequest]:
        return [
            PlannedRequest(one.equipment.id, one.period, "subscription", one.names) for one in self.tag_sets
        ]

    async def probe(self) -> ProbeResult:
        raise ConnectionFailed(UnknownCause.PROTOCOL_ERROR, "does not say who it is")

    async def stream(self) -> AsyncGenerator[Batch, None]:
        for one in self.tag_sets:
            told = [tag.id for tag in one.tags if tag.node != "silent"]
            yield Batch(one.equipment.id, CLOCK.now_ms(), told, [f"value of {tag}" for tag in told])
        await asyncio.Event().wait()


DRIVERS: dict[str, Any] = {"bus": BusDriver, "feed": FeedDriver}


def load(name: str) -> type[AnyDriver]:
    driver: type[AnyDriver] = DRIVERS[name]
    return driver


GOOD = """\
gateway: {id: gw-01, region: "330300", enterprise: 91350100M000100Y43}
register: register.csv
connections:
  - id: cell-a
    driver: bus
    host: ok
    equipment:
      - id: CNC-01
        tags: [{id: status, address: 1}]
        states: [{when: status == 1, state: running}]
"""
REGISTER = "id,name,workshop\nCNC-01,Lathe,Hall 1\nCNC-02,Mill,Hall 1\nCNC-03,Press,Hall 2\n"


def write_site(folder: Path, text: str = GOOD, register: str = REGISTER) -> Path:
    """A configuration file with its register beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "register.csv").write_text(register, encoding="utf-8")
    config = folder / "site.yaml"
    config.write_text(text, encoding="utf-8")
    return config
