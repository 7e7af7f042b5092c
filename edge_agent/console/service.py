"""What a technician asks of the agent itself: its log, what it runs on, whether the files are right."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request

from edge_agent.config.anew import Anew, read_anew
from edge_agent.config.console import Role
from edge_agent.config.site import Site
from edge_agent.config.written import unpack
from edge_agent.console.answering import ProblemError
from edge_agent.console.guard import identity_of
from edge_agent.console.log_lines import LEVELS, PARTS, LogLines, without_secrets
from edge_agent.console.openapi import Endpoint
from edge_agent.console.views import (
    ChangeView,
    ConfigurationLine,
    ConfigurationView,
    FileView,
    LogView,
    MistakeView,
    ValidationView,
)
from edge_agent.model.clock import CLOCK

log = logging.getLogger(__name__)

LINES_SHOWN = 200
CONFIGURATION_SHOWN = 5000
"""Lines; a configuration that names each tag of each machine can have a hundred times as many."""
SHOWN = 500
"""Mistakes or changes."""

Answer = Callable[[Request], Awaitable[Any]]


class Service:
    """The answers of one agent."""

    def __init__(self, running: Callable[[], Site], lines: LogLines) -> None:
        """`running` is the configuration of the moment: it may be taken over by another."""
        self._running = running
        self._lines = lines
        self._reading = asyncio.Lock()

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
        if self._reading.locked():
            raise ProblemError(429, "the files are being read already", 1)
        async with self._reading:
            found = await asyncio.to_thread(read_anew, self._running())
        identity = identity_of(request)
        log.info(
            "page: %s validated the files of the configuration: %d mistakes, %d changes",
            (identity.user if identity is not None else "") or "somebody",
            len(found.problems),
            len(found.changes),
        )
        return self._validation(found)

    def _validation(self, found: Anew) -> ValidationView:
        return ValidationView(
            time_ms=CLOCK.now_ms(),
            mistakes=[
                MistakeView(self._clean(one.file), one.line, one.field, self._clean(one.said))
                for one in found.problems[:SHOWN]
            ],
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

    def _clean(self, text: str) -> str:
        return without_secrets(text, self._running().hidden)
