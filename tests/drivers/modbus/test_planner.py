"""Requests are as few as can be, and keep to the rules."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.planner import Extent, Rules, halves, plan_runs

extents = st.lists(
    st.builds(lambda start, size: Extent(start, start + size), st.integers(0, 24), st.integers(1, 4)),
    min_size=1,
    max_size=6,
)
rules = st.builds(
    lambda limit, gap, forbidden, cuts: Rules(limit, gap, tuple(forbidden), frozenset(cuts)),
    st.integers(4, 12),
    st.integers(0, 6),
    st.lists(
        st.builds(lambda start, size: Extent(start, start + size), st.integers(0, 26), st.integers(1, 3)),
        max_size=2,
    ),
    st.sets(st.integers(1, 27), max_size=2),
)


def may_share_a_request(group: list[Extent], rules: Rules) -> bool:
    """By definition: the span is short enough, and each hole in it is one that may be read in passing."""
    first, last = min(e.start for e in group), max(e.stop for e in group)
    if last - first > rules.limit:
        return False
    covered = {address for e in group for address in range(e.start, e.stop)}
    hole: list[int] = []
    for address in range(first, last + 1):
        if address < last and address not in covered:
            hole.append(address)
            continue
        if len(hole) > rules.gap or any(f.start <= a < f.stop for f in rules.forbidden for a in hole):
            return False
        hole = []
    # A cut divides what no tag reaches over.
    return not any(
        first < cut < last and not any(e.start < cut < e.stop for e in group) for cut in rules.cuts
    )


def fewest(tags: list[Extent], rules: Rules) -> int:
    """The size of the smallest partition into groups that may share a request, by trying all of them."""
    if not tags:
        return 0
    first, others = tags[0], tags[1:]
    best = len(tags)
    for size in range(len(others) + 1):
        for chosen in combinations(range(len(others)), size):
            if may_share_a_request([first, *(others[i] for i in chosen)], rules):
                rest = [e for i, e in enumerate(others) if i not in chosen]
                best = min(best, 1 + fewest(rest, rules))
    return best


@given(extents, rules)
def test_no_plan_has_fewer_requests(tags: list[Extent], rules: Rules) -> None:
    assert len(plan_runs(tags, range(len(tags)), rules)) == fewest(tags, rules)


@given(extents, rules)
def test_every_tag_is_in_one_request_that_keeps_to_the_rules(tags: list[Extent], rules: Rules) -> None:
    runs = plan_runs(tags, range(len(tags)), rules)
    assert sorted(member for run in runs for member in run.members) == list(range(len(tags)))
    for run in runs:
        group = [tags[member] for member in run.members]
        assert (run.start, run.stop) == (min(e.start for e in group), max(e.stop for e in group))
        assert may_share_a_request(group, rules)


@given(extents, rules)
def test_halves_share_out_the_tags(tags: list[Extent], rules: Rules) -> None:
    for run in plan_runs(tags, range(len(tags)), rules):
        lower, upper = halves(run, tags)
        assert sorted(lower + upper) == sorted(run.members)
        assert abs(len(lower) - len(upper)) <= 1


def test_protocol_limit_of_125_registers() -> None:
    tags = [Extent(address, address + 1) for address in range(250)]
    runs = plan_runs(tags, range(250), Rules(limit=125, gap=8))
    assert [(run.start, run.stop) for run in runs] == [(0, 125), (125, 250)]


def test_a_tag_longer_than_the_limit_is_asked_for_alone() -> None:
    tags = [Extent(0, 4), Extent(4, 5)]
    runs = plan_runs(tags, range(2), Rules(limit=2, gap=8))
    assert [run.members for run in runs] == [(0,), (1,)]
