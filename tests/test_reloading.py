"""A configuration is read when it is asked for, and by itself only where that is wanted."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

from edge_agent.config.difference import Changed, Difference
from edge_agent.config.site import Site
from edge_agent.reloading import LOOK_EVERY_S, NotWhileRunningError, Outcome, Reloader
from tests import loop_time
from tests.test_difference import CONFIGURATION, site

NOTHING = Changed(frozenset(), frozenset(), frozenset())

P = ParamSpec("P")
T = TypeVar("T")


class Followed:
    """Goes over to each site that it is given."""

    def __init__(self, refusal: str = "") -> None:
        self.sites: list[Site] = []
        self.reasons: list[str] = []
        self._refusal = refusal

    async def follow(self, site: Site) -> Difference:
        if self._refusal:
            raise NotWhileRunningError(self._refusal)
        self.sites.append(site)
        return Difference(NOTHING, NOTHING, ("register",), ())


def do_nothing(_: Reloader) -> None:
    pass


async def outcomes(
    folder: Path, followed: Followed, ask: Callable[[Reloader], object], times: int = 1
) -> list[Outcome]:
    reloader = Reloader(folder / "agent.yaml", followed.follow, followed.reasons.append)
    running = asyncio.create_task(reloader.run(lambda: False))
    try:
        async with asyncio.timeout(30):
            ask(reloader)
            return list(await asyncio.gather(*(reloader.outcome() for _ in range(times))))
    finally:
        running.cancel()


def test_who_asks_at_one_time_gets_one_answer(tmp_path: Path) -> None:
    site(tmp_path)
    followed = Followed()
    answers = asyncio.run(outcomes(tmp_path, followed, Reloader.ask, 3))
    assert len(followed.sites) == 1
    assert [str(answer.difference) for answer in answers] == ["register"] * 3


def test_mistakes_are_told_and_nothing_is_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    site(tmp_path)
    (tmp_path / "agent.yaml").write_text(
        CONFIGURATION.replace("unit: 1", "unit: x").replace("host: b", "hst: b")
    )
    followed = Followed()
    (answer,) = asyncio.run(outcomes(tmp_path, followed, do_nothing))
    assert followed.sites == []
    assert answer.difference is None
    assert len(answer.problems) == 3
    (reason,) = followed.reasons
    assert reason == f"{answer.problems[0]} (and 2 more)"
    assert all(str(problem) in caplog.text for problem in answer.problems)


def test_what_needs_a_restart_is_told(tmp_path: Path) -> None:
    site(tmp_path)
    followed = Followed("gateway.id: changed only by a restart")
    (answer,) = asyncio.run(outcomes(tmp_path, followed, do_nothing))
    assert (answer.difference, answer.refusal) == (None, "gateway.id: changed only by a restart")
    assert followed.reasons == [answer.refusal]


async def at_once(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """In the place of `asyncio.to_thread`: a thread knows nothing of the time of a loop."""
    return work(*args, **kwargs)


@pytest.mark.parametrize("watched", [True, False])
def test_files_are_watched_only_where_that_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: bool
) -> None:
    monkeypatch.setattr(asyncio, "to_thread", at_once)
    site(tmp_path)
    followed = Followed()

    async def main() -> None:
        reloader = Reloader(tmp_path / "agent.yaml", followed.follow, followed.reasons.append)
        running = asyncio.create_task(reloader.run(lambda: watched))
        await asyncio.sleep(3.5 * LOOK_EVERY_S)
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "journal.db").write_text("grows")
        await asyncio.sleep(3 * LOOK_EVERY_S)
        assert followed.sites == [], "what was there at the start is no change, nor is what the agent writes"
        # Of another size: the time of a file may be the same for some milliseconds.
        (tmp_path / "agent.yaml").write_text(CONFIGURATION.replace("10.0.0.2", "10.0.0.22"))
        await asyncio.sleep(LOOK_EVERY_S)
        assert followed.sites == [], "somebody may still be writing"
        await asyncio.sleep(3 * LOOK_EVERY_S)
        running.cancel()

    loop_time.run(main())
    assert len(followed.sites) == watched
