"""Settlements of months that are over, and what one tenant gets as a file: its own, complete, and no more."""

import csv
import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openpyxl import load_workbook  # type: ignore[import-untyped]  # it has no types

from edge_agent.config.site import Site, load_site
from edge_agent.contract.messages import SettlementLine
from edge_agent.indicators.periods import PeriodKind, period_at
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.model.state import MachineState, StateWithCause
from edge_agent.sharing.export import write_tenant
from edge_agent.sharing.ledger import Ledger, make_ledger
from edge_agent.sharing.reading import KeptRecords
from edge_agent.sharing.settlement import SCHEMA, SETTLE_MS, settle_ended_months, settle_month
from edge_agent.states.history import Changes, History
from edge_agent.states.tracker import Interval
from tests.sharing.plant import ZONE, CountedByHand, Shown, at, clock

SITE = """\
gateway: {id: gw-01, region: "330300", enterprise: 91330300MA00DEM06A}
register: register.csv
sharing:
  tenants:
    - {id: zhenghe, name: 正和精密, credit_code: 91330300MA00DEM06A}
    - {id: lian, name: 联创模具}
    - {id: third, name: 第三家}
  machines:
    - equipment: M1
      sessions: schedule
      rates: lathe
      windows:
        - {tenant: zhenghe, start: "08:00", end: "12:00", from: 2026-10-12, until: 2026-10-12}
        - {tenant: lian, start: "12:00", end: "13:00", from: 2026-10-12, until: 2026-10-12}
        - {tenant: lian, start: "20:00", end: "04:00", from: 2026-10-31, until: 2026-10-31}
  rates:
    lathe:
      - version: 4
        prices: [{per: running_hour, price: 60}, {per: good_piece, price: 0.5}]
"""
RUNNING = StateWithCause(MachineState.RUNNING, "auto")
COUNTED = CountedByHand({"M1": Shown(parts=[("10-12 09:00", 9)], gaps=[("10-12 11:58", "10-12 12:03", 2)])})


