"""The page about shared machines and the settlement in the contract say the same, and it is right."""

import json
import re
from decimal import Decimal
from hashlib import sha256
from typing import Any

from edge_agent.sharing.holds import Nobody
from edge_agent.sharing.ledger import Unpriced
from edge_agent.sharing.rates import UNITS, cost
from tests.house.documents import ROOT, blocks, text_of

SHARING = ROOT / "docs" / "sharing.md"
CONTRACT = ROOT / "docs" / "contract.md"


def settlement() -> dict[str, Any]:
    (text,) = [text for text in blocks(CONTRACT, "json") if '"fta.settlement/1"' in text]
    found: dict[str, Any] = json.loads(text)
    return found


def test_the_evidence_that_is_shown_is_that_of_the_line_that_is_shown() -> None:
    (shown,) = blocks(SHARING, "json")
    text = json.dumps(json.loads(shown), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    (line,) = settlement()["lines"]
    assert sha256(text.encode()).hexdigest() == line["evidence"]


def test_the_settlement_adds_up() -> None:
    document = settlement()
    (line,) = document["lines"]
    assert sum(item["ms"] for item in [*line["times"], *line["gaps"]]) == line["to"] - line["from"]
    for amount in line["amounts"]:
        exact = Decimal(amount["price"]) * 100 * amount["quantity"] / amount["per_price"]
        assert (
            amount["fen"] == round(exact) == cost(Decimal(amount["price"]), amount["per"], amount["quantity"])
        )
        assert (amount["unit"], amount["per_price"]) == UNITS[amount["per"]]
    assert sum(amount["fen"] for amount in line["amounts"]) == line["fen"] == document["fen"]
    page = text_of(SHARING)
    for fen in (*(amount["fen"] for amount in line["amounts"]), document["fen"]):
        assert f"{fen / 100:.2f}" in page


def test_reasons_are_listed_as_they_are() -> None:
    words = set(re.findall(r"`([a-z_]+)`", text_of(SHARING)))
    assert {reason.value for reason in (*Nobody, *Unpriced)} <= words
    assert set(UNITS) <= words
