"""What a technician asks of the agent itself: its log, what it runs on, whether the files are right."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request

from edge_agent.config.anew import Anew, read_anew, stands_as_read
from edge_agent.config.console import Role
from edge_agent.config.difference import Changed
from edge_agent.config.errors import ConfigProblem
from edge_agent.config.site import Site
from edge_agent.config.written import unpack
from edge_agent.console.answering import ProblemError, body_of
from edge_agent.console.guard import who
from edge_agent.console.log_lines import LEVELS, PARTS, LogLines, without_secrets
from edge_agent.console.openapi import Endpoint
from edge_agent.console.views import (
    AppliedView,
    ApplyRequest,
    ChangedView,
    ChangeView,
    ConfigurationLine,
    ConfigurationView,
    FileView,
    LogView,
    MistakeView,
    ValidationView,
)
from edge_agent.model.clock import CLOCK
from edge_agent.reloading import Outcome

log = logging.getLogger(__name__)

LINES_SHOWN = 200
CONFIGURATION_SHOWN = 5000
"""Lines; a configuration that names each tag of each machine can have a hundred times as many."""
SHOWN = 500
"""Mistakes or changes."""

VALIDATE_FIRST = "the files are not those that were validated last: validate them again"
PAGE_ENDS = "the page itself is changed and comes back; the log says what became of it"

NOTHING = Changed(frozenset(), frozenset(), frozenset())

Answer = Callable[[Request], Awaitable[Any]]


class Service:
    """The answers of one agent."""

    def __init__(
        self, running: Callable[[], Site], reload: Callable[[], Awaitable[Outcome]], lines: LogLines
    ) -> None:
        """`running` is the configuration of the moment: it may be taken over by another, for which `reload`
        asks."""
        self._running = running
        self._reload = reload
        self._lines = lines
        self._reading = asyncio.Lock()
        self._validated: Site | None = None
        """What may be applied: files without a mistake, of which somebody has seen what they change."""
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def close(self) -> None:
        """Let nobody wait any longer."""
        if not self._ended.done():
            self._ended.set_result(None)

    def answers(self) -> list[tuple[Endpoint, Answer]]:
        return [
            (
                Endpoint(
                    "/logs",
                    f"The newest {LINES_SHOWN} lines of the log that pass the filter",
                    LogView,
                    {
                        "level": "The least level; default: debug",
                        "part": "The part of the agent; default: all",
                        "subject": "Id of an equipment, a connection or an uplink that it speaks of",
                        "text": "What stands in it, in capitals or not",
                    },
                    {"level": {"enum": list(LEVELS)}, "part": {"enum": ["", *PARTS]}},
                ),
                self._logs,
            ),
            (
                Endpoint("/configuration", "What the agent runs on, without secrets", ConfigurationView),
                self._configuration,
            ),
            (
                Endpoint(
                    "/configuration/validate",
                    "Read the files again and say what is wrong or different; applies nothing",
                    ValidationView,
                    method="POST",
                    role=Role.TECHNICIAN,
                    busy=True,
                ),
                self._validate,
            ),
            (
                Endpoint(
                    "/configuration/apply",
                    "Have the agent take over the files that were validated last; what became of it",
                    AppliedView,
                    method="POST",
                    role=Role.TECHNICIAN,
                    body=ApplyRequest,
                    busy=True,
                    refusals={
                        409: "The files are not those that were validated last",
                        503: "The page itself is changed, and comes back",
                    },
                ),
                self._apply,
            ),
        ]

    async def _logs(self, request: Request) -> LogView:
        asked = request.query_params
        level, part = asked.get("level", "debug"), asked.get("part", "")
        if level not in LEVELS:
            raise ProblemError(400, f"expected a level: {', '.join(LEVELS)}")
        if part not in ("", *PARTS):
            raise ProblemError(400, f"expected a part: {', '.join(PARTS)}")
        found = self._lines.newest(LINES_SHOWN, level, part, asked.get("subject", ""), asked.get("text", ""))
        return LogView(self._lines.kept, found)

    async def _configuration(self, _: Request) -> ConfigurationView:
        site = self._running()
        lines = await asyncio.to_thread(unpack, site.written)
        return ConfigurationView(
            digest=site.digest,
            read_ms=site.read_ms,
            files=[FileView(self._clean(str(file)), sha256) for file, sha256 in site.files.items()],
            lines=[
                ConfigurationLine(one.field, one.depth, one.label, self._clean(one.value), one.file, one.line)
                for one in lines[:CONFIGURATION_SHOWN]
            ],
            left_out=max(0, len(lines) - CONFIGURATION_SHOWN),
        )

    async def _validate(self, request: Request) -> ValidationView:
        self._not_twice()
        async with self._reading:
            found = await asyncio.to_thread(read_anew, self._running())
            self._validated = found.site
        log.info(
            "page: %s validated the files of the configuration: %d mistakes, %d changes",
            who(request),
            len(found.problems),
            len(found.changes),
        )
        return self._validation(found)

    async def _apply(self, request: Request) -> AppliedView:
        given = await body_of(request, ApplyRequest)
        self._not_twice()
        async with self._reading:
            await self._check_validated(given.digest)
            self._validated = None
            log.warning("page: %s applies the files of the configuration", who(request))
            outcome = await self._outcome()
        log.warning("page: %s applied the files of the configuration: %s", who(request), _became(outcome))
        return self._applied(outcome)

    async def _outcome(self) -> Outcome:
        """Raises ProblemError where the page ends over it: nobody would wait for the other."""
        outcome = asyncio.ensure_future(self._reload())
        try:
            await asyncio.wait((outcome, self._ended), return_when=asyncio.FIRST_COMPLETED)
            if not outcome.done():
                raise ProblemError(503, PAGE_ENDS)
            return outcome.result()
        finally:
            outcome.cancel()

    async def _check_validated(self, digest: str) -> None:
        site = self._validated
        if site is None or site.digest != digest or not await asyncio.to_thread(stands_as_read, site):
            raise ProblemError(409, VALIDATE_FIRST)

    def _not_twice(self) -> None:
        if self._reading.locked():
            raise ProblemError(429, "the files are being read already", 1)

    def _validation(self, found: Anew) -> ValidationView:
        return ValidationView(
            time_ms=CLOCK.now_ms(),
            digest=found.site.digest if found.site is not None else "",
            mistakes=self._mistakes(found.problems),
            changes=[
                ChangeView(
                    one.field,
                    self._clean(one.before) if one.before is not None else None,
                    self._clean(one.after) if one.after is not None else None,
                    one.secret,
                    self._clean(one.file),
                    one.line,
                )
                for one in found.changes[:SHOWN]
            ],
            needs_restart=found.needs_restart,
            left_out=max(0, len(found.problems) - SHOWN, len(found.changes) - SHOWN),
        )

    def _applied(self, outcome: Outcome) -> AppliedView:
        difference = outcome.difference
        return AppliedView(
            time_ms=CLOCK.now_ms(),
            taken=difference is not None,
            digest=self._running().digest,
            connections=_ids(difference.connections if difference else NOTHING),
            uplinks=_ids(difference.uplinks if difference else NOTHING),
            sections=difference.sections if difference else (),
            mistakes=self._mistakes(outcome.problems),
            refusal=outcome.refusal,
            left_out=max(0, len(outcome.problems) - SHOWN),
        )

    def _mistakes(self, problems: Sequence[ConfigProblem]) -> list[MistakeView]:
        return [
            MistakeView(self._clean(one.file), one.line, one.field, self._clean(one.said))
            for one in problems[:SHOWN]
        ]

    def _clean(self, text: str) -> str:
        return without_secrets(text, self._running().hidden)


def _became(outcome: Outcome) -> str:
    if outcome.difference is not None:
        return str(outcome.difference) or "nothing was different"
    return outcome.refusal or f"{len(outcome.problems)} mistakes, the running configuration is kept"


def _ids(changed: Changed) -> ChangedView:
    return ChangedView(sorted(changed.added), sorted(changed.removed), sorted(changed.altered))