class Kept:
    """What was added, by subject and period; the same again is not."""

    def __init__(self) -> None:
        self.all: dict[tuple[str, str, str, str], list[Mapping[str, Any]]] = {}

    def add(
        self, schema: str, subject: str, kind: str, from_ms: int, to_ms: int, content: Mapping[str, Any]
    ) -> object | None:
        assert schema == SCHEMA
        said = self.all.setdefault((subject, kind, clock(from_ms), clock(to_ms)), [])
        if said and said[-1] == content:
            return None
        said.append(content)
        return object()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An agent has run from 12 October to noon of 2 December; on 12 October it was away for an hour."""
    (tmp_path / "site.yaml").write_text(SITE, "utf-8")
    (tmp_path / "register.csv").write_text("id,name,workshop\nM1,Lathe,Hall\n", "utf-8")
    loaded = load_site(tmp_path / "site.yaml")
    loaded.data_dir.mkdir()
    history = History(loaded.data_dir / "history.db")
    life = [
        Interval("M1", at("10-12 07:00"), at("10-12 10:00"), RUNNING),
        Interval("M1", at("10-12 11:00"), None, RUNNING),
    ]
    history.save(Changes(at("12-02 12:00"), life))
    history.close()
    versions = RegisterVersions(loaded.data_dir / "history.db")
    versions.keep(loaded.register, at("10-12 07:00"))
    versions.close()
    return loaded


def test_each_month_that_is_over_is_settled_once(site: Site) -> None:
    kept = Kept()
    assert settle_ended_months(site, kept, COUNTED, at("10-20 09:00")) == 0, "October is not over"
    end = at("11-01 00:00")
    assert settle_ended_months(site, kept, COUNTED, end + SETTLE_MS - 1) == 0, "not everything is written yet"
    assert settle_ended_months(site, kept, COUNTED, end + SETTLE_MS) == 3
    assert settle_ended_months(site, kept, COUNTED, end + 2 * SETTLE_MS) == 0
    october = ("month", "10-01 00:00", "11-01 00:00")
    assert set(kept.all) == {("zhenghe", *october), ("lian", *october), ("third", *october)}

    # The agent was away for some weeks: November is made up for.
    assert settle_ended_months(site, kept, COUNTED, at("12-02 11:00")) == 3
    november = ("month", "11-01 00:00", "12-01 00:00")
    (lian,) = kept.all["lian", *november]
    assert [(clock(line["from"]), clock(line["to"]), line["begun_before"]) for line in lian["lines"]] == [
        ("11-01 00:00", "11-01 04:00", True)
    ]
    assert lian["fen"] == 24_000


def test_a_month_is_not_settled_before_the_agent_has_seen_its_end(site: Site) -> None:
    """It noted last that it was alive at noon of 2 December: what was in December it does not know."""
    kept = Kept()
    settle_ended_months(site, kept, COUNTED, at("12-01 09:00"))
    assert settle_ended_months(site, kept, COUNTED, at("12-01 09:00") + 40 * 86_400_000) == 0


def test_what_a_settlement_says(site: Site) -> None:
    """From 10:00 to 11:00 the agent was not running.

    正和, 4 h: 3 h × 60 yuan = 180 yuan; 9 good pieces × 0.50 yuan = 4.50 yuan; 2 pieces were made
    about noon, by 正和 or by 联创.
    """
    kept = Kept()
    month = period_at(PeriodKind.MONTH, at("10-12 00:00"), ZONE)
    assert settle_month(site, kept, COUNTED, month) == 3
    assert settle_month(site, kept, COUNTED, month) == 0, "the same again is no settlement"
    by_tenant = {subject: said[0] for (subject, *_), said in kept.all.items()}
    content = by_tenant["zhenghe"]
    assert {name: content[name] for name in ("timezone", "enterprise", "gateway", "tenant")} == {
        "timezone": "Asia/Shanghai",
        "enterprise": "91330300MA00DEM06A",
        "gateway": "gw-01",
        "tenant": {"id": "zhenghe", "name": "正和精密", "credit_code": "91330300MA00DEM06A"},
    }
    (line,) = msgspec.convert(content["lines"], list[SettlementLine])
    assert [(time.state, time.cause, time.ms) for time in line.times] == [("running", "auto", 3 * 3_600_000)]
    assert [(gap.cause, gap.ms) for gap in line.gaps] == [("gateway_down", 3_600_000)]
    assert (line.parts, line.good, line.spanning_parts, line.version) == (9, 9, 2, 4)
    assert [(x.per, x.price, x.quantity, x.per_price, x.fen, x.unknown) for x in line.amounts] == [
        ("running_hour", "60", 10_800_000, 3_600_000, 18_000, 3_600_000),
        ("good_piece", "0.5", 9, 1, 450, 3_600_000),
    ]
    assert (content["fen"], content["unpriced"]) == (18_450, 0)
    assert by_tenant["lian"]["fen"] == 6_000 + 24_000
    third = by_tenant["third"]
    assert (third["lines"], third["fen"], third["unpriced"]) == ([], 0, 0), "nothing is also settled"


def test_a_corrected_history_gives_another_settlement_and_only_where_it_changes_something(site: Site) -> None:
    kept = Kept()
    month = period_at(PeriodKind.MONTH, at("10-12 00:00"), ZONE)
    settle_month(site, kept, COUNTED, month)
    history = History(site.data_dir / "history.db")
    history.save(Changes(at("12-02 12:00"), [Interval("M1", at("10-12 10:00"), at("10-12 11:00"), RUNNING)]))
    history.close()
    assert settle_month(site, kept, COUNTED, month) == 1
    first, second = kept.all["zhenghe", "month", "10-01 00:00", "11-01 00:00"]
    assert (first["fen"], second["fen"]) == (18_450, 24_450)
    assert first["lines"][0]["evidence"] != second["lines"][0]["evidence"]


@pytest.fixture
def october(site: Site) -> Ledger:
    records = KeptRecords(site.data_dir / "history.db")
    assert site.sharing is not None
    found = make_ledger(site.sharing, records, COUNTED, ZONE, at("10-01 00:00"), at("11-01 00:00"))
    records.close()
    return found


def export(site: Site, ledger: Ledger, file: Path, tenant: str = "zhenghe") -> bytes:
    assert site.sharing is not None
    records = KeptRecords(site.data_dir / "history.db")
    (one,) = [one for one in site.sharing.tenants if one.id == tenant]
    try:
        write_tenant(file, ledger, one, records, ZONE)
    finally:
        records.close()
    return file.read_bytes()


def texts(file: Path) -> str:
    """All that stands in a file, of whatever format."""
    if file.suffix != ".xlsx":
        return file.read_text("utf-8")
    book = load_workbook(file)
    return " ".join(str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".json"])
def test_a_tenant_gets_its_own_lines_and_nothing_of_the_others(
    site: Site, october: Ledger, tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"out{suffix}"
    export(site, october, file)
    said = texts(file)
    assert "M1" in said
    for word in ("lian", "联创模具", "third", "第三家", "12:00:00.000 13:00", "no_window", "20:00"):
        assert word not in said
    with pytest.raises(FileExistsError):
        export(site, october, file, "lian")
    assert texts(file) == said, "nothing was overwritten"


def test_the_csv_has_a_row_for_each_line(site: Site, october: Ledger, tmp_path: Path) -> None:
    export(site, october, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row == {
        "设备 equipment": "M1",
        "开始 from": "2026-10-12 08:00:00.000",
        "结束 to": "2026-10-12 12:00:00.000",
        "依据 sessions": "schedule",
        "运行秒 running s": "10800.000",
        "占用秒 occupied s": "10800.000",
        "未知秒 unknown s": "3600.000",
        "缺口 gaps": "gateway_down 3600.000",
        "件数 pieces": "9",
        "合格 good": "9",
        "跨缺口件数 spanning": "2",
        "电量 kWh": "",
        "跨缺口电量 spanning kWh": "0",
        "费率表 rates": "lathe",
        "版本 version": "4",
        "金额 yuan": "184.50",
        "未定价 unpriced": "",
        "证据 evidence": october.of("zhenghe")[0].evidence,
    }


def test_the_workbook_has_a_row_for_each_amount(site: Site, october: Ledger, tmp_path: Path) -> None:
    export(site, october, tmp_path / "out.xlsx")
    book = load_workbook(tmp_path / "out.xlsx")
    assert [sheet.title for sheet in book] == ["使用台账 ledger", "金额 amounts"]
    _, *rows = book["金额 amounts"].iter_rows(values_only=True)
    assert [(row[2], row[4], row[5], row[6], row[8]) for row in rows] == [
        ("running_hour", 10_800_000, "ms", 60, 180),
        ("good_piece", 9, "piece", 0.5, 4.5),
    ]


def test_the_json_has_the_evidence_that_each_line_is_digested_from(
    site: Site, october: Ledger, tmp_path: Path
) -> None:
    content = json.loads(export(site, october, tmp_path / "out.json"))
    assert len(content["lines"]) == len(content["evidence"]) == 1
    for line, evidence in zip(content["lines"], content["evidence"], strict=True):
        text = json.dumps(evidence, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        assert sha256(text.encode()).hexdigest() == line["evidence"]
    assert content["evidence"][0]["states"] == [
        [at("10-12 08:00"), at("10-12 10:00"), "running", "auto"],
        [at("10-12 10:00"), at("10-12 11:00"), "unknown", "gateway_down"],
        [at("10-12 11:00"), at("10-12 12:00"), "running", "auto"],
    ]


def test_another_suffix_is_refused(site: Site, october: Ledger, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"out.pdf: expected one of: .csv, .xlsx, .json"):
        export(site, october, tmp_path / "out.pdf")
