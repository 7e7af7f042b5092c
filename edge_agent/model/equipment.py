"""The asset register: every equipment of the site, connected or not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property


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

    def in_service(self, day: date) -> bool:
        """Whether the equipment counts on `day`: commissioned, and not yet retired."""
        return (self.commissioned is None or self.commissioned <= day) and (
            self.retired is None or day < self.retired
        )


@dataclass(frozen=True)
class Register:
    """The register as read from its file. `digest` is the SHA-256 of its canonical form."""

    equipment: tuple[Equipment, ...]
    digest: str

    @cached_property
    def by_id(self) -> Mapping[str, Equipment]:
        return {e.id: e for e in self.equipment}

    @cached_property
    def workshops(self) -> tuple[str, ...]:
        """Workshops in the order in which the register first names them."""
        return tuple(dict.fromkeys(e.workshop for e in self.equipment))
