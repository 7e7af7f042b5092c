"""What a user may write for a connection: the base that each driver's own options extend."""

import re
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from edge_agent.model.state import MachineState

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def _seconds(value: object) -> float:
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a number with its unit: 500ms, 1s, 5min, 24h or 30d")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds <= 0:
        raise ValueError("expected a duration greater than zero")
    return seconds


Duration = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema(
        {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|s|min|h|d)$", "examples": ["500ms", "1s", "5min"]}
    ),
]
"""Seconds; written with a unit."""

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(MB|GB)")
_BYTES = {"MB": 10**6, "GB": 10**9}
_LARGEST = 10**15


def _bytes(value: object) -> int:
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a number with its unit: 200MB, 1GB or 1.5GB")
    size = float(match[1]) * _BYTES[match[2]]
    if size > _LARGEST:
        raise ValueError("expected a size that a disk may have")
    return round(size)


Size = Annotated[
    int,
    BeforeValidator(_bytes),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*(MB|GB)$", "examples": ["200MB", "1GB"]}),
]
"""Bytes; written with a unit."""

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*(kbit/s|Mbit/s)")
_BITS_A_SECOND = {"kbit/s": 10**3, "Mbit/s": 10**6}
_SLOWEST = 1000.0


def _bytes_a_second(value: object) -> float:
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a number with its unit: 64kbit/s or 1Mbit/s")
    bits = float(match[1]) * _BITS_A_SECOND[match[2]]
    if bits < _SLOWEST:
        raise ValueError("expected at least 1kbit/s")
    return bits / 8


Rate = Annotated[
    float,
    BeforeValidator(_bytes_a_second),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d+(\.\d+)?\s*(kbit/s|Mbit/s)$",
            "examples": ["64kbit/s", "1Mbit/s"],
        }
    ),
]
"""Bytes a second; written in bits with a unit."""

EquipmentId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""Travels as a topic level and as a database tag, so no blanks, slashes or wildcards."""

TagId = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
"""A name that state rules can use."""

_LONGEST_TAG_ID = 64


def total_id(tag: str) -> str:
    """The id of the tag that is derived from the counter `tag`."""
    return f"{tag}_total"


class Options(BaseModel):
    """Base of everything a user writes: unknown keys are errors, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CounterOptions(Options):
    """A counter of parts, strokes or energy, which runs over at its end or is set back now and then."""

    modulus: float | None = Field(
        default=None,
        gt=0,
        description="Where the counter begins again at 0, as a scaled value: 65536 for 16 bits. Leave it out"
        " if the counter is set back before it gets there",
    )


class TagOptions(Options):
    """One tag. A driver adds where it is found (address, node) and its type."""

    id: TagId
    description: str = ""
    unit: str = Field(default="", description="Unit of the scaled value, as in UCUM: Cel, A, kW.h, /min")
    scale: float = Field(default=1.0, description="value = raw * scale + offset")
    offset: float = 0.0
    period: Duration | None = Field(default=None, description="Default: the connection's period")
    optional: bool = Field(
        default=False, description="Not every machine of the kind has it: `check` does not miss it"
    )
    counter: CounterOptions | None = Field(
        default=None, description="The tag counts up: a tag <id>_total is derived, which never decreases"
    )

    @model_validator(mode="after")
    def _room_for_total(self) -> Self:
        if self.counter is not None and len(total_id(self.id)) > _LONGEST_TAG_ID:
            longest = _LONGEST_TAG_ID - len(total_id(""))
            raise ValueError(
                f"the id of a counter has at most {longest} characters, as _total is added to it"
            )
        return self


class StateRule(Options):
    """`state` holds while the CEL expression `when` over the equipment's tags is true."""

    when: str = Field(description="CEL expression over tag ids, such as: status == 3 && alarm == 0")
    state: MachineState
    cause: str = Field(default="", description="Carried with the state: 'door open'")


class ProductionOptions(Options):
    """What counts the pieces and the energy of an equipment: ids of its tags, each one of a counter."""

    parts: TagId | None = Field(default=None, description="Pieces produced, good and bad ones")
    good: TagId | None = Field(default=None, description="Good pieces; this or rejects")
    rejects: TagId | None = Field(
        default=None, description="Bad pieces: good ones are parts less these; this or good"
    )
    energy: TagId | None = Field(
        default=None, description="Energy; the unit of the tag is W.h, kW.h or MW.h (or Wh, kWh, MWh)"
    )
    cycle_time: Duration | None = Field(default=None, description="Planned run time per piece, such as 45s")

    @model_validator(mode="after")
    def _good_in_one_way(self) -> Self:
        if self.good is not None and self.rejects is not None:
            raise ValueError("good pieces are counted by good or by rejects, not by both; leave one out")
        if self.rejects is not None and self.parts is None:
            raise ValueError("good pieces are parts less rejects; parts is missing")
        return self


WATT_HOURS: Mapping[str, int] = {
    "W.h": 1, "Wh": 1, "kW.h": 1000, "kWh": 1000, "MW.h": 1_000_000, "MWh": 1_000_000,
}  # fmt: skip
"""How many there are in a unit that a tag of energy may have."""


class EquipmentOptions(Options):
    """One equipment served by a connection. A driver adds how it is addressed (unit id, base node).

    A driver narrows `tags` to its own tag class.
    """

    id: EquipmentId = Field(description="As in the asset register")
    profile: str | None = Field(default=None, description="Name of a profile: its tags and state rules apply")
    tags: tuple[TagOptions, ...] = Field(default=(), description="Added to the profile's; same id replaces")
    states: tuple[StateRule, ...] = Field(
        default=(), description="State rules, first match wins; replace the profile's if given"
    )
    production: ProductionOptions | None = Field(
        default=None, description="Which tags count what it makes; default: nobody counts it"
    )


class ConnectionOptions(Options):
    """One endpoint. A driver adds its address and narrows `driver` and `equipment` to its own."""

    id: EquipmentId
    driver: str
    enabled: bool = Field(default=True, description="false: its equipment is unknown (disabled)")
    period: Duration = Field(default=1.0, description="How often tags are read, or published by the server")
    timeout: Duration = Field(default=3.0, description="Limit for one answer")
    equipment: tuple[EquipmentOptions, ...] = Field(min_length=1)
