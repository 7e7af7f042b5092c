"""What somebody has the agent try out: a connection tested, statements verified."""

import logging
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request

from edge_agent.config.console import Role
from edge_agent.console.answering import ProblemError
from edge_agent.console.asking import Asking, TooSoonError
from edge_agent.console.guard import who
from edge_agent.console.openapi import Endpoint
from edge_agent.console.snapshot import Snapshots
from edge_agent.console.verifying import CannotVerifyError, Verifying
from edge_agent.console.views import AskedView, ConnectionDetail, VerificationView
from edge_agent.indicators.periods import local_day
from edge_agent.model.clock import CLOCK

log = logging.getLogger(__name__)

Answer = Callable[[Request], Awaitable[Any]]


class Trying:
    """The answers of one agent."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._asking = Asking()
        self._verifying = Verifying()

    def answers(self) -> list[tuple[Endpoint, Answer]]:
        return [
            (
                Endpoint("/connections/{id}", "One connection, with its requests", ConnectionDetail),
                self._connection,
            ),
            (
                Endpoint(
                    "/connections/{id}/test",
                    "Ask a connection once, now: reads only, over the link that runs",
                    AskedView,
                    method="POST",
                    role=Role.TECHNICIAN,
                    busy=True,
                ),
                self._test,
            ),
            (
                Endpoint(
                    "/statements/verification",
                    "Verify the statements of a month: evidence, signatures and chain",
                    VerificationView,
                    {"month": "Month by the site's clocks, such as 2026-11; default: this one"},
                    {"month": {"pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])$"}},
                    method="POST",
                    busy=True,
                ),
                self._verification,
            ),
        ]

    async def _connection(self, request: Request) -> ConnectionDetail:
        found = self._snapshots.connection(request.path_params["id"])
        if found is None:
            raise ProblemError(404, "no such connection in the configuration")
        return found

    async def _test(self, request: Request) -> AskedView:
        options = self._snapshots.options_of(request.path_params["id"])
        if options is None:
            raise ProblemError(404, "no such connection in the configuration")
        try:
            tested = await self._asking.ask(options, self._snapshots.supervisor_of(options.id))
        except TooSoonError as error:
            raise ProblemError(429, str(error), error.wait_s) from None
        log.info("page: %s tested connection %s: %s", who(request), options.id, tested.text["en"])
        return tested

    async def _verification(self, request: Request) -> VerificationView:
        site = self._snapshots.site
        today = local_day(CLOCK.now_ms(), ZoneInfo(site.gateway.timezone))
        month = _month_of(request.query_params.get("month"), today)
        try:
            found = await self._verifying.month(site, month)
        except TooSoonError as error:
            raise ProblemError(429, str(error), error.wait_s) from None
        except CannotVerifyError as error:
            raise ProblemError(503, str(error)) from None
        log.info("page: %s verified the statements of %s: %s", who(request), found.month, _result(found))
        return found


def _result(found: VerificationView) -> str:
    wrong = sum(bool(one.wrong) for one in found.statements)
    return f"{len(found.statements)}, {wrong} of them wrong"


def _month_of(text: str | None, today: date) -> date:
    """The first day of the month. Raises ProblemError."""
    if text is None:
        return today.replace(day=1)
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise ProblemError(400, "expected a month such as 2026-11") from None
    if not date(2000, 1, 1) <= first <= today:
        raise ProblemError(400, "expected a month from 2000 up to this one")
    return first
