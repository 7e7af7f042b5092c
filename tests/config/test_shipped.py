"""Data files are found in a checkout and in an installed package."""

from pathlib import Path

import pytest

import edge_agent
from edge_agent.config.shipped import shipped


def test_in_a_checkout() -> None:
    assert shipped("definitions") == Path(__file__).parents[2] / "configs" / "definitions"
    assert list(shipped("definitions").glob("*.yaml"))


def test_in_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "edge_agent" / "shipped").mkdir(parents=True)
    monkeypatch.setattr(edge_agent, "__file__", str(tmp_path / "edge_agent" / "__init__.py"))
    assert shipped("definitions", "a.yaml") == tmp_path / "edge_agent" / "shipped" / "definitions" / "a.yaml"
