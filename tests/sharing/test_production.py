"""What counters counted, from the history that the agent writes to what a tenant pays."""

from pathlib import Path

import pytest

from edge_agent.config.site import Site, counting, load_site
from edge_agent.indicators.periods import PeriodKind, period_at
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.model.batch import Batch
from edge_agent.sharing.ledger import Ledger, make_ledger
from edge_agent.sharing.production import Counts, production_of
from edge_agent.sharing.reading import KeptRecords
from edge_agent.sharing.recording import SessionStore
from edge_agent.states.counters import Counters
from edge_agent.states.history import Changes, History
from edge_agent.states.production import ProductionTally
from tests.sharing.plant import ZONE, at

SITE = """\
gateway: {id: gw-01, region: "330300", enterprise: 91330300MA00DEM06A}
register: register.csv
connections:
  - id: lathe
    driver: modbus
    host: 127.0.0.1
    equipment:
      - id: M1
        tags:
          - {id: parts, table: holding, address: 0, counter: {}}
          - {id: bad, table: holding, address: 1, counter: {}}
          - {id: meter, table: holding, address: 2, unit: kW.h, counter: {}}
        production: {parts: parts, rejects: bad, energy: meter}
sharing:
  tenants: [{id: zhenghe, name: 正和精密}, {id: lian, name: 联创模具}]
  machines:
    - equipment: M1
      sessions: schedule
      rates: table
      windows:
        - {tenant: zhenghe, start: "08:00", end: "12:00", from: 2026-10-12, until: 2026-10-12}
        - {tenant: lian, start: "12:00", end: "16:00", from: 2026-10-12, until: 2026-10-12}
    - equipment: M2
      sessions: schedule
      rates: table
      windows: [{tenant: lian, start: "08:00", end: "12:00"}]
  rates:
    table:
      - version: 1
        prices: [{per: piece, price: 0.35}, {per: good_piece, price: 1.2345}, {per: kwh, price: 0.75}]
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "site.yaml").write_text(SITE, "utf-8")
    (tmp_path / "register.csv").write_text("id,name,workshop\nM1,车床,一车间\nM2,车床,一车间\n", "utf-8")
    found = load_site(tmp_path / "site.yaml")
    found.data_dir.mkdir()
    return found


def made(site: Site, *shown: tuple[str, int, int, float]) -> Ledger:
    """The ledger of the day, after an agent has read the counters at these times."""
    path = site.data_dir / "history.db"
    history = History(path)
    tally = ProductionTally(counting(site), ())
    (machine,) = site.connections[0].equipment
    counters = Counters([machine], (), lambda equipment, tag, *_: tally.reset(equipment, tag))
    for when, *values in shown:
        tally.batch(counters.batch(Batch("M1", at(when), ("parts", "bad", "meter"), values)))
    history.save(
        Changes(at("12-01 00:00"), counters=counters.take_changed(), production=tally.take_changed())
    )
    history.close()
    for store in (RegisterVersions(path), SessionStore(path)):
        store.close()
    records = KeptRecords(path)
    assert site.sharing is not None
    day = period_at(PeriodKind.DAY, at("10-12 12:00"), ZONE)
    try:
        return make_ledger(site.sharing, records, production_of(site), ZONE, day.from_ms, day.to_ms)
    finally:
        records.close()


def test_by_piece_and_by_energy_over_gaps_and_a_reset(site: Site) -> None:
    """The counters are read every few seconds where pieces come, and not seen in between.

    | time                | parts | bad | kWh | since then                                  |
    |---------------------|-------|-----|-----|---------------------------------------------|
    | 08:00:00            | 100   | 4   | 5.0 |                                             |
    | 08:00:05            | 125   | 5   | 5.5 | 25, 1 bad, 500 Wh                           |
    | 10:30:00            | 140   | 8   | 7.5 | 15, 3 bad, 2000 Wh, all of it 正和's         |
    | 10:30:05            | 2     | 8   | 7.5 | 2, from 0 on                                |
    | 11:55:00            | 2     | 8   | 7.5 | nothing                                     |
    | 12:05:00            | 7     | 9   | 8.0 | 5, 1 bad, 500 Wh: of whom, nobody knows      |
    | 12:05:05            | 17    | 11  | 9.0 | 10, 2 bad, 1000 Wh                          |

    正和: 42 pieces × 0.35 = 14.70; 38 good ones × 1.2345 = 46.911, rounded 46.91; 2.5 kWh × 0.75 = 1.875,
    rounded 1.88. 联创: 10 × 0.35 = 3.50; 8 × 1.2345 = 9.876, rounded 9.88; 1 kWh × 0.75 = 0.75.
    """
    found = made(
        site,
        ("10-12 08:00:00", 100, 4, 5.0),
        ("10-12 08:00:05", 125, 5, 5.5),
        ("10-12 10:30:00", 140, 8, 7.5),
        ("10-12 10:30:05", 2, 8, 7.5),
        ("10-12 11:55:00", 2, 8, 7.5),
        ("10-12 12:05:00", 7, 9, 8.0),
        ("10-12 12:05:05", 17, 11, 9.0),
    )
    zhenghe, lian, _ = found.lines
    made_of = (zhenghe.produced.parts, zhenghe.produced.good, zhenghe.energy_wh)
    assert made_of == (42, 38, 2500)
    assert [amount.fen for amount in zhenghe.amounts] == [1470, 4691, 188]
    assert (zhenghe.produced.spanning_parts, zhenghe.produced.spanning_energy_wh) == (5, 500)
    assert (lian.produced.parts, lian.produced.good, lian.energy_wh) == (10, 8, 1000)
    assert [amount.fen for amount in lian.amounts] == [350, 988, 75]
    assert lian.produced.spanning_parts == 5
    assert zhenghe.complete


def test_what_nobody_counts_or_saw_has_no_price(site: Site) -> None:
    found = made(site, ("10-12 08:00:00", 100, 4, 5.0), ("10-12 08:00:05", 101, 4, 5.0))
    zhenghe, not_seen, not_counted = found.lines
    assert [amount.fen for amount in zhenghe.amounts] == [35, 123, 0]
    reasons = ["pieces_not_counted", "good_not_counted", "energy_not_counted"]
    for line in (not_seen, not_counted):
        assert [amount.unpriced for amount in line.amounts] == reasons
    assert not_counted.equipment == "M2"
    assert production_of(site).produced("M2", []) == Counts()
