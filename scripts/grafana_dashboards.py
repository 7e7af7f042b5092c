"""Makes the dashboards in configs/grafana/dashboards; `--check` only says whether they are current."""

import argparse
import json
import sys
from pathlib import Path

from grafana.gateways import gateways
from grafana.machine import machine
from grafana.overview import overview
from grafana.pieces import Json
from grafana.rates import rates

FOLDER = Path(__file__).resolve().parents[1] / "configs" / "grafana" / "dashboards"


def all_dashboards() -> dict[str, Json]:
    """Every dashboard by the name of its file."""
    return {f"{one['uid']}.json": one for one in (overview(), machine(), rates(), gateways())}


def written(one: Json) -> str:
    return json.dumps(one, ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    only_check = parser.parse_args().check
    stale = []
    for name, one in all_dashboards().items():
        file = FOLDER / name
        if not file.exists() or file.read_text(encoding="utf-8") != written(one):
            stale.append(name)
            if not only_check:
                file.write_text(written(one), encoding="utf-8")
    if stale:
        print(f"{'not current' if only_check else 'written'}: {', '.join(stale)}")
    sys.exit(bool(stale) and only_check)


if __name__ == "__main__":
    main()
