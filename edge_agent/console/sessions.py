"""Who is signed in: kept in memory, known by a random token that only the browser has."""

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.config.console import Role

KEPT = 256
"""One more, and the one that was used least lately ends."""


@dataclass(slots=True)
class Session:
    """One browser that is signed in; times are those of the clock of `Sessions`."""

    user: str
    role: Role
    began_at: float
    used_at: float


class Sessions:
    """Each ends after `idle_s` without use, and `longest_s` after it began."""

    def __init__(self, idle_s: float, longest_s: float, clock: Callable[[], float], kept: int = KEPT) -> None:
        self._idle_s = idle_s
        self._longest_s = longest_s
        self._clock = clock
        self._kept = kept
        self._by_digest: OrderedDict[bytes, Session] = OrderedDict()
        """By the digest of the token: how long a search takes says nothing about tokens. In order of use."""

    def begin(self, user: str, role: Role) -> str:
        """Returns the token."""
        token, now = secrets.token_urlsafe(32), self._clock()
        self._by_digest[_digest(token)] = Session(user, role, now, now)
        if len(self._by_digest) > self._kept:
            self._by_digest.popitem(last=False)
        return token

    def find(self, token: str) -> Session | None:
        """The session, if it has not ended; does not count as use."""
        digest = _digest(token)
        session = self._by_digest.get(digest)
        if session is None:
            return None
        now = self._clock()
        if now - session.used_at >= self._idle_s or now - session.began_at >= self._longest_s:
            del self._by_digest[digest]
            return None
        return session

    def use(self, token: str) -> None:
        """Somebody has done something. A session that has ended stays so."""
        session = self.find(token)
        if session is not None:
            session.used_at = self._clock()
            self._by_digest.move_to_end(_digest(token))

    def end(self, token: str) -> None:
        self._by_digest.pop(_digest(token), None)

    def __len__(self) -> int:
        return len(self._by_digest)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
