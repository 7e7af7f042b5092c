"""Which answers a unit on a serial line still owes, so that none of them passes for that to a later question.

Modbus TCP tells answers apart by transaction id. The serial framings cannot: there an answer that comes too
late looks like the answer to the next request of the same size. But units answer in the order in which they
are asked. So a unit that owes answers is first asked a question whose answer differs in size from all that
it owes; once that has come, the others have passed.
"""

from collections import deque
from typing import Final

from drivers.modbus.frames import FUNCTIONS, Request, read_request

MEMORY: Final = 8
"""A unit that has left more questions than this unanswered has forgotten the oldest."""

SILENCES: Final = 3
"""A unit that cannot be got in step, and was silent in so many turns, has said all that it had to."""

_TABLES: Final = {function: table for table, function in FUNCTIONS.items()}
_REGISTER_COUNTS: Final = tuple(range(1, MEMORY + 3))
_BIT_COUNTS: Final = tuple(range(1, 8 * (MEMORY + 2), 8))
"""Counts whose answers differ in size: there is always one that is neither owed nor asked for next."""


def _counts(table: str) -> tuple[int, ...]:
    return _REGISTER_COUNTS if table in ("holding", "input") else _BIT_COUNTS


class Debts:
    """The debts of one unit."""

    def __init__(self) -> None:
        self._owed: deque[int | None] = deque(maxlen=MEMORY)
        """The sizes of the answers that have not come, in the order in which they were asked for."""
        self._known: tuple[str, int] | None = None
        """A table and address from which on the unit has answered for enough to ask any question."""
        self._silences = 0

    def __bool__(self) -> bool:
        return bool(self._owed)

    def includes(self, size: int) -> bool:
        return size in self._owed

    def add(self, request: Request) -> None:
        """`request` was sent, and not answered in time."""
        self._owed.append(request.answer_size)

    def answered(self, request: Request) -> None:
        """An answer of the size that `request` asks for has come: all that was asked for before has passed.

        If an older question of the same size is unanswered, it may have been that one's answer.
        """
        self._owed.append(request.answer_size)
        while self._owed.popleft() != request.answer_size:
            pass
        self._silences = 0
        table = _TABLES.get(request.function)
        if table is not None and request.count >= _counts(table)[-1]:
            self._known = table, request.start

    def settled(self) -> None:
        self._owed.clear()
        self._silences = 0

    def silent(self) -> None:
        """The unit says nothing, not even to the last question that was left to ask."""
        self._silences += 1
        if self._silences >= SILENCES:
            self.settled()

    @property
    def knows_an_address(self) -> bool:
        """Whether `question` is about an address that the unit has: a refusal is then not its answer."""
        return self._known is not None

    def forget_address(self) -> None:
        self._known = None

    def question(self, before: Request) -> Request:
        """A question whose answer differs in size from all that is owed, and from that to `before`."""
        table, start = self._known or (_TABLES.get(before.function, "holding"), before.start)
        choice = (read_request(before.unit, table, start, count) for count in _counts(table))
        return next(
            request for request in choice if request.answer_size not in (*self._owed, before.answer_size)
        )

    def other_question(self, before: Request) -> Request:
        """A question with another function, which even a refusal of it names."""
        table = "input" if before.function == FUNCTIONS["holding"] else "holding"
        return read_request(before.unit, table, before.start, 1)
