"""Visits what was named: host by host, port by port, with one connection to a host at a time."""

import asyncio
import errno
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import Enum

from edge_agent.driver import DriverError
from edge_agent.model.found import Found, Place, Recogniser, SerialPlace, TcpPlace, clean

HOSTS_AT_ONCE = 8
CONNECTIONS_PER_S = 20
"""Connections that are begun in a second, to all hosts together."""
KNOCK_S = 0.5
"""How long a port has to accept a connection: hosts that are away make up most of a network."""
HOST_LIMIT_S = 60.0
"""For all that is asked of one host or serial port."""
BETWEEN_S = 0.05
"""Between two connections to a host: small devices have one for everybody, and free it late."""
MOST_AT_A_PLACE = 300
"""Things that one place may claim to be."""

_AWAY = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EACCES, errno.EPERM)


@dataclass(frozen=True, slots=True)
class Visit:
    """A port, and the protocols that are tried there until one is recognised."""

    port: int
    recognisers: tuple[Recogniser, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """What is to be looked at. `timeout`: seconds at most for one answer."""

    hosts: tuple[str, ...]
    visits: tuple[Visit, ...]
    serial: tuple[SerialPlace, ...]
    serial_recognisers: tuple[Recogniser, ...]
    timeout: float

    @property
    def places(self) -> int:
        """Ports of hosts, and settings of serial ports."""
        return len(self.hosts) * len(self.visits) + len(self.serial)

    def seconds_if_nobody_answers(self) -> float:
        """What the visits to the hosts take where all of them are away."""
        a_host = min(len(self.visits) * (KNOCK_S + BETWEEN_S), HOST_LIMIT_S)
        paced = len(self.hosts) * len(self.visits) / CONNECTIONS_PER_S
        return max(a_host * -(-len(self.hosts) // HOSTS_AT_ONCE), paced)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A place that took a connection and was not recognised, and why."""

    where: str
    protocol: str
    why: str


@dataclass(slots=True)
class Results:
    """What is known so far."""

    found: list[Found] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    done: int = 0
    """Places that had their turn."""
    answered: set[str] = field(default_factory=set)
    """Hosts of which a port took or refused a connection."""


class _Door(Enum):
    OPEN, CLOSED, SILENT, AWAY = range(4)


class Surveyor:
    """Looks at a survey once. `told` is called with each thing as it is found, `step` with how many places
    more had their turn."""

    def __init__(
        self,
        survey: Survey,
        results: Results,
        told: Callable[[Found], None] = lambda _: None,
        step: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._survey = survey
        self._results = results
        self._told = told
        self._step = step
        self._turns = asyncio.Semaphore(HOSTS_AT_ONCE)
        self._next_at = 0.0

    async def look(self) -> None:
        """May be cancelled at any time: what was found until then is in the results."""
        devices = dict.fromkeys(place.device for place in self._survey.serial)
        async with asyncio.TaskGroup() as group:
            for device in devices:
                group.create_task(self._serial(device))
            for host in self._survey.hosts:
                await self._turns.acquire()
                group.create_task(self._host(host)).add_done_callback(lambda _: self._turns.release())

    async def _host(self, host: str) -> None:
        left = len(self._survey.visits)
        try:
            async with asyncio.timeout(HOST_LIMIT_S):
                for visit in self._survey.visits:
                    place = TcpPlace(host, visit.port)
                    door = await self._knock(place)
                    if door is _Door.AWAY:
                        return
                    if door is not _Door.SILENT:
                        self._results.answered.add(host)
                    if door is _Door.OPEN:
                        await self._try(place, visit.recognisers)
                    await asyncio.sleep(BETWEEN_S)
                    left -= 1
                    self._took_turn(1)
        except TimeoutError:
            self._results.troubles.append(_too_long(host))
        finally:
            self._took_turn(left)

    async def _serial(self, device: str) -> None:
        """One setting of the port after the other, until somebody answers."""
        settings = [place for place in self._survey.serial if place.device == device]
        left = len(settings)
        try:
            for place in settings:
                async with asyncio.timeout(HOST_LIMIT_S):
                    if await self._try(place, self._survey.serial_recognisers):
                        return
                left -= 1
                self._took_turn(1)
        except TimeoutError:
            self._results.troubles.append(_too_long(device))
        finally:
            self._took_turn(left)

    def _took_turn(self, places: int) -> None:
        self._results.done += places
        self._step(places)

    async def _pace(self) -> None:
        """Wait until the next connection may be begun."""
        now = asyncio.get_running_loop().time()
        begin = max(now, self._next_at)
        self._next_at = begin + 1 / CONNECTIONS_PER_S
        await asyncio.sleep(begin - now)

    async def _knock(self, place: TcpPlace) -> _Door:
        await self._pace()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(KNOCK_S):
                transport, _ = await loop.create_connection(asyncio.Protocol, place.host, place.port)
        except ConnectionRefusedError:
            return _Door.CLOSED
        except OSError as error:  # TimeoutError among them
            return _Door.AWAY if error.errno in _AWAY else _Door.SILENT
        transport.abort()
        await asyncio.sleep(BETWEEN_S)
        return _Door.OPEN

    async def _try(self, place: Place, recognisers: Sequence[Recogniser]) -> bool:
        """Whether one of the protocols was recognised."""
        for recogniser in recognisers:
            await self._pace()
            count, why = 0, ""
            try:
                async with aclosing(recogniser.recognise(place, self._survey.timeout)) as found:
                    async for one in found:
                        count += 1
                        self._take(one.cleaned())
                        if count == MOST_AT_A_PLACE:
                            break
            except TimeoutError:
                why = "不应答 does not answer in time"
            except (OSError, ValueError, DriverError) as error:
                why = clean(str(error)) or type(error).__name__
            except (
                Exception
            ) as error:  # a stranger made a library fail; the others are looked at all the same
                why = clean(f"{type(error).__name__}: {error}")
            if count:
                return True
            self._results.troubles.append(
                Trouble(str(place), recogniser.protocol, why or "不是该协议 speaks something else")
            )
            await asyncio.sleep(BETWEEN_S)
        return False

    def _take(self, found: Found) -> None:
        self._results.found.append(found)
        self._told(found)


def _too_long(where: str) -> Trouble:
    return Trouble(
        where, "", f"超过 {HOST_LIMIT_S:g} 秒，已放弃 took longer than {HOST_LIMIT_S:g} s, given up"
    )


def visits(recognisers: Sequence[Recogniser], ports: Mapping[str, Sequence[int]]) -> tuple[Visit, ...]:
    """Which protocols are tried at which port: those of `ports` where it names a protocol, else its own."""
    by_port: dict[int, list[Recogniser]] = {}
    for recogniser in recognisers:
        for port in ports.get(recogniser.protocol, recogniser.ports):
            by_port.setdefault(port, []).append(recogniser)
    return tuple(Visit(port, tuple(those)) for port, those in by_port.items())
