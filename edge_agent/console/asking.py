"""A connection tested because somebody has pressed a button: seldom, bounded, and over the link that runs."""

import asyncio
import math
from collections import Counter

from edge_agent.acquisition.asking import Outcome
from edge_agent.acquisition.supervisor import ConnectionSupervisor
from edge_agent.acquisition.trial import Trial, try_connection
from edge_agent.console.views import AskedView
from edge_agent.driver import DriverError
from edge_agent.model.clock import CLOCK
from edge_agent.model.options import ConnectionOptions
from edge_agent.words.failures import Failure, failure_of
from edge_agent.words.outcomes import answered, identified, silent_equipment

EVERY_S = 5.0
"""A connection is not asked more often than this."""
AT_ONCE = 4
"""So many connections are asked at the same time."""
TRIAL_LIMIT_S = 30.0


class TooSoonError(Exception):
    """Ask again after `wait_s` seconds."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"asked just now, or by too many; ask again in {wait_s} s")
        self.wait_s = wait_s


class Asking:
    """Asks one connection after the other."""

    def __init__(self) -> None:
        self._not_before: dict[str, float] = {}
        self._running: Counter[str] = Counter()

    async def ask(self, options: ConnectionOptions, supervisor: ConnectionSupervisor | None) -> AskedView:
        """Over the running link; one that is switched off is opened for this alone. Raises TooSoonError."""
        now = asyncio.get_running_loop().time()
        wait_s = self._not_before.get(options.id, now) - now
        if wait_s > 0 or self._running[options.id] or self._running.total() >= AT_ONCE:
            raise TooSoonError(max(1, math.ceil(wait_s)))
        self._running[options.id] += 1
        try:
            if supervisor is not None:
                return _of_outcome(options.id, await supervisor.ask())
            return await _try(options)
        finally:
            self._running[options.id] -= 1
            self._not_before[options.id] = asyncio.get_running_loop().time() + EVERY_S


async def _try(options: ConnectionOptions) -> AskedView:
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(TRIAL_LIMIT_S):
            trial = await try_connection(options)
    except TimeoutError:
        trial = Trial(options)
    return _of_trial(trial, round(1000 * (loop.time() - began)))


def _of_outcome(connection: str, outcome: Outcome) -> AskedView:
    error = outcome.error
    if error is not None:
        said = _failure(error)
    elif outcome.way == "read":
        said = answered(outcome.equipment, outcome.tags, outcome.usable, outcome.took_ms)
    else:
        said = identified(outcome.took_ms)
    return AskedView(
        time_ms=CLOCK.now_ms(),
        connection=connection,
        holds=error is None and outcome.usable == outcome.tags,
        equipment=outcome.equipment,
        took_ms=outcome.took_ms,
        text=said.what.by_language,
        todo=said.todo.by_language,
        message="" if error is None else str(error),
        identity=outcome.identity,
    )


def _of_trial(trial: Trial, took_ms: float) -> AskedView:
    subject, error = trial.failures[0] if trial.failures else ("", None)
    if error is not None:
        said = _failure(error)
    elif trial.everything_answered:
        said = identified(took_ms)
    else:
        said = silent_equipment(", ".join(one.id for one in trial.connection.equipment))
    return AskedView(
        time_ms=CLOCK.now_ms(),
        connection=trial.connection.id,
        holds=trial.everything_answered,
        equipment="" if subject == trial.connection.id else subject,
        took_ms=took_ms,
        text=said.what.by_language,
        todo=said.todo.by_language,
        message="" if error is None else str(error),
        identity={} if trial.probe is None else trial.probe.identity,
    )


def _failure(error: DriverError) -> Failure:
    return failure_of("" if error.kind is None else error.kind.value, error.cause.value)
