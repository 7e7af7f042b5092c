"""REST under /api/v1, the live stream, /metrics and the files of the page. No machine is written to."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from edge_agent.config.console import ConsoleOptions
from edge_agent.console.answering import ProblemError, as_json, body_of, encode, problem
from edge_agent.console.guard import Guard, identity_of
from edge_agent.console.history import machine_day, newest_statements
from edge_agent.console.openapi import Endpoint, document
from edge_agent.console.service import Service
from edge_agent.console.shared import Shared
from edge_agent.console.sign_in import CSRF_HEADER, STREAM_PATH, Identity, Refused, SignIn
from edge_agent.console.snapshot import Snapshots
from edge_agent.console.trying import Trying
from edge_agent.console.views import (
    ConnectionView,
    EventView,
    IndicatorDetail,
    IndicatorView,
    JournalView,
    MachineDay,
    MachineDetail,
    MachineView,
    Overview,
    RegisterView,
    SessionView,
    SignInRequest,
    StatementView,
    UplinkView,
)
from edge_agent.indicators.periods import local_day
from edge_agent.looking import NoHistoryError
from edge_agent.model.clock import CLOCK

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
STREAMS_LIMIT = 32
"""Browsers that follow at once; one more is asked to come back later."""
LOOKS_LIMIT = 2
"""Looks at the history that run at once; others wait for their turn."""

Answer = Callable[[Request], Awaitable[Any]]


class Api:
    """The application of one agent."""

    def __init__(self, snapshots: Snapshots, options: ConsoleOptions, service: Service) -> None:
        self._snapshots = snapshots
        self._options = options
        self._service = service
        self._sign_in = SignIn(options)
        self._looks = asyncio.Semaphore(LOOKS_LIMIT)
        self.shared = Shared(lambda: encode(snapshots.overview()))
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
                    {"date": {"format": "date"}},
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
            (Endpoint("/events", "The newest events", list[EventView]), self._events),
            *Trying(snapshots).answers(),
            *service.answers(),
            *self._sign_in_answers(),
        ]

    def _sign_in_answers(self) -> list[tuple[Endpoint, Answer]]:
        return [
            (Endpoint("/session", "Who is signed in; needs no sign-in itself", SessionView), self._session),
            (
                Endpoint("/sign-in", "Sign in", SessionView, method="POST", body=SignInRequest),
                self._begin_session,
            ),
            (Endpoint("/sign-out", "End the session", SessionView, method="POST"), self._end_session),
        ]

    def close(self) -> None:
        """End what lasts: the server waits for nobody."""
        self.shared.close()
        self._service.close()

    def application(self) -> ASGIApp:
        routes = [
            Route("/", _file("index.html", "text/html; charset=utf-8")),
            *(
                Route(f"/api/v1{one.path}", self._route(one, answer), methods=[one.method])
                for one, answer in self._answers
            ),
            Route(STREAM_PATH, self._live),
            Route("/api/v1/openapi.json", self._openapi),
            Route("/metrics", self._scrape),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
        handlers: Any = {404: _not_found, 405: _not_allowed}
        inner = Starlette(routes=routes, exception_handlers=handlers)
        return Guard(inner, self._sign_in, self._options.on_loopback)

    def _route(self, endpoint: Endpoint, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def respond(request: Request) -> Response:
            try:
                self._admit(request, endpoint)
                found = await answer(request)
                return found if isinstance(found, Response) else as_json(found)
            except ProblemError as error:
                return problem(str(error), error.status, error.wait_s)
            except NoHistoryError as error:
                return problem(str(error), 404)
            except sqlite3.Error as error:
                log.warning("the page: %s", error)
                return problem(f"the history cannot be read: {error}", 503)

        return respond

    def _admit(self, request: Request, endpoint: Endpoint) -> None:
        """Raises ProblemError if the role does not suffice, or a foreign page may have sent the request."""
        identity = identity_of(request)
        if identity is not None and not identity.role.may(endpoint.role):
            raise ProblemError(403, f"this takes the role {endpoint.role}")
        given = request.headers.get(CSRF_HEADER, "")
        if endpoint.method != "GET" and self._sign_in.is_forged(identity, given):
            raise ProblemError(
                403, f"the header {CSRF_HEADER} is missing or out of date: read /api/v1/session"
            )

    # The answers, in the order of the list.

    async def _overview(self, _: Request) -> msgspec.Raw:
        return msgspec.Raw(self.shared.current())

    async def _machines(self, _: Request) -> list[MachineView]:
        return self._snapshots.machines()

    async def _machine(self, request: Request) -> MachineDetail:
        found = self._snapshots.machine(request.path_params["id"])
        if found is None:
            raise ProblemError(404, "no such equipment in the register")
        return found

    async def _day(self, request: Request) -> MachineDay:
        equipment, site = request.path_params["id"], self._snapshots.site
        if equipment not in site.register.by_id:
            raise ProblemError(404, "no such equipment in the register")
        day = _day_of(request.query_params.get("date"), self._today())
        async with self._looks:
            return await asyncio.to_thread(machine_day, site, equipment, day)

    def _today(self) -> date:
        """By the site's clocks."""
        return local_day(CLOCK.now_ms(), ZoneInfo(self._snapshots.site.gateway.timezone))

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
            raise ProblemError(404, "no such definition is worked out here, or not yet")
        return found

    async def _statements(self, _: Request) -> list[StatementView]:
        async with self._looks:
            return await asyncio.to_thread(newest_statements, self._snapshots.site)

    async def _register(self, _: Request) -> RegisterView:
        return self._snapshots.register()

    async def _events(self, _: Request) -> list[EventView]:
        return self._snapshots.events()

    # Signing in and out.

    async def _session(self, request: Request) -> SessionView:
        return self._session_view(identity_of(request))

    def _session_view(self, identity: Identity | None) -> SessionView:
        return SessionView(
            needed=self._sign_in.needed,
            by_password=self._sign_in.by_password,
            user=identity.user if identity is not None else "",
            role=identity.role.value if identity is not None else "",
            csrf=self._sign_in.csrf(identity),
        )

    async def _begin_session(self, request: Request) -> Response:
        if not self._sign_in.by_password:
            raise ProblemError(403, "nobody signs in with a password here")
        given = await body_of(request, SignInRequest)
        begun = await self._sign_in.begin(given.user, given.password, request.scope)
        if isinstance(begun, Refused):
            raise ProblemError(429 if begun.wait_s else 401, begun.reason, begun.wait_s)
        self._sign_in.end(request.scope)  # who signs in anew leaves no session behind
        response = as_json(self._session_view(self._sign_in.session(begun)))
        self._set_cookie(response, begun)
        return response

    async def _end_session(self, request: Request) -> Response:
        self._sign_in.end(request.scope)
        response = as_json(self._session_view(None))
        self._set_cookie(response, "")
        return response

    def _set_cookie(self, response: Response, token: str) -> None:
        response.set_cookie(
            self._sign_in.cookie,
            token,
            max_age=None if token else 0,
            secure=self._sign_in.secure,
            httponly=True,
            samesite="strict",
        )

    # What is no JSON of one moment.

    async def _live(self, request: Request) -> Response:
        identity = identity_of(request)
        if identity is None or self.shared.followers >= STREAMS_LIMIT:
            return problem("too many browsers follow; come back later", 503)
        return StreamingResponse(
            self.shared.follow(identity.lasts),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )

    async def _openapi(self, _: Request) -> Response:
        return as_json(document([endpoint for endpoint, _ in self._answers]))

    async def _scrape(self, _: Request) -> Response:
        # Prometheus' client takes 1 MB, which only who has one pays.
        from edge_agent.console.metrics import CONTENT_TYPE, AgentMetrics

        return Response(AgentMetrics(self._snapshots).text(), headers={"Content-Type": CONTENT_TYPE})


def _day_of(text: str | None, today: date) -> date:
    if text is None:
        return today
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ProblemError(400, "expected a day such as 2026-11-24") from None
    if not date(2000, 1, 1) <= day <= today:
        raise ProblemError(400, "expected a day from 2000 up to today")
    return day


def _file(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    content = (STATIC / name).read_bytes()

    async def respond(_: Request) -> Response:
        return Response(content, headers={"Content-Type": media_type, "Cache-Control": "no-cache"})

    return respond


async def _not_found(_: Request, __: Exception) -> Response:
    return problem("there is no such page", 404)


async def _not_allowed(_: Request, error: HTTPException) -> Response:
    allowed = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
    response = problem(f"it can only be asked by {allowed}", 405)
    response.headers["Allow"] = allowed
    return response
