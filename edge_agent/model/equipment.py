"""The asset register: every equipment of the site, connected or not, the processes, and who works there."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from functools import cached_property
from typing import Any, Literal, TypeAlias

Industry: TypeAlias = Literal["discrete", "process"]
"""Discrete manufacturing (离散) or process industry (流程)."""

Control: TypeAlias = Literal["", "nc", "dnc", "cnc", "fmc", "plc", "dcs", "pcs"]
"""What a process is controlled by; empty if by none of these."""


@dataclass(frozen=True, slots=True)
class Equipment:
    """One line of the register (设备台账)."""

    id: str
    name: str
    workshop: str
    line: str = ""
    kind: str = ""
    """Class of equipment in the plant's own words: machine tool, robot, press."""
    production: bool = True
    """Production equipment; False keeps it out of the denominators (hand tools, office IT)."""
    digital: bool = False
    nc: bool = False
    """Numerically controlled, as GB/T 39561.1-2020, 3.1.1 has it."""
    nc_ground: str = ""
    """On what ground `nc` is claimed: the controller's model."""
    should_connect: bool = True
    key: bool = False
    """Key equipment (关键设备)."""
    commissioned: date | None = None
    retired: date | None = None
    asset_value: int | None = None
    """Original asset value (资产原值) in fen, 0.01 yuan: a whole number, so that sums are exact."""
    processes: tuple[str, ...] = ()
    """Ids of the processes (工序) that it serves."""
    connect_reason: str = ""
    """Why it cannot or need not be connected."""
    handle: str = ""
    """Its handle in identifier resolution (标识)."""
    tenant: str = ""
    """Who uses it, where equipment is shared (租户)."""
    calendar: str = ""
    """Name of its planned calendar."""
    robot: bool = False
    """An industrial robot, as robot density counts them."""

    def in_service(self, day: date) -> bool:
        """Whether the equipment counts on `day`: commissioned, and not yet retired."""
        return (self.commissioned is None or self.commissioned <= day) and (
            self.retired is None or day < self.retired
        )


_FIRST_ADDED = "asset_value"
_COLUMNS = [field.name for field in fields(Equipment)]
_ADDED = {
    field.name: field.default for field in fields(Equipment)[_COLUMNS.index(_FIRST_ADDED) :]
}  # with what they are where they are left out


@dataclass(frozen=True, slots=True)
class Process:
    """One process (工序) of the site. `workshop` is one in which equipment stands."""

    id: str
    name: str
    workshop: str
    key: bool = False
    """Key process (关键工序)."""
    industry: Industry = "discrete"
    control: Control = ""


@dataclass(frozen=True)
class Register:
    """The register as read. `headcount`: employees of the site; None if nobody has said."""

    equipment: tuple[Equipment, ...]
    processes: tuple[Process, ...] = ()
    headcount: int | None = None

    @cached_property
    def by_id(self) -> Mapping[str, Equipment]:
        return {e.id: e for e in self.equipment}

    @cached_property
    def workshops(self) -> tuple[str, ...]:
        """Workshops in the order in which the register first names them."""
        return tuple(dict.fromkeys(e.workshop for e in self.equipment))

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the equipment's lines as JSON, sorted by id: the same for every file format.

        Columns that were added to the first thirteen are left out of a line that does not fill them, so
        that they change no digest by being known.
        """
        return _sha256(self.lines)

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        """The equipment by id, column by column, as the digest is taken over it: dates as text."""
        return [_line(one) for one in sorted(self.equipment, key=lambda one: one.id)]

    @cached_property
    def process_lines(self) -> list[dict[str, Any]]:
        """The processes by id, column by column, as the version is taken over them."""
        return [asdict(one) for one in sorted(self.processes, key=lambda one: one.id)]

    @cached_property
    def version(self) -> str:
        """SHA-256 (hex) of all that figures are counted on: the digest, the processes and the headcount."""
        return _sha256({"digest": self.digest, "headcount": self.headcount, "processes": self.process_lines})


def _line(equipment: Equipment) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in asdict(equipment).items()
        if name not in _ADDED or value != _ADDED[name]
    }


def _sha256(content: object) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
