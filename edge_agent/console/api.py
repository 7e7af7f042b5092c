"""REST under /api/v1, the live stream, /metrics and the files of the page. Everything is read only."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_agent.console.history import machine_day, newest_statements
from edge_agent.console.metrics import CONTENT_TYPE, AgentMetrics
from edge_agent.console.openapi import Endpoint, document
from edge_agent.console.shared import Shared
from edge_agent.console.snapshot import Snapshots
from edge_agent.console.views import (
    ConnectionView,
    IndicatorDetail,
    IndicatorView,
    JournalView,
    MachineDay,
    MachineDetail,
    MachineView,
    Overview,
    Problem,
    RegisterView,
    StatementView,
    UplinkView,
)
from edge_agent.contract.messages import Event
from edge_agent.indicators.periods import local_day
from edge_agent.looking import NoHistoryError
from edge_agent.model.clock import CLOCK

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
STREAMS_LIMIT = 32
"""Browsers that follow at once; one more is asked to come back later."""
LOOKS_LIMIT = 2
"""Looks at the history that run at once; others wait for their turn."""

_HEADERS = {
    b"content-security-policy": (
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        b" base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
}

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""The names under which browsers may ask. Who has another one for this computer was led here by a
foreign page that wants to read along."""

Answer = Callable[[Request], Awaitable[Any]]


