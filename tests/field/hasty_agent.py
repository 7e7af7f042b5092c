"""The agent with short pauses before it connects again, so that a test of many outages ends in time."""

from edge_agent.cli.main import main
from edge_agent.uplinks import uplink

uplink.RETRY_FIRST_S, uplink.RETRY_LIMIT_S, uplink.REFUSED_PAUSE_S = 0.2, 1.0, 1.0

main()
