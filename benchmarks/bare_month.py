"""The yardstick: the same month from bare arrays by numpy alone, and nothing of it but the totals.

No calendar, no failures, no figures, no messages; durations need not be worked out, and nothing is checked.
"""

import sys
from pathlib import Path

import numpy as np

from benchmarks.common import Cost
from benchmarks.month_file import bare_file, machines


def main() -> None:
    folder, count, changes = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    cost = Cost()
    found = []
    for name in machines(count):
        content = bare_file(folder, name).read_bytes()
        sums = np.zeros(256)
        for at in range(0, len(content), 5 * changes):
            durations = np.frombuffer(content, "<u4", changes, at)
            codes = np.frombuffer(content, "<u1", changes, at + 4 * changes)
            sums += np.bincount(codes, durations, 256)
        found.append(sorted(sums[sums > 0].astype(int).tolist()))
    cost.tell(totals=found)


if __name__ == "__main__":
    main()
