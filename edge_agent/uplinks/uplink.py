"""What every uplink is and tells, whatever it leads to."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from edge_agent.journal.journal import Journal
from edge_agent.model.backoff import Backoff

log = logging.getLogger(__name__)

RETRY_FIRST_S, RETRY_LIMIT_S = 1.0, 60.0
REFUSED_PAUSE_S = 60.0
"""After the other side refused what it was given: what it refuses now it will refuse in a second, too."""


class UplinkState(StrEnum):
    CONNECTING = "connecting"
    WAITING = "waiting"
    """The broker is there, and the application that everything is for is not."""
    CONNECTED = "connected"
    REFUSED = "refused"
    """The broker does not take a message; it is kept, and tried again after a pause."""


@dataclass(slots=True)
class UplinkStatistics:
    """Counts since the start of the agent. Messages are those of the journal."""

    connects: int = 0
    published: int = 0
    """Messages handed to the broker, repeats included."""
    acknowledged: int = 0
    """Messages that the broker has for certain."""
    readings_published: int = 0
    readings_acknowledged: int = 0


class Uplink(ABC):
    """One way north, with its own cursor in the journal."""

    def __init__(self, id: str, journal: Journal, told: Callable[[str, str, str], None]) -> None:
        """`told` is called with a fixed word, a text and this uplink's id when it goes down, comes back or
        is refused.
        """
        self.id = id
        self.state = UplinkState.CONNECTING
        self.last_error = ""
        self.statistics = UplinkStatistics()
        self._journal = journal
        self._told = told
        self._backoff = Backoff(RETRY_FIRST_S, RETRY_LIMIT_S)

    @abstractmethod
    async def run(self) -> None:
        """Deliver until cancelled."""

    def _pause(self) -> float:
        """Seconds until the next try."""
        return REFUSED_PAUSE_S if self.state is UplinkState.REFUSED else self._backoff.next()

    def _up(self) -> None:
        self.state = UplinkState.CONNECTED
        self._backoff.reset()

    def _over(self, message: str) -> None:
        self.last_error = ""
        log.warning("uplink %s: %s", self.id, message)
        self._told("uplink_up", message, self.id)

    def _down(self, state: UplinkState, kind: str, message: str) -> None:
        self.state = state
        if message != self.last_error:
            log.warning("uplink %s: %s; the journal keeps what is to be sent", self.id, message)
            self._told(kind, message, self.id)
        self.last_error = message
