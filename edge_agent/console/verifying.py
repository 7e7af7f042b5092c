"""Statements of a month checked at somebody's wish: in a process of its own, one at a time."""

import asyncio
import sys
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from edge_agent.config.site import Site
from edge_agent.console.asking import TooSoonError
from edge_agent.console.views import CheckedView, VerificationView
from edge_agent.indicators.periods import midnight_ms
from edge_agent.model.clock import CLOCK
from edge_agent.statements.verification import Verification, anything_stated

LIMIT_S = 120.0
TURN_S = 10
"""After so many seconds there may be room."""
WAITING_AT_MOST = 3
"""So many wait for their turn; one more is asked to come back."""


class CannotVerifyError(Exception):
    """The message says why, for people."""


class Verifying:
    """Checks the statements of a site."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._asking = 0

    async def month(self, site: Site, first: date) -> VerificationView:
        """Those of the days of the month that begins with `first`, and of the month itself.

        Raises CannotVerifyError, TooSoonError.
        """
        if self._asking > WAITING_AT_MOST:
            raise TooSoonError(TURN_S)
        zone = ZoneInfo(site.gateway.timezone)
        after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        self._asking += 1
        try:
            async with self._turn:
                began = CLOCK.now_ms()
                found = await _verify(site.data_dir, midnight_ms(first, zone), midnight_ms(after, zone))
        finally:
            self._asking -= 1
        wrong = sum(bool(one.wrong) for one in found.statements)
        return VerificationView(
            time_ms=CLOCK.now_ms(),
            month=f"{first:%Y-%m}",
            took_ms=CLOCK.now_ms() - began,
            holds=not wrong and not found.texts,
            statements=[CheckedView(one.number, one.wrong, one.texts) for one in found.statements],
            checks=found.checks,
            texts=found.texts,
            left=found.left,
        )


async def _verify(folder: Path, from_ms: int, to_ms: int) -> Verification:
    if not await asyncio.to_thread(anything_stated, folder, from_ms, to_ms):
        return Verification(())
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "edge_agent.statements.verification",
        str(folder),
        str(from_ms),
        str(to_ms),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            answer, complaint = await process.communicate()
    except TimeoutError:
        raise CannotVerifyError(f"not done within {LIMIT_S:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        last = complaint.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no reason was given"]
        raise CannotVerifyError(f"the statements cannot be verified: {last[0]}")
    return msgspec.json.decode(answer, type=Verification)
