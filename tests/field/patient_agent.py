"""The agent with time to deliver everything before it ends: on a busy machine its two seconds may pass with
nothing done, and what is left then is sent by the next one, which a test may not have."""

from functools import partial

from edge_agent.cli import run
from edge_agent.cli.main import main

DRAIN_S = 15.0

run.until_stopped = partial(run.until_stopped, drain_s=DRAIN_S)

main()
