"""The ledger, worked out by hand: each table says what happened, and what each tenant has to pay for it.

Times are of 2026 in Shanghai, `month-day hour:minute`. Amounts are in fen, 0.01 yuan.
"""

from typing import Any

import pytest

from edge_agent.indicators.accounts import Timeline
from edge_agent.model.equipment import Equipment, Register
from edge_agent.model.state import MachineState
from edge_agent.sharing.holds import Hold, Nobody
from edge_agent.sharing.ledger import Line, digest, evidence
from edge_agent.sharing.production import Counts
from tests.sharing.plant import (
    HOUR,
    MINUTE,
    Shown,
    WrittenRecords,
    at,
    clock,
    counted,
    ledger,
    sharing,
    states,
)


def shift(tenant: str, start: str, end: str, **more: Any) -> dict[str, Any]:
    return {"tenant": tenant, "start": start, "end": end, **more}


def schedule(*windows: dict[str, Any]) -> dict[str, Any]:
    return {"sessions": "schedule", "windows": windows}


def minutes(line: Line, state: str) -> float:
    return line.account.of(MachineState(state)) / MINUTE


def gaps(line: Line) -> dict[str, float]:
    """Minutes by cause."""
    return {state.cause: ms / MINUTE for state, ms in line.times(unknown=True)}


def test_by_time_over_a_change_of_version_and_a_gap() -> None:
    """分时 The night shift of 正和 on the last day of October; November has another price.

    | from        | to          | the machine   |
    |-------------|-------------|---------------|
    | 10-31 22:00 | 10-31 23:30 | running       |
    | 10-31 23:30 | 11-01 00:30 | unknown: link |
    | 11-01 00:30 | 11-01 02:00 | running       |
    | 11-01 02:00 | 11-01 06:00 | idle          |

    | rates     | an hour of running | an hour of occupation |
    |-----------|--------------------|-----------------------|
    | version 1 | 60.00 yuan         | 8.00 yuan             |
    | version 2 | 66.50 yuan         | 8.00 yuan             |
    """
    options = sharing(
        schedule(shift("zhenghe", "22:00", "06:00")),
        [
            {
                "version": 1,
                "until": "2026-10-31",
                "prices": [{"per": "running_hour", "price": 60}, {"per": "occupied_hour", "price": 8}],
            },
            {
                "version": 2,
                "from": "2026-11-01",
                "prices": [{"per": "running_hour", "price": 66.5}, {"per": "occupied_hour", "price": 8}],
            },
        ],
    )
    life = states(
        ("10-31 22:00", "10-31 23:30", "running"),
        ("10-31 23:30", "11-01 00:30", "unknown timeout"),
        ("11-01 00:30", "11-01 02:00", "running"),
        ("11-01 02:00", "11-01 06:00", "idle"),
    )
    first, second = ledger(options, WrittenRecords(life), "10-31 12:00", "11-01 12:00").lines

    assert (clock(first.start_ms), clock(first.end_ms), first.version) == ("10-31 22:00", "11-01 00:00", 1)
    assert minutes(first, "running") == 90
    assert gaps(first) == {"timeout": 30}
    # 1.5 h × 60.00 = 90.00; known are 1.5 h of the 2 h: 1.5 h × 8.00 = 12.00.
    assert [amount.fen for amount in first.amounts] == [9000, 1200]
    assert [amount.unknown_ms for amount in first.amounts] == [30 * MINUTE, 30 * MINUTE]
    assert (first.begun_before, first.goes_on) == (False, True)

    assert (clock(second.start_ms), clock(second.end_ms), second.version) == ("11-01 00:00", "11-01 06:00", 2)
    assert (minutes(second, "running"), minutes(second, "idle")) == (90, 240)
    assert gaps(second) == {"timeout": 30}
    # 1.5 h × 66.50 = 99.75; 5.5 h × 8.00 = 44.00.
    assert [amount.fen for amount in second.amounts] == [9975, 4400]
    assert (second.begun_before, second.goes_on) == (True, False)


