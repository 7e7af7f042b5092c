"""How states and link levels look in a terminal."""

from collections.abc import Mapping

from edge_agent.model.link import LinkLevel
from edge_agent.model.state import MachineState

STATE_MARKS: Mapping[MachineState, tuple[str, str]] = {
    MachineState.RUNNING: ("●", "green"),
    MachineState.IDLE: ("○", "yellow"),
    MachineState.SETUP: ("◆", "cyan"),
    MachineState.ALARM: ("▲", "bold red"),
    MachineState.OFF: ("■", "bright_black"),
    MachineState.UNKNOWN: ("?", "magenta"),
}
"""A shape and a style, so that nobody depends on the colour."""
LINK_STYLES: Mapping[LinkLevel, str] = {
    LinkLevel.REGISTERED: "bright_black",
    LinkLevel.REACHABLE: "yellow",
    LinkLevel.DATA_VALID: "cyan",
    LinkLevel.LIVE: "green",
}
