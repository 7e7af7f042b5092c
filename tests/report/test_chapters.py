"""Chapters over what the plant does not have: figures that are new, and words for all that can be said."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import get_args

import msgspec

from edge_agent.config.site import load_site
from edge_agent.contract.messages import Account, KeyFigure
from edge_agent.indicators.definitions import Definition
from edge_agent.report import words
from edge_agent.report.content import Cell, Rate, Section, Table
from edge_agent.report.gather import Month, gather
from edge_agent.report.machine_time import key_figures
from edge_agent.words import Words
from tests.report.conftest import Made


def tell(text: Words) -> str:
    return text.zh


def tables(section: Section) -> list[Table]:
    return [block for block in section.blocks if isinstance(block, Table)]


def with_figures(month: Month, figures: Sequence[KeyFigure]) -> Month:
    def changed(account: Account) -> Account:
        return msgspec.structs.replace(account, figures=figures)

    return replace(month, accounts={name: changed(account) for name, account in month.accounts.items()})


def test_figures_appear_by_themselves(made: Made) -> None:
    """OEE as soon as it is computed, and one that this version has no name for."""
    month = gather(load_site(made.demo), date(2026, 10, 1))
    figures = [
        KeyFigure("oee/iso-22400-2", 0.5, 1, 2),
        KeyFigure("brand-new/ours", 0.25, 1, 4),
        KeyFigure("nee/iso-22400-2", None, missing=["cycle_time"]),
    ]
    values, missing, everything = tables(key_figures(with_figures(month, figures), tell))
    assert [column.title for column in values.columns] == ["设备编号", "设备综合效率", "brand-new/ours"]
    cells: Sequence[Cell] = values.rows[0].cells
    assert cells[1:] == [Rate(0.5), Rate(0.25)]
    (row,) = missing.rows
    assert list(row.cells[:3]) == ["净设备效率", "缺计划节拍", len(month.accounts)]
    assert len(everything.rows) == 3 * len(month.accounts)


def test_there_are_words_for_every_standing() -> None:
    assert words.STANDINGS.keys() == set(get_args(Definition.model_fields["standing"].annotation))


def test_trends_end_with_the_month(made: Made) -> None:
    """A report on September does not know October."""
    month = gather(load_site(made.demo), date(2026, 9, 1))
    assert month.months[-1] == date(2026, 9, 30)
    assert month.months[0] == date(2025, 10, 31)
    assert {at.day for some in month.points.values() for at in some} == {date(2026, 8, 31), date(2026, 9, 30)}
    assert all(one.now is None or one.now.day == date(2026, 9, 30) for one in month.judgements)