def test_by_piece_over_a_counter_reset() -> None:
    """计件 Somebody sets the counter to 0 between 09:59 and 10:01.

    | time        | the counter shows | pieces since  |
    |-------------|-------------------|---------------|
    | 10-12 08:00 | 100               |               |
    | 10-12 08:30 | 125               | 25            |
    | 10-12 09:59 | 140               | 15, 4 of them bad |
    | 10-12 10:01 | 2                 | 2, from 0 on  |
    | 10-12 10:59 | 30                | 28            |

    These are 70 pieces, of which 66 are good. From 11:00 to 11:10 the link was down, and the counter was 3
    higher after it: 正和 had the machine all that time, so these are its own. From 11:55 to 12:05 it was
    down again, and the counter was 5 higher after it: whether before or after 12:00, when the session ended,
    nobody knows. They are told, and not billed.

    73 pieces × 0.35 yuan = 25.55 yuan; 69 good ones × 1.2345 yuan = 85.1805 yuan, rounded to 85.18.
    """
    prices = [{"per": "piece", "price": 0.35}, {"per": "good_piece", "price": 1.2345}]
    options = sharing(schedule(shift("zhenghe", "08:00", "12:00")), [{"version": 3, "prices": prices}])
    shown = Shown(
        parts=counted(
            ("10-12 08:00", 100),
            ("10-12 08:30", 125),
            ("10-12 09:59", 140),
            ("10-12 10:01", 2),
            ("10-12 10:59", 30),
        ),
        bad=[("10-12 09:59", 4)],
        gaps=[("10-12 11:00", "10-12 11:10", 3), ("10-12 11:55", "10-12 12:05", 5)],
    )
    life = states(
        ("10-12 08:00", "10-12 11:00", "running"),
        ("10-12 11:00", "10-12 11:10", "unknown unreachable"),
        ("10-12 11:10", "10-12 11:55", "running"),
        ("10-12 11:55", "10-12 12:05", "unknown unreachable"),
    )
    (line,) = ledger(options, WrittenRecords(life), "10-12 00:00", "10-13 00:00", shown).lines
    assert line.produced == Counts(parts=73, good=69, energy_kwh=None, spanning_parts=5)
    assert [(amount.quantity, amount.fen) for amount in line.amounts] == [(73, 2555), (69, 8518)]
    assert gaps(line) == {"unreachable": 15}
    assert line.complete


def test_by_value_at_peak_flat_and_valley_prices() -> None:
    """按值 Energy of one session from 06:00 to 12:00.

    | hours       | 谷/平/峰 | yuan per kWh | kWh   | yuan                    |
    |-------------|---------|--------------|-------|-------------------------|
    | until 08:00 | 谷      | 0.38         | 2.5   | 0.95                    |
    | until 10:00 | 平      | 0.75         | 4.0   | 3.00                    |
    | until 12:00 | 峰      | 1.15         | 10.07 | 11.5805, rounded: 11.58 |
    """
    prices = [
        {"per": "kwh", "price": 0.38, "name": "谷", "hours": [{"start": "00:00", "end": "08:00"}]},
        {"per": "kwh", "price": 0.75, "name": "平", "hours": [{"start": "08:00", "end": "10:00"}]},
        {"per": "kwh", "price": 1.15, "name": "峰", "hours": [{"start": "10:00", "end": "00:00"}]},
    ]
    options = sharing(schedule(shift("zhenghe", "06:00", "12:00")), [{"version": 1, "prices": prices}])
    shown = Shown(
        wh=[("10-12 07:59", 2500), ("10-12 08:00", 4000), ("10-12 10:30", 10_070), ("10-12 12:00", 900)]
    )
    (line,) = ledger(options, WrittenRecords(), "10-12 00:00", "10-13 00:00", shown).lines
    assert line.energy_wh == 16_570
    assert [(amount.name, amount.quantity, amount.fen) for amount in line.amounts] == [
        ("谷", 2500, 95),
        ("平", 4000, 300),
        ("峰", 10_070, 1158),
    ]
    assert line.fen == 1553


def test_a_session_over_midnight_and_the_end_of_the_month() -> None:
    """The night of 10-31 belongs to October until 24:00, and to November from 00:00 on: nothing twice."""
    options = sharing(
        schedule(shift("zhenghe", "20:00", "04:00", until="2026-10-31", **{"from": "2026-10-30"})),
        [{"version": 1, "prices": [{"per": "running_hour", "price": 10}]}],
    )
    life = states(("10-30 00:00", "11-02 00:00", "running"))
    october = ledger(options, WrittenRecords(life), "10-01 00:00", "11-01 00:00")
    november = ledger(options, WrittenRecords(life), "11-01 00:00", "12-01 00:00")
    assert [(clock(x.start_ms), clock(x.end_ms), x.goes_on, x.fen) for x in october.lines] == [
        ("10-30 20:00", "10-31 04:00", False, 8000),
        ("10-31 20:00", "11-01 00:00", True, 4000),
    ]
    assert [(clock(x.start_ms), clock(x.end_ms), x.begun_before, x.fen) for x in november.lines] == [
        ("11-01 00:00", "11-01 04:00", True, 4000)
    ]


