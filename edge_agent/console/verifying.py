"""Statements of a month checked at somebody's wish: in a process of its own, one at a time."""

import asyncio
import subprocess
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
    program = [sys.executable, "-P", "-m", "edge_agent.statements.verification"]
    # Not as a process of the loop: the one that Windows needs for MQTT has none.
    process = subprocess.Popen(  # noqa: ASYNC220, S603 - our own program; starting it takes a moment
        [*program, str(folder), str(from_ms), str(to_ms)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        answer, complaint = await asyncio.to_thread(_hear, process)
    except subprocess.TimeoutExpired:
        raise CannotVerifyError(f"not done within {LIMIT_S:g} s") from None
    except asyncio.CancelledError:
        process.kill()  # and so the thread ends, too
        raise
    if process.returncode != 0:
        last = complaint.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no reason was given"]
        raise CannotVerifyError(f"the statements cannot be verified: {last[0]}")
    return msgspec.json.decode(answer, type=Verification)


def _hear(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """What it says on its outputs until it ends. Raises TimeoutExpired, and has ended it then."""
    try:
        return process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
