"""What a look around the network may find, and where it looks: shared by the drivers and the agent."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, TypeAlias

LONGEST_TEXT = 100
"""Characters of what a stranger says of itself; no name of a machine is longer."""


@dataclass(frozen=True, slots=True)
class TcpPlace:
    """A port of a host, which is an IP address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SerialPlace:
    """A serial port of this computer, with 8 data bits and one stop bit. `parity` is N, E or O."""

    device: str
    baudrate: int
    parity: str

    @property
    def host(self) -> str:
        return self.device

    def __str__(self) -> str:
        return f"{self.device} ({self.baudrate} 8{self.parity}1)"


Place: TypeAlias = TcpPlace | SerialPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something that was recognised. Whatever it says of itself is its own claim."""

    protocol: str
    host: str
    """IP address or serial device: what has the same may be the same machine."""
    where: str
    """Place for people: 192.168.0.20:502, or an endpoint's URL."""
    part: str = ""
    """What the protocol calls the part of the place that this is: "unit 3", or the name of a machine."""
    name: str = ""
    """What it calls itself, if that is more than maker and model."""
    maker: str = ""
    model: str = ""
    serial_number: str = ""
    firmware: str = ""
    kind: str = ""
    """`machine_tool`, `robot`, or nothing: what the protocol says that it is."""
    profile: str = ""
    """The shipped profile that fits."""
    driver: str = ""
    """The driver that can read it; none: it was only recognised."""
    address: Mapping[str, Any] = field(default_factory=dict)
    """Options by which a connection of the driver is told from others: its host and port."""
    access: Mapping[str, Any] = field(default_factory=dict)
    """Further options that the connection needs."""
    unit: Mapping[str, Any] = field(default_factory=dict)
    """Options by which the equipment is told from others of the connection."""
    tags: tuple[Mapping[str, Any], ...] = ()
    """Something to begin with where no profile fits: tags that were seen."""
    note: str = ""
    """What the technician should know or do next."""

    def cleaned(self) -> Self:
        """The same without what texts of strangers should not have: control characters, endless length."""
        return replace(
            self,
            part=clean(self.part),
            name=clean(self.name),
            maker=clean(self.maker),
            model=clean(self.model),
            serial_number=clean(self.serial_number),
            firmware=clean(self.firmware),
        )


def clean(text: str) -> str:
    """`text` on one line, without control characters, at most `LONGEST_TEXT` long."""
    shown = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * LONGEST_TEXT]).split())
    return shown if len(shown) <= LONGEST_TEXT else shown[: LONGEST_TEXT - 1] + "…"


class Recogniser(ABC):
    """Recognises one protocol at a place. It asks, and changes nothing there."""

    protocol: ClassVar[str]
    ports: ClassVar[tuple[int, ...]]
    """Where the protocol is by custom."""
    serial: ClassVar[bool] = False
    """Whether it is looked for on serial ports as well."""
    asks: ClassVar[str]
    """What is sent there, for who has to allow it; in Chinese and in English."""

    @abstractmethod
    def recognise(self, place: Place, limit: float) -> AsyncGenerator[Found, None]:
        """What is there, each as soon as it is known; nothing if the place speaks something else.

        `limit`: seconds at most for one answer. Has at most one connection to the place at any moment,
        and none when it ends. May be cancelled at any await. Keeps no more than a few MB of what comes.
        Raises OSError, TimeoutError, ValueError and DriverError where the place cannot be talked to.
        """
