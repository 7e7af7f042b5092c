"""Answers to a platform that misses numbers: the same bytes again, as far as the journal has them."""

import asyncio
import logging
import sqlite3
from collections import deque

import msgspec

from edge_agent.contract.messages import Gone, Replay, ReplayEnd, ReplayRequest, decode, encode
from edge_agent.contract.topics import Topics
from edge_agent.journal.journal import Journal
from edge_agent.journal.runs import Told

log = logging.getLogger(__name__)

AT_ONCE = 100
"""Messages in one answer: what is new must not wait for what is old, nor a broker drown in it."""
BYTES_AT_ONCE = 250_000
"""An answer takes no more messages from here on; figures with their evidence are large."""
PAUSE_S = 0.5
"""Between two answers: so a platform gets 200 messages a second again, or about half a megabyte, whatever it
asks for."""
TOO_LARGE = 2**63
"""No number is, and the journal's file cannot be asked for one."""
WAITING = 20
"""Requests that wait; of more than that the oldest are dropped, and will be asked again."""

_WORDS = {
    "numbers_lost": "lost in a power cut, or never used",
    "thinned": "thinned before it could be delivered",
    "journal_damaged": "lost when the journal was damaged",
    "not_kept": "no longer kept",
    "not_given": "not given yet",
}


class Replays:
    """The requests of one uplink, answered one after the other."""

    def __init__(self, uplink: str, journal: Journal, told: Told) -> None:
        """`told`: what this uplink tells of a record."""
        self._uplink = uplink
        self._journal = journal
        self._told = told
        self._topics = Topics("")
        self._waiting: deque[ReplayRequest] = deque(maxlen=WAITING)
        self._asked = asyncio.Event()

    def ask(self, payload: bytes) -> None:
        """Take a request; what is none is passed over, for anybody may write to a topic."""
        try:
            request = decode(payload)
        except msgspec.MsgspecError:
            return
        if not (isinstance(request, ReplayRequest) and 0 < request.first <= request.last < TOO_LARGE):
            return
        asked = request.first, request.last
        if asked not in [(one.first, one.last) for one in self._waiting]:
            self._waiting.append(request)
            self._asked.set()

    async def answers(self) -> list[bytes]:
        """The answer to the next request, message by message, when there is one and its time has come."""
        while not self._waiting:
            self._asked.clear()
            await self._asked.wait()
        await asyncio.sleep(PAUSE_S)
        request = self._waiting.popleft()
        last = min(request.last, request.first + AT_ONCE - 1)
        try:
            entries, gaps = await self._journal.again(self._uplink, request.first, last)
        except (sqlite3.Error, OSError) as error:
            log.warning("uplink %s: cannot send again (%s)", self._uplink, error)
            return []
        answers: list[bytes] = []
        size = 0
        for entry in entries:
            if size >= BYTES_AT_ONCE:
                last = entry.seq - 1
                break
            record = entry.record
            topic = self._topics.of(record.record_class, record.subject).removeprefix("/")
            message = msgspec.Raw(entry.payload(self._told))
            answers.append(encode(Replay(id=request.id, topic=topic, message=message)))
            size += len(answers[-1])
        gone = [Gone(gap.first, gap.last, _WORDS[gap.kind]) for gap in gaps if gap.last <= last]
        end = ReplayEnd(id=request.id, first=request.first, last=last, gone=gone)
        return [*answers, encode(end)]
