"""What a user may write for a Modbus connection, its equipment and their tags."""

from typing import Annotated, Literal, Self

from pydantic import Field, FilePath, model_validator

from drivers.modbus.types import NUMBERS, TIMES, TypeName
from edge_agent.model.options import ConnectionOptions, Duration, EquipmentOptions, Options, TagOptions

Table = Literal["coil", "discrete", "holding", "input"]
Order = Literal["big", "little"]
Framing = Literal["tcp", "rtu", "ascii"]
Encoding = Literal["ascii", "utf-8", "gbk"]
Baudrate = Literal[300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600]

BIT_TABLES: tuple[Table, ...] = ("coil", "discrete")
MAX_REGISTERS = 125
MAX_BITS = 2000


class ModbusTag(TagOptions):
    """One tag: a table and an address in it, counted from 0 (the first holding register, 40001, is 0)."""

    table: Table
    address: int = Field(ge=0, le=65535, description="From 0, as it travels: register 40001 is holding 0")
    type: TypeName = Field(
        default="uint16", description="Default: bool for coils, inputs and bits; else uint16"
    )
    bit: Annotated[int, Field(ge=0, le=15)] | None = Field(
        default=None, description="One bit of a register; 0 is the least significant"
    )
    byte: Literal["low", "high"] = Field(
        default="low", description="Which half of the register an 8-bit type is"
    )
    byte_order: Order = Field(default="big", description="Bytes within a register; big is the standard")
    word_order: Order = Field(default="big", description="Registers of one value; big: high register first")
    length: Annotated[int, Field(ge=1, le=MAX_REGISTERS)] | None = Field(
        default=None, description="Registers of a string (two bytes each)"
    )
    encoding: Encoding = Field(default="ascii", description="Of a string")
    count: Annotated[int, Field(ge=1, le=MAX_BITS)] | None = Field(
        default=None, description="Elements of an array; the value is a list"
    )
    invalid: tuple[int | float, ...] = Field(
        default=(), description="Raw values that say 'no value', such as 0x7FFF; they become bad readings"
    )
    minimum: float | None = Field(default=None, description="A scaled value below is bad (out_of_range)")
    maximum: float | None = Field(default=None, description="A scaled value above is bad (out_of_range)")
    texts: dict[int, str] = Field(
        default={}, description="Raw number to text; the value becomes the text, uncertain if not listed"
    )

    @model_validator(mode="before")
    @classmethod
    def _bits_are_bool(cls, data: object) -> object:
        if not isinstance(data, dict) or "type" in data:
            return data
        is_bool = data.get("table") in BIT_TABLES or data.get("bit") is not None
        return {**data, "type": "bool"} if is_bool else data

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.table in BIT_TABLES and self.type != "bool":
            raise ValueError(f"the {self.table} table holds bits: type must be bool, not {self.type}")
        if self.bit is not None and (self.table in BIT_TABLES or self.type != "bool"):
            raise ValueError("bit is for type bool in the holding and input tables")
        if self.type == "bool" and self.table not in BIT_TABLES:
            if self.bit is None:
                raise ValueError(f"a bool in the {self.table} table needs bit: which of the 16 is meant")
            if self.count is not None:
                raise ValueError("an array of bits of a register is not supported; list the bits as tags")
        if self.type == "string" and self.word_order == "little":
            raise ValueError("word_order is for values, not for the characters of a string")
        if (self.type == "string") != (self.length is not None):
            raise ValueError("length is needed for type string, and for no other")
        if self.count is not None and self.type not in NUMBERS and self.type != "bool":
            raise ValueError(f"count is for numbers and coils, not for {self.type}")
        if self.byte == "high" and self.type not in ("int8", "uint8"):
            raise ValueError("byte is for int8 and uint8")
        if self.type not in NUMBERS:
            given = [
                name
                for name in ("scale", "offset", "invalid", "minimum", "maximum", "texts")
                if name in self.model_fields_set
            ]
            if given:
                raise ValueError(f"{', '.join(given)}: for numbers only, not for {self.type}")
        if self.texts and (NUMBERS[self.type].is_float or self.count is not None or not self.is_raw):
            raise ValueError("texts is for single integers without scale and offset")
        if self.address + self.extent > 65536:
            raise ValueError(f"the tag ends behind the last address: {self.address} + {self.extent} > 65536")
        if self.extent > (MAX_BITS if self.table in BIT_TABLES else MAX_REGISTERS):
            raise ValueError(f"{self.extent} do not fit into one request: at most 125 registers or 2000 bits")
        return self

    @property
    def is_raw(self) -> bool:
        """Whether the value is the raw one: neither scaled nor shifted."""
        return self.scale == 1.0 and self.offset == 0.0

    @property
    def extent(self) -> int:
        """How many addresses the tag takes: registers, or bits in the coil and discrete tables."""
        if self.type == "bool":
            return self.count or 1
        if self.type == "string":
            return self.length or 1
        if self.type in TIMES:
            return TIMES[self.type].registers
        return NUMBERS[self.type].registers * (self.count or 1)


