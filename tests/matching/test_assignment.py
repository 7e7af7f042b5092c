"""The assignment is the best there is."""

from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_agent.matching.assignment import Scores, assign

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 5))
SCORES = arrays(np.float64, SHAPES, elements=st.integers(-3, 9).map(float))


def best(scores: Scores) -> float:
    """By trying everything."""
    if scores.shape[0] > scores.shape[1]:
        scores = scores.T
    rows, columns = scores.shape
    return max(
        sum(float(scores[row, column]) for row, column in enumerate(chosen))
        for chosen in permutations(range(columns), rows)
    )


@given(SCORES)
def test_no_other_assignment_is_better(scores: Scores) -> None:
    pairs = assign(scores)
    assert len(pairs) == min(scores.shape)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert sum(scores[row, column] for row, column in pairs) == best(scores)


def test_nobody() -> None:
    assert assign(np.zeros((0, 3))) == []
    assert assign(np.zeros((3, 0))) == []
