"""The agent with short pauses before it connects again, so that a test of many outages ends in time."""

from edge_agent.cli.main import main
from edge_agent.uplinks import broker

broker.RECONNECT_FIRST_S, broker.RECONNECT_LIMIT_S, broker.REFUSED_PAUSE_S = 0.2, 1.0, 1.0

main()
