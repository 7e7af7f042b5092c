"""What another configuration of the same gateway changes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edge_agent.config.site import Site


@dataclass(frozen=True, slots=True)
class Changed:
    """Ids of what is in one of two configurations, or in both and not the same."""

    added: frozenset[str]
    removed: frozenset[str]
    altered: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.ended or self.begun)

    @property
    def ended(self) -> frozenset[str]:
        """What runs no longer as it did."""
        return self.removed | self.altered

    @property
    def begun(self) -> frozenset[str]:
        """What runs as it did not before."""
        return self.added | self.altered

    def __str__(self) -> str:
        """`+new -gone ~altered`"""
        marked = [("+", self.added), ("-", self.removed), ("~", self.altered)]
        return " ".join(f"{mark}{name}" for mark, names in marked for name in sorted(names))


@dataclass(frozen=True, slots=True)
class Difference:
    """Between the configuration that runs and another."""

    connections: Changed
    """A connection is altered if anything of it is, or how long its equipment may be silent."""
    uplinks: Changed
    """As far as their own options go."""
    sections: tuple[str, ...]
    """Which of the others differ: `register`, `calendars`, ..."""
    needs_restart: tuple[str, ...]
    """What differs, and cannot be changed while the agent runs."""

    @classmethod
    def between(cls, running: Site, other: Site) -> "Difference":
        stale = running.states != other.states
        return cls(
            _changed(running.connections, other.connections, all_altered=stale),
            _changed(running.uplinks, other.uplinks),
            tuple(name for name, value in _sections(running).items() if _sections(other)[name] != value),
            tuple(_needs_restart(running, other)),
        )

    def __bool__(self) -> bool:
        return bool(self.connections or self.uplinks or self.sections or self.needs_restart)

    def __str__(self) -> str:
        """`connections: +mill-7 ~lathes; register`"""
        named = [("connections", self.connections), ("uplinks", self.uplinks)]
        return "; ".join([*(f"{name}: {change}" for name, change in named if change), *self.sections])


def _sections(site: Site) -> Mapping[str, Any]:
    return {
        "gateway": site.gateway,
        "register": site.register.version,
        "states": site.states,
        "indicators": site.indicators,
        "definitions": [one.digest for one in site.definitions],
        "calendars": site.calendars,
        "journal": site.journal,
        "sharing": site.sharing,
        "console": site.console,
        "follow_files": site.follow_files,
    }


def _needs_restart(running: Site, other: Site) -> Iterable[str]:
    """The gateway's name in every topic and statement, the clock by which its days begin, and what the files
    in the data folder are written with."""
    for name in ("id", "region", "enterprise", "timezone"):
        if getattr(running.gateway, name) != getattr(other.gateway, name):
            yield f"gateway.{name}"
    if running.data_dir != other.data_dir:
        yield "data_dir"
    if running.journal.key_file != other.journal.key_file:
        yield "journal.key_file"


def _changed(running: Iterable[Any], other: Iterable[Any], *, all_altered: bool = False) -> Changed:
    before, after = {one.id: one for one in running}, {one.id: one for one in other}
    both = before.keys() & after.keys()
    return Changed(
        added=frozenset(after.keys() - before.keys()),
        removed=frozenset(before.keys() - after.keys()),
        altered=frozenset(name for name in both if all_altered or before[name] != after[name]),
    )
