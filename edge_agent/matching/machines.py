"""What was found, put together: one machine may speak several protocols."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge_agent.model.found import Found


@dataclass(frozen=True, slots=True)
class Machine:
    """`found` is what it is read by; `also` is what else was recognised on its host."""

    found: Found
    also: tuple[Found, ...] = ()

    @property
    def where(self) -> str:
        return f"{self.found.where} {self.found.part}".rstrip()

    @property
    def texts(self) -> tuple[str, ...]:
        """What it, and what else is on its host, says of itself."""
        return tuple(
            text
            for one in (self.found, *self.also)
            for text in (one.part, one.name, one.maker, one.model, one.serial_number)
            if text
        )

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(one.kind for one in (self.found, *self.also) if one.kind)

    @property
    def protocols(self) -> str:
        return ", ".join(dict.fromkeys(one.protocol for one in (self.found, *self.also)))


def machines(found: Iterable[Found]) -> list[Machine]:
    """In the order in which they were found.

    On a host where a driver reads something, each of these things is a machine; what was only recognised
    goes with it if there is but one, and otherwise tells nothing apart. On other hosts all that was
    recognised is one machine, or one for each part that a protocol names.
    """
    hosts: dict[str, list[Found]] = {}
    for one in found:
        hosts.setdefault(one.host, []).append(one)
    return [machine for of_host in hosts.values() for machine in _of_host(of_host)]


def _of_host(found: Sequence[Found]) -> list[Machine]:
    leading = [one for one in found if one.driver]
    others = [one for one in found if not one.driver]
    if not leading:
        leading = [one for one in others if one.part] or others[:1]
        others = [one for one in others if one not in leading]
    if len(leading) == 1:
        return [Machine(leading[0], tuple(others))]
    return [Machine(one) for one in leading]
