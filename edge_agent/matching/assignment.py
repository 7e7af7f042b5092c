"""The assignment of rows to columns with the greatest sum (Kuhn and Munkres, in the form with potentials)."""

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


def assign(scores: Scores) -> list[tuple[int, int]]:
    """Pairs of row and column, each row and each column at most once, whose scores add up to the most.

    As many pairs as there are rows or columns, whichever are fewer. Takes time with the cube of the size:
    300 rows and columns about a second.
    """
    rows, columns = scores.shape
    if rows > columns:
        return sorted((row, column) for column, row in assign(scores.T))
    if not rows:
        return []
    cost = scores.max() - scores
    # Row and column 0 stand for "none yet"; owner[j] is the row that has column j.
    of_row, of_column = np.zeros(rows + 1), np.zeros(columns + 1)
    owner = np.zeros(columns + 1, dtype=int)
    for row in range(1, rows + 1):
        owner[0] = row
        shortest = np.full(columns + 1, np.inf)
        before = np.zeros(columns + 1, dtype=int)
        visited = np.zeros(columns + 1, dtype=bool)
        column = 0
        while owner[column]:
            visited[column] = True
            this = owner[column]
            free = ~visited[1:]
            reduced = cost[this - 1] - of_row[this] - of_column[1:]
            nearer = free & (reduced < shortest[1:])
            shortest[1:][nearer] = reduced[nearer]
            before[1:][nearer] = column
            following = 1 + int(np.argmin(np.where(free, shortest[1:], np.inf)))
            step = shortest[following]
            of_row[owner[visited]] += step
            of_column[visited] -= step
            shortest[~visited] -= step
            column = following
        while column:
            previous = before[column]
            owner[column] = owner[previous]
            column = int(previous)
    return sorted((int(owner[column]) - 1, column - 1) for column in range(1, columns + 1) if owner[column])
