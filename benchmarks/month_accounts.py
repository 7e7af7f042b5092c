"""The month of every machine as the agent accounts for it, from the history file to the messages."""

import sys
from pathlib import Path

from benchmarks.common import Cost
from benchmarks.month_file import MONTH, ZONE, machines, plan
from edge_agent.contract.messages import Account, encode
from edge_agent.indicators.machine_time import MachineTime
from edge_agent.states.history import History


def totals(account: Account) -> list[int]:
    """What the bare arrays say too: milliseconds by state and cause."""
    return sorted(time.ms for time in account.times)


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    calendar = plan()
    cost = Cost()
    history = History(folder / "history.db")
    names = machines(count)
    machine_time = MachineTime(history, ZONE, dict.fromkeys(names, calendar))
    size, found = 0, []
    for name in names:
        account = machine_time.account(name, MONTH, (), MONTH.to_ms)
        assert sum(time.ms for time in account.times) == MONTH.to_ms - MONTH.from_ms
        assert account.planned
        assert len(account.alarms) == 10
        size += len(encode(account))
        found.append(totals(account))
    history.close()
    cost.tell(accounts=len(found), bytes=size, totals=found)


if __name__ == "__main__":
    main()
