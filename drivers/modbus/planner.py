"""Joins the tags of one unit and table into the fewest requests.

A request reads a run of addresses. It may be at most `limit` long, and may read addresses without a tag
in passing if there are at most `gap` of them in a row and none of them is forbidden.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Extent:
    """The addresses `start` to `stop - 1`."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Run:
    """One request: the addresses `start` to `stop - 1`, for the tags whose positions are `members`."""

    start: int
    stop: int
    members: tuple[int, ...]

    @property
    def count(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Rules:
    """What a request must keep to.

    `forbidden` addresses are never read in passing. No request reaches over a cut: of the addresses
    before and from each of `cuts` on, it reads one side only.
    """

    limit: int
    gap: int
    forbidden: Sequence[Extent] = ()
    cuts: AbstractSet[int] = frozenset()

    def bridges(self, stop: int, start: int) -> bool:
        """Whether a request that has read up to `stop` may go on to `start`."""
        if stop > start:
            return True
        if any(stop <= cut <= start for cut in self.cuts):
            return False
        return stop == start or (
            start - stop <= self.gap
            and not any(hole.start < start and stop < hole.stop for hole in self.forbidden)
        )


def plan_runs(extents: Sequence[Extent], members: Sequence[int], rules: Rules) -> list[Run]:
    """The fewest runs that cover `extents[m]` of every m in `members`, each wholly in one run.

    Taking from the lowest address on whatever still fits is optimal: a run cannot start later than the
    lowest tag that is left, and one that starts there and takes all it can leaves the least to do. A tag
    longer than the limit gets a run of its own.
    """
    left = sorted(members, key=lambda m: (extents[m].start, extents[m].stop))
    runs: list[Run] = []
    while left:
        first = extents[left[0]]
        stop = first.stop
        taken = [left[0]]
        passed_over: list[int] = []
        for at, member in enumerate(left[1:], start=1):
            extent = extents[member]
            if not rules.bridges(stop, extent.start):
                passed_over.extend(left[at:])
                break
            if extent.stop - first.start <= rules.limit or extent.stop <= stop:
                taken.append(member)
                stop = max(stop, extent.stop)
            else:
                passed_over.append(member)
        runs.append(Run(first.start, stop, tuple(taken)))
        left = passed_over
    return runs


def halves(run: Run, extents: Sequence[Extent]) -> tuple[list[int], list[int]]:
    """The members of a run, split in the middle by address."""
    members = sorted(run.members, key=lambda m: (extents[m].start, extents[m].stop))
    middle = len(members) // 2
    return members[:middle], members[middle:]