class _ProblemError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Api:
    """The application of one agent."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._looks = asyncio.Semaphore(LOOKS_LIMIT)
        self._metrics = AgentMetrics(snapshots)
        self.shared = Shared(lambda: _encode(snapshots.overview()))
        self._answers: list[tuple[Endpoint, Answer]] = [
            (Endpoint("/overview", "Everything that changes", Overview), self._overview),
            (Endpoint("/machines", "All equipment of the register", list[MachineView]), self._machines),
            (
                Endpoint("/machines/{id}", "One equipment, with its newest readings", MachineDetail),
                self._machine,
            ),
            (
                Endpoint(
                    "/machines/{id}/day",
                    "One equipment on one day: intervals, time account, evidence",
                    MachineDay,
                    {"date": "Day by the site's clocks, such as 2026-11-24; default: today"},
                ),
                self._day,
            ),
            (Endpoint("/connections", "All connections", list[ConnectionView]), self._connections),
            (Endpoint("/uplinks", "All uplinks", list[UplinkView]), self._uplinks),
            (Endpoint("/journal", "The journal", JournalView), self._journal),
            (
                Endpoint("/indicators", "All definitions and their figures", list[IndicatorView]),
                self._indicators,
            ),
            (
                Endpoint(
                    "/indicators/{family}/{variant}",
                    "One definition, with the lines that were counted; its id is family/variant",
                    IndicatorDetail,
                ),
                self._indicator,
            ),
            (
                Endpoint("/statements", "The newest statements of record", list[StatementView]),
                self._statements,
            ),
            (Endpoint("/register", "The asset register in force", RegisterView), self._register),
            (Endpoint("/events", "The newest events", list[Event]), self._events),
        ]

    def application(self) -> ASGIApp:
        routes = [
            Route("/", _file("index.html", "text/html; charset=utf-8")),
            *(Route(f"/api/v1{one.path}", self._route(answer)) for one, answer in self._answers),
            Route("/api/v1/live", self._live),
            Route("/api/v1/openapi.json", self._openapi),
            Route("/metrics", self._scrape),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
        handlers: Any = {404: _not_found, 405: _not_allowed}
        return _Guarded(Starlette(routes=routes, exception_handlers=handlers))

    def _route(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            try:
                return _json(await answer(request))
            except _ProblemError as error:
                return _json(Problem(str(error)), error.status)
            except NoHistoryError as error:
                return _json(Problem(str(error)), 404)
            except sqlite3.Error as error:
                log.warning("the page: %s", error)
                return _json(Problem(f"the history cannot be read: {error}"), 503)

        return respond

    # The answers, in the order of the list.

    async def _overview(self, _: Request) -> msgspec.Raw:
        return msgspec.Raw(self.shared.current())

    async def _machines(self, _: Request) -> list[MachineView]:
        return self._snapshots.machines()

    async def _machine(self, request: Request) -> MachineDetail:
        found = self._snapshots.machine(request.path_params["id"])
        if found is None:
            raise _ProblemError(404, "no such equipment in the register")
        return found

    async def _day(self, request: Request) -> MachineDay:
        equipment, site = request.path_params["id"], self._snapshots.site
        if equipment not in site.register.by_id:
            raise _ProblemError(404, "no such equipment in the register")
        today = local_day(CLOCK.now_ms(), ZoneInfo(site.gateway.timezone))
        day = _day_of(request.query_params.get("date"), today)
        async with self._looks:
            return await asyncio.to_thread(machine_day, site, equipment, day)

    async def _connections(self, _: Request) -> list[ConnectionView]:
        return self._snapshots.connections()

    async def _uplinks(self, _: Request) -> list[UplinkView]:
        return self._snapshots.uplinks()

    async def _journal(self, _: Request) -> JournalView:
        return self._snapshots.journal()

    async def _indicators(self, _: Request) -> list[IndicatorView]:
        return self._snapshots.indicators()

    async def _indicator(self, request: Request) -> IndicatorDetail:
        found = self._snapshots.indicator("{family}/{variant}".format(**request.path_params))
        if found is None:
            raise _ProblemError(404, "no such definition is worked out here, or not yet")
        return found

    async def _statements(self, _: Request) -> list[StatementView]:
        async with self._looks:
            return await asyncio.to_thread(newest_statements, self._snapshots.site)

    async def _register(self, _: Request) -> RegisterView:
        return self._snapshots.register()

    async def _events(self, _: Request) -> list[Event]:
        return self._snapshots.events()

    # What is no JSON of one moment.

    async def _live(self, _: Request) -> Response:
        if self.shared.followers >= STREAMS_LIMIT:
            return _json(Problem("too many browsers follow; come back later"), 503)
        return StreamingResponse(
            self.shared.follow(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    async def _openapi(self, _: Request) -> Response:
        return _json(document([endpoint for endpoint, _ in self._answers]))

    async def _scrape(self, _: Request) -> Response:
        return Response(self._metrics.text(), headers={"Content-Type": CONTENT_TYPE})


@dataclass(frozen=True, slots=True)
class _Guarded:
    """Refuses what asks under a foreign name, and sends the headers that keep the page to itself."""

    inner: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS.items()]
            await send(message)

        if scope["type"] != "http":
            return
        if _host(scope) not in LOOPBACK_NAMES:
            refusal = _json(Problem("ask under the name of this computer: 127.0.0.1 or localhost"), 403)
            await refusal(scope, receive, with_headers)
        else:
            await self.inner(scope, receive, with_headers)


def _host(scope: Scope) -> str:
    """The name under which the browser asked, without its port."""
    named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    host = named[0] if len(named) == 1 else ""
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _day_of(text: str | None, today: date) -> date:
    if text is None:
        return today
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise _ProblemError(400, "expected a day such as 2026-11-24") from None
    if not date(2000, 1, 1) <= day <= today:
        raise _ProblemError(400, "expected a day from 2000 up to today")
    return day


def _encode(value: object) -> bytes:
    return msgspec.json.encode(value)


def _json(value: object, status: int = 200) -> Response:
    return Response(_encode(value), status, {"Cache-Control": "no-store"}, "application/json")


def _file(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    content = (STATIC / name).read_bytes()

    async def respond(_: Request) -> Response:
        return Response(content, headers={"Content-Type": media_type, "Cache-Control": "no-cache"})

    return respond


async def _not_found(_: Request, __: Exception) -> Response:
    return _json(Problem("there is no such page"), 404)


async def _not_allowed(_: Request, __: Exception) -> Response:
    response = _json(Problem("nothing can be changed here: GET alone"), 405)
    response.headers["Allow"] = "GET, HEAD"
    return response
