"""Machine states, and why a state is unknown."""

from dataclasses import dataclass
from enum import StrEnum


class MachineState(StrEnum):
    RUNNING = "running"
    IDLE = "idle"
    SETUP = "setup"
    ALARM = "alarm"
    OFF = "off"
    UNKNOWN = "unknown"


class UnknownCause(StrEnum):
    """Why nobody can say what the machine does. Never mixed up with `off`, which a machine must prove."""

    NOT_CONNECTED = "not_connected"
    """Registered, but no connection is configured for it."""
    DISABLED = "disabled"
    """Its connection is switched off in the configuration."""
    NO_DATA = "no_data"
    """Connected, and no reading has come yet."""
    UNREACHABLE = "unreachable"
    """The endpoint does not accept a connection."""
    TIMEOUT = "timeout"
    """The connection stands, the equipment does not answer in time."""
    PROTOCOL_ERROR = "protocol_error"
    """It answers, but not as the protocol demands."""
    REFUSED = "refused"
    """The controller refuses: wrong password, certificate, or session limit."""
    STALE = "stale"
    """Nothing has come for longer than its period allows."""
    BAD_QUALITY = "bad_quality"
    """A tag that the state rule needs is bad."""
    UNDECIDED = "undecided"
    """No rule matches, or a rule cannot be evaluated."""
    GATEWAY_DOWN = "gateway_down"
    """The agent itself was not running."""
    CLOCK_STEP = "clock_step"
    """The system clock was set forward: time that nobody lived through."""


@dataclass(frozen=True, slots=True)
class StateWithCause:
    """What a machine does, and why.

    For `unknown`, `cause` is an `UnknownCause`; for the others what the profile's rule says, or nothing.
    """

    state: MachineState
    cause: str = ""


def unknown(cause: UnknownCause) -> StateWithCause:
    return StateWithCause(MachineState.UNKNOWN, cause.value)


NOT_HEARD = frozenset(
    unknown(cause)
    for cause in (
        UnknownCause.NO_DATA,
        UnknownCause.UNREACHABLE,
        UnknownCause.TIMEOUT,
        UnknownCause.PROTOCOL_ERROR,
        UnknownCause.REFUSED,
        UnknownCause.STALE,
        UnknownCause.GATEWAY_DOWN,
    )
)
"""The machine may have gone on, but nobody heard it: what it kept meanwhile can tell later what it did."""