def test_two_tenants_in_one_shift() -> None:
    """正和 has the machine until 11:00, 联创 from 11:00: each pays what was made while it was its own."""
    options = sharing(
        schedule(shift("zhenghe", "08:00", "11:00"), shift("lian", "11:00", "16:00")),
        [
            {
                "version": 1,
                "prices": [{"per": "running_hour", "price": 30}, {"per": "piece", "price": 2}],
            }
        ],
    )
    life = states(("10-12 08:00", "10-12 10:30", "running"), ("10-12 10:30", "10-12 16:00", "running"))
    shown = Shown(parts=[("10-12 10:59", 7), ("10-12 11:00", 1), ("10-12 15:59", 4)])
    found = ledger(options, WrittenRecords(life), "10-12 00:00", "10-13 00:00", shown)
    assert [(x.tenant, minutes(x, "running"), x.produced.parts, x.fen) for x in found.lines] == [
        ("zhenghe", 180, 7, 9000 + 1400),
        ("lian", 300, 5, 15_000 + 1000),
    ]
    assert [line.tenant for line in found.of("lian")] == ["lian"]
    assert [(clock(h.start_ms), clock(h.end_ms), h.reason) for _, h in found.unassigned] == [
        ("10-12 00:00", "10-12 08:00", Nobody.NO_WINDOW),
        ("10-12 16:00", "10-13 00:00", Nobody.NO_WINDOW),
    ]


@pytest.mark.parametrize(
    ("machine", "versions", "why"),
    [
        ({}, [], "no_rates"),
        ({}, [{"version": 1, "until": "2026-10-11", "prices": [{"per": "piece", "price": 1}]}], "no_version"),
    ],
)
def test_a_session_without_rates_is_unpriced_and_never_free(
    machine: dict[str, Any], versions: list[dict[str, Any]], why: str
) -> None:
    options = sharing({**schedule(shift("zhenghe", "08:00", "12:00")), **machine}, versions)
    (line,) = ledger(options, WrittenRecords(), "10-12 00:00", "10-13 00:00").lines
    assert (line.unpriced, line.amounts, line.complete) == (why, (), False)


def test_a_gap_between_two_versions_divides_a_session() -> None:
    """Whole days: version 1 to 10-12, version 2 from 10-14. 10-13 has no price."""
    options = sharing(
        schedule({"tenant": "zhenghe"}),
        [
            {"version": 2, "from": "2026-10-14", "prices": [{"per": "occupied_hour", "price": 2}]},
            {"version": 1, "until": "2026-10-12", "prices": [{"per": "occupied_hour", "price": 1}]},
        ],
    )
    life = states(("10-01 00:00", "11-01 00:00", "off"))
    found = ledger(options, WrittenRecords(life), "10-12 00:00", "10-15 00:00").lines
    assert [(clock(x.start_ms), x.version, x.unpriced, x.fen) for x in found] == [
        ("10-12 00:00", 1, "", 2400),
        ("10-13 00:00", None, "no_version", 0),
        ("10-14 00:00", 2, "", 4800),
    ]


@pytest.mark.parametrize(
    ("per", "why"),
    [("piece", "pieces_not_counted"), ("good_piece", "good_not_counted"), ("kwh", "energy_not_counted")],
)
def test_what_nothing_counts_has_no_amount(per: str, why: str) -> None:
    prices = [{"per": per, "price": 5}, {"per": "occupied_hour", "price": 1}]
    options = sharing(schedule(shift("zhenghe", "08:00", "12:00")), [{"version": 1, "prices": prices}])
    life = states(("10-12 08:00", "10-12 12:00", "idle"))
    (line,) = ledger(options, WrittenRecords(life), "10-12 00:00", "10-13 00:00").lines
    assert [(x.quantity, x.fen, x.unpriced) for x in line.amounts] == [(None, None, why), (4 * HOUR, 400, "")]
    assert not line.complete
    assert line.fen == 400, "the sum of what is priced"


def test_time_in_which_nothing_was_known_costs_nothing_and_is_told() -> None:
    """The agent was not running: not an hour of it is billed, whatever the price is for."""
    prices = [{"per": "running_hour", "price": 60}, {"per": "occupied_hour", "price": 60}]
    options = sharing(schedule(shift("zhenghe", "08:00", "12:00")), [{"version": 1, "prices": prices}])
    (line,) = ledger(options, WrittenRecords(), "10-12 00:00", "10-13 00:00").lines
    assert [amount.fen for amount in line.amounts] == [0, 0]
    assert [amount.unknown_ms for amount in line.amounts] == [4 * HOUR, 4 * HOUR]
    assert gaps(line) == {"gateway_down": 240}


