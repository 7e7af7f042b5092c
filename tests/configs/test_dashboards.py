"""Grafana's own types take the dashboards as they are: those of its SDK for Python, and of its schema."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.house.documents import ROOT, text_of
from tests.npm import NODE, npm_package

GRAFANA = "11.4.0"
"""The version that compose.yaml starts."""
TYPESCRIPT = "5.6.3"
DASHBOARDS: dict[str, Any] = {
    file.stem: json.loads(text_of(file))
    for file in sorted((ROOT / "configs" / "grafana" / "dashboards").glob("*.json"))
}
PANELS = {
    "bargauge": "BarGauge",
    "stat": "Stat",
    "state-timeline": "StateTimeline",
    "table": "Table",
    "text": "Text",
    "timeseries": "TimeSeries",
}
"""The types of panels in use, and what the schema calls their options."""
OF_FIELDS = {"state-timeline": "StateTimeline", "timeseries": "TimeSeries"}
"""Those that have options for each field, too."""

_TYPES = """
import type { Dashboard } from "@grafana/schema";
// JSON has the values of enumerations where TypeScript wants their names.
type Plain<T> = T extends string ? `${T}` : T extends (infer U)[] ? Plain<U>[]
  : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
"""


def lost(ours: Any, theirs: Any, place: str = "") -> Iterator[str]:
    """Where `theirs` is not what `ours` says; what it has beside that is its defaults."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name, value in ours.items():
            if name in theirs:
                yield from lost(value, theirs[name], f"{place}/{name}")
            else:
                yield f"{place}/{name}"
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from lost(one, other, f"{place}/{index}")
    elif ours != theirs:
        yield place


def read_and_written(dashboard: Any) -> Any:
    register_default_plugins()
    return json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_grafanas_sdk_reads_and_writes_all_of_it(uid: str) -> None:
    assert list(lost(DASHBOARDS[uid], read_and_written(DASHBOARDS[uid]))) == []


def test_a_misspelt_key_would_be_found() -> None:
    wrong = json.loads(json.dumps(DASHBOARDS["edge-overview"]))
    wrong["panels"][0]["descripton"] = wrong["panels"][0].pop("description")
    wrong["panels"][0]["options"]["colourMode"] = "value"
    assert set(lost(wrong, read_and_written(wrong))) == {
        "/panels/0/descripton",
        "/panels/0/options/colourMode",
    }


def test_the_schema_takes_every_dashboard_and_the_options_of_every_panel(tmp_path: Path) -> None:
    schema = npm_package("@grafana/schema", GRAFANA)
    compiler = npm_package("typescript", TYPESCRIPT) / "node_modules" / "typescript" / "bin" / "tsc"
    (tmp_path / "node_modules").symlink_to(schema / "node_modules")
    lines = [_TYPES]
    for kind, name in PANELS.items():
        types = f"Options as {name}Options" + (f", FieldConfig as {name}Fields" if kind in OF_FIELDS else "")
        module = f"{kind.replace('-', '')}/panelcfg/x/{name}PanelCfg_types.gen"
        lines.append(f'import type {{ {types} }} from "@grafana/schema/dist/esm/raw/composable/{module}";')
    for one in DASHBOARDS.values():
        lines.append(said(one, "Dashboard"))
        for panel in one["panels"]:
            lines.append(said(panel["options"], f"Partial<{PANELS[panel['type']]}Options>"))
            custom = panel["fieldConfig"]["defaults"].get("custom")
            if custom is not None:
                lines.append(said(custom, f"Partial<{OF_FIELDS[panel['type']]}Fields>"))
    file = tmp_path / "check.ts"

    def faults(text: str) -> str:
        file.write_text(text, encoding="utf-8")
        options = [
            "--noEmit",
            "--strict",
            "--skipLibCheck",
            "--moduleResolution",
            "node",
            "--target",
            "es2020",
        ]
        done = subprocess.run(
            [str(NODE), str(compiler), *options, file.name], cwd=tmp_path, capture_output=True, text=True
        )
        return done.stdout

    lines.append(said({"colourMode": "value"}, "Partial<StatOptions>"))
    # One fault, in the last line: so the others were looked at, and are right.
    found = faults("\n".join(lines))
    assert len(found.splitlines()) == 1, found
    assert "colourMode" in found


def said(value: Any, type_: str) -> str:
    """A statement of TypeScript that is an error if `value` is not of the type."""
    return f"({json.dumps(value, ensure_ascii=False)}) satisfies Plain<{type_}>;"
