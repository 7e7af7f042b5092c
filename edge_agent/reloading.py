"""Takes over a configuration that was changed while the agent runs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from edge_agent.config.difference import Difference
from edge_agent.config.errors import ConfigError, ConfigProblem
from edge_agent.config.site import Site, load_site
from edge_agent.memory import give_back

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
"""How often to look whether files have changed; they are read when they were the same for so long."""
LOOKED_AT = (".yaml", ".yml", ".csv", ".xlsx")
"""The kinds of files in the configuration's folder of which a change counts."""


class NotWhileRunningError(Exception):
    """What was changed is only changed by a restart."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a configuration that was read anew."""

    difference: Difference | None = None
    """What was changed, which may be nothing; None if the running configuration was kept."""
    problems: tuple[ConfigProblem, ...] = ()
    """The mistakes for which it was kept, in the order of the files."""
    refusal: str = ""
    """Why it was kept although it has no mistake."""


class Reloader:
    """Reads the configuration when it is asked to, or when its files change; a wrong one changes nothing."""

    def __init__(
        self,
        path: Path,
        follow: Callable[[Site], Awaitable[Difference]],
        tell: Callable[[str], None],
    ) -> None:
        """`path` is the configuration, a file or a folder. `follow` goes over to a site; it may raise
        NotWhileRunningError. `tell` is called with the reason why a configuration was not taken."""
        self._path = path
        self._follow = follow
        self._tell = tell
        self.around: Callable[[], AbstractContextManager[None]] = nullcontext
        """Entered while the configuration is read and taken over."""
        self._wanted = asyncio.Event()
        self._waiting: list[asyncio.Future[Outcome]] = []

    def ask(self) -> None:
        """Read the configuration soon."""
        self._wanted.set()

    async def outcome(self) -> Outcome:
        """Read the configuration now, and wait for what becomes of it."""
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._wanted.set()
        return await answer

    async def run(self, watches_files: Callable[[], bool]) -> None:
        """For ever. `watches_files` says whether a change of a file is enough. Raises what `follow` does."""
        seen = read = await asyncio.to_thread(_fingerprint, self._path)
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S if watches_files() else None):
                    await self._wanted.wait()
            before, seen = seen, await asyncio.to_thread(_fingerprint, self._path)
            if self._wanted.is_set() or (seen == before != read):
                self._wanted.clear()
                read = seen
                waiting, self._waiting = self._waiting, []
                with self.around():
                    outcome = await self._reload()
                await asyncio.to_thread(give_back)
                for answer in waiting:
                    if not answer.done():
                        answer.set_result(outcome)

    async def _reload(self) -> Outcome:
        log.info("reading the configuration %s", self._path)
        try:
            site = await asyncio.to_thread(load_site, self._path)
            difference = await self._follow(site)
        except ConfigError as error:
            first, *others = error.problems
            more = f" (and {len(others)} more)" if others else ""
            self._refuse(str(error), f"{first}{more}")
            return Outcome(problems=tuple(error.problems))
        except NotWhileRunningError as error:
            self._refuse(str(error), str(error))
            return Outcome(refusal=str(error))
        if not difference:
            log.info("the configuration is the one that runs")
        return Outcome(difference)

    def _refuse(self, full: str, short: str) -> None:
        log.error("the configuration is not taken, the running one goes on:\n%s", full)
        self._tell(short)


def _fingerprint(path: Path) -> frozenset[tuple[str, int, int]]:
    """Name, time of change and size of what a configuration is made of in its folder."""
    return frozenset(_stamps(path if path.is_dir() else path.parent))


def _stamps(folder: Path) -> Iterator[tuple[str, int, int]]:
    for file in folder.iterdir():
        if file.suffix in LOOKED_AT:
            with suppress(OSError):
                stat = file.stat()
                yield file.name, stat.st_mtime_ns, stat.st_size