def registered(tenant: str) -> Register:
    return Register((Equipment("M1", "Lathe", "Hall", tenant=tenant),))


def test_by_register_a_session_lasts_as_long_as_its_version() -> None:
    """By id or by name; one that is not configured is nobody, and told with what was written."""
    records = WrittenRecords(
        registered=[
            (at("10-10 09:00"), registered("zhenghe")),
            (at("10-11 09:00"), registered("正和精密")),
            (at("10-12 09:00"), registered("联创模具")),
            (at("10-13 09:00"), registered("")),
            (at("10-14 09:00"), registered("老王")),
            (at("10-15 09:00"), Register(())),
        ]
    )
    found = ledger(sharing({"sessions": "register"}), records, "10-10 00:00", "10-16 00:00")
    assert [(clock(x.start_ms), clock(x.end_ms), x.tenant) for x in found.lines] == [
        ("10-10 09:00", "10-12 09:00", "zhenghe"),
        ("10-12 09:00", "10-13 09:00", "lian"),
    ]
    assert [(clock(h.start_ms), h.reason, h.detail) for _, h in found.unassigned] == [
        ("10-10 00:00", "no_register", ""),
        ("10-13 09:00", "no_tenant", ""),
        ("10-14 09:00", "unknown_tenant", "老王"),
        ("10-15 09:00", "no_tenant", ""),
    ]


def test_by_tag_a_kill_leaves_a_gap() -> None:
    holds = [
        Hold(at("10-12 08:00"), at("10-12 09:00"), "zhenghe"),
        Hold(at("10-12 09:00"), at("10-12 09:30"), reason="gateway_down"),
        Hold(at("10-12 09:30"), at("10-12 11:00"), "zhenghe"),
        Hold(at("10-12 11:00"), at("10-12 12:00"), reason="unmapped_value", detail="7"),
    ]
    options = sharing({"sessions": "tag", "tag": "user", "tenants": {"1": "zhenghe"}})
    found = ledger(options, WrittenRecords(holds={"M1": holds}), "10-12 08:00", "10-12 13:00")
    assert [(clock(x.start_ms), clock(x.end_ms), x.sessions) for x in found.lines] == [
        ("10-12 08:00", "10-12 09:00", "tag"),
        ("10-12 09:30", "10-12 11:00", "tag"),
    ]
    assert [(clock(h.start_ms), h.reason, h.detail) for _, h in found.unassigned] == [
        ("10-12 09:00", "gateway_down", ""),
        ("10-12 11:00", "unmapped_value", "7"),
        ("10-12 12:00", "not_recorded", ""),
    ]


def test_the_evidence_of_a_line_is_what_its_digest_is_of() -> None:
    options = sharing(schedule(shift("zhenghe", "08:00", "12:00")))
    life = states(("10-12 07:00", "10-12 09:00", "running"), ("10-12 09:30", "10-12 18:00", "alarm door"))
    shown = Shown(parts=[("10-12 08:30", 3)])
    (line,) = ledger(options, WrittenRecords(life), "10-12 00:00", "10-13 00:00", shown).lines
    said = evidence("M1", (line.start_ms, line.end_ms), Timeline.of(life), line.produced)
    assert said["states"] == [
        [at("10-12 08:00"), at("10-12 09:00"), "running", ""],
        [at("10-12 09:00"), at("10-12 09:30"), "unknown", "gateway_down"],
        [at("10-12 09:30"), at("10-12 12:00"), "alarm", "door"],
    ]
    assert (said["parts"], said["energy_wh"]) == (3, None)
    assert digest(said) == line.evidence
    (other,) = ledger(options, WrittenRecords(life[:1]), "10-12 00:00", "10-13 00:00", shown).lines
    assert other.evidence != line.evidence


def test_the_evidence_does_not_depend_on_how_the_history_divides_time() -> None:
    options = sharing(schedule(shift("zhenghe", "08:00", "12:00")))
    whole = states(("10-12 07:00", "10-12 11:00", "running"), ("10-12 11:00", "10-12 14:00", "idle"))
    pieces = states(
        ("10-12 08:30", "10-12 11:00", "running"),
        ("10-12 07:00", "10-12 08:30", "running"),
        ("10-12 11:00", "10-12 11:30", "idle"),
        ("10-12 11:30", "10-12 14:00", "idle"),
    )
    one, other = (
        ledger(options, WrittenRecords(life), "10-12 00:00", "10-13 00:00").lines[0]
        for life in (whole, pieces)
    )
    assert one == other
