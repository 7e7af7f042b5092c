"""`python -m tests.field.sparkplug` prints the table of all assertions, and what became of each."""

import sys
import tempfile
from pathlib import Path

from tests.field.sparkplug.assertions import CHECKS, NOT_APPLICABLE
from tests.field.sparkplug.scenario import Evidence, played

VERSIONS = ("5", "3.1.1")


def outcome(name: str, evidence: Evidence) -> str:
    try:
        CHECKS[name](evidence)
    except AssertionError as error:
        return f"FAILS {error}"
    return "holds"


def main() -> int:
    lives = []
    for version in VERSIONS:
        with tempfile.TemporaryDirectory() as folder:
            lives.append(played(Path(folder), version))
    rows = [(name, *(outcome(name, life) for life in lives)) for name in sorted(CHECKS)]
    print("| assertion | " + " | ".join(f"MQTT {version}" for version in VERSIONS) + " |")
    print("|---|" + "---|" * len(VERSIONS))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    for reason, names in NOT_APPLICABLE.items():
        for name in names:
            print(f"| {name} | does not apply | {reason} |")
    failed = sum("FAILS" in cell for row in rows for cell in row)
    without = sum(map(len, NOT_APPLICABLE.values()))
    print(f"\n{len(rows)} checked with {' and '.join(VERSIONS)}, {failed} fail; {without} do not apply")
    return int(failed > 0)


sys.exit(main())
