"""The agent with short pauses before it connects again, and days of a few seconds for its digests, so that a
test of many outages, over many days, ends in time. Before it ends it has time to deliver everything."""

from functools import partial
from zoneinfo import ZoneInfo

from edge_agent.cli import run
from edge_agent.cli.main import main
from edge_agent.journal import digests
from edge_agent.uplinks import uplink

DAY_MS = 2000


def short_day(time_ms: int, timezone: ZoneInfo) -> str:
    return f"day {time_ms // DAY_MS} of {timezone}"


digests.day_of = short_day
uplink.RETRY_FIRST_S, uplink.RETRY_LIMIT_S, uplink.REFUSED_PAUSE_S = 0.2, 1.0, 1.0
run.until_stopped = partial(run.until_stopped, drain_s=15.0)

main()
