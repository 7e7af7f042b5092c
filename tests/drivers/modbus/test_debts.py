"""On a line without transaction ids, no answer is taken for that to another question."""

from collections import deque
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.debts import MEMORY, Debts
from drivers.modbus.frames import Request, read_request


@dataclass(frozen=True)
class Pending:
    number: int
    size: int | None


class SlowUnit:
    """Answers in the order in which it is asked, sometimes long after, sometimes never."""

    def __init__(self) -> None:
        self.pending: deque[Pending] = deque(maxlen=MEMORY)
        self.asked = 0

    def ask(self, request: Request, hears: bool) -> int:
        self.asked += 1
        if hears:
            self.pending.append(Pending(self.asked, request.answer_size))
        return self.asked

    def says(self, size: int | None, how_many: int) -> int | None:
        """Give up to `how_many` answers; the number of the question whose answer is the first of `size`."""
        for _ in range(min(how_many, len(self.pending))):
            answer = self.pending.popleft()
            if answer.size == size:
                return answer.number
        return None


requests = st.builds(
    lambda table, start, count: read_request(1, table, start, count),
    st.sampled_from(["holding", "coil"]),
    st.sampled_from([0, 1000]),
    st.integers(1, 20),
)
turns = st.lists(
    st.tuples(requests, st.booleans(), st.integers(0, 4), st.booleans(), st.integers(0, 4)), max_size=40
)


@given(turns)
def test_the_answer_that_is_believed_is_the_request_s_own(
    turns: list[tuple[Request, bool, int, bool, int]],
) -> None:
    unit, debts = SlowUnit(), Debts()
    for request, hears_question, first, hears_request, then in turns:
        if debts:
            question = debts.question(request)
            assert question.answer_size != request.answer_size
            unit.ask(question, hears_question)
            if unit.says(question.answer_size, first) is None:
                debts.add(question)
                continue
            debts.answered(question)
            assert not debts, "the question was one of its kind"
        number = unit.ask(request, hears_request)
        answer = unit.says(request.answer_size, then)
        if answer is None:
            debts.add(request)
        else:
            assert answer == number
            debts.answered(request)


@given(st.lists(requests, max_size=30), requests)
def test_there_is_always_a_question_that_nothing_owed_can_answer(
    owed: list[Request], next_one: Request
) -> None:
    debts = Debts()
    for request in owed:
        debts.add(request)
    question = debts.question(next_one)
    assert question.answer_size is not None
    assert not debts.includes(question.answer_size)
    assert question.answer_size != next_one.answer_size