class ForbiddenRange(Options):
    """Addresses that must not be read, not even in passing."""

    table: Table
    first: int = Field(ge=0, le=65535)
    last: int = Field(ge=0, le=65535)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"last ({self.last}) is before first ({self.first})")
        return self


class RequestLimits(Options):
    """What one request to a unit may ask for."""

    registers: int = Field(default=MAX_REGISTERS, ge=1, le=MAX_REGISTERS)
    bits: int = Field(default=MAX_BITS, ge=1, le=MAX_BITS)
    gap: int = Field(
        default=8, ge=0, le=MAX_BITS, description="Addresses without a tag that may be read in passing"
    )
    forbidden: tuple[ForbiddenRange, ...] = ()
    pause: Duration | None = Field(default=None, description="Silence that the unit needs before a request")


class ModbusEquipment(EquipmentOptions):
    """One unit behind the connection."""

    unit: int = Field(default=1, ge=0, le=255, description="Unit id (slave address)")
    limits: RequestLimits = RequestLimits()
    tags: tuple[ModbusTag, ...] = Field(default=(), description="Added to the profile's; same id replaces")

    @model_validator(mode="after")
    def _tags_within_limits(self) -> Self:
        for tag in self.tags:
            limit = self.limits.bits if tag.table in BIT_TABLES else self.limits.registers
            if tag.extent > limit:
                raise ValueError(f"tag {tag.id} takes {tag.extent} addresses; limits allow {limit} a request")
            for forbidden in self.limits.forbidden:
                if (
                    tag.table == forbidden.table
                    and tag.address <= forbidden.last
                    and forbidden.first < tag.address + tag.extent
                ):
                    raise ValueError(
                        f"tag {tag.id} lies in the forbidden range {forbidden.first}-{forbidden.last}"
                    )
        return self


class SerialLine(Options):
    """A serial port of the gateway."""

    device: str = Field(description="/dev/ttyS0, or better a name under /dev/serial/by-id/")
    baudrate: Baudrate = 9600
    parity: Literal["N", "E", "O"] = Field(default="E", description="The standard says E; many devices use N")
    databits: Literal[7, 8] = 8
    stopbits: Literal[1, 2] = 1

    @property
    def character(self) -> float:
        """Seconds that one character takes on the line, start and stop bits included."""
        return (1 + self.databits + (self.parity != "N") + self.stopbits) / self.baudrate


class Tls(Options):
    """Modbus/TCP Security. The server's certificate is always verified."""

    ca: FilePath | None = Field(default=None, description="PEM file of the CA; default: those of the system")
    certificate: FilePath | None = Field(default=None, description="PEM file of our certificate")
    key: FilePath | None = Field(
        default=None, description="PEM file of its key, if it is not in `certificate`"
    )
    server_name: str | None = Field(
        default=None, description="Name in the server's certificate; default: host"
    )

    @model_validator(mode="after")
    def _key_has_certificate(self) -> Self:
        if self.key is not None and self.certificate is None:
            raise ValueError("key without certificate")
        return self


class ModbusConnection(ConnectionOptions):
    """One TCP connection or one serial line, with one or more units behind it."""

    driver: Literal["modbus"]
    host: str | None = Field(default=None, min_length=1)
    port: int = Field(default=502, ge=1, le=65535, description="802 with TLS by custom")
    serial: SerialLine | None = Field(default=None, description="Instead of host")
    framing: Framing = Field(default="tcp", description="Default: tcp with host, rtu with serial")
    tls: Tls | None = None
    pause: Duration | None = Field(
        default=None,
        description="Silence before each request; default: 3.5 characters on a serial line, none on TCP",
    )
    equipment: tuple[ModbusEquipment, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _serial_means_rtu(cls, data: object) -> object:
        if isinstance(data, dict) and data.get("serial") is not None and "framing" not in data:
            return {**data, "framing": "rtu"}
        return data

    @model_validator(mode="after")
    def _one_endpoint(self) -> Self:
        if (self.host is None) == (self.serial is None):
            raise ValueError("exactly one of host and serial is needed")
        if self.serial is not None and self.framing == "tcp":
            raise ValueError("a serial line has framing rtu or ascii")
        if self.serial is not None and self.tls is not None:
            raise ValueError("tls is for host, not for serial")
        if self.serial is not None and self.serial.databits == 7 and self.framing != "ascii":
            raise ValueError("7 data bits carry framing ascii only")
        if self.tls is not None and self.framing != "tcp":
            raise ValueError("tls goes with framing tcp")
        if self.framing != "tcp" and any(one.unit == 0 for one in self.equipment):
            raise ValueError("unit 0 is the broadcast of a serial line, to which nobody answers")
        return self

    @property
    def endpoint(self) -> str:
        """The other end, as messages and the plan name it."""
        return self.serial.device if self.serial is not None else f"{self.host}:{self.port}"
