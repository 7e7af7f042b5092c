"""Whether a loop goes on: it says itself by when it will be heard of next."""

import time


class Progress:
    """The word of one loop. Before each wait it says how long that may take; silence beyond it is a stall."""

    def __init__(self, name: str) -> None:
        """`name` says to people which loop it is."""
        self.name = name
        self._due: float | None = None

    def expect(self, within_s: float) -> None:
        """The loop goes on within so many seconds, or it is stuck."""
        self._due = time.monotonic() + within_s

    def rest(self) -> None:
        """The loop waits for what may never come, a message of a machine for one."""
        self._due = None

    def late_s(self) -> float:
        """For how long the loop should have gone on by now; 0 or less if it is in time."""
        return 0.0 if self._due is None else time.monotonic() - self._due
