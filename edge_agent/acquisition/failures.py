"""What is wrong where the driver itself could not say so: a limit that passed, a mistake in its code."""

from edge_agent.driver import ConnectionFailed
from edge_agent.model.failure import FailureKind
from edge_agent.model.state import UnknownCause


def driver_fault(error: Exception) -> ConnectionFailed:
    return ConnectionFailed(
        UnknownCause.PROTOCOL_ERROR, f"fault in the driver: {error!r}", kind=FailureKind.FAULT
    )


def not_open_within(limit_s: float) -> ConnectionFailed:
    return ConnectionFailed(
        UnknownCause.UNREACHABLE, f"no connection within {limit_s:g} s", kind=FailureKind.NOT_ACCEPTED
    )


def incomplete_within(equipment: str, limit_s: float) -> ConnectionFailed:
    return ConnectionFailed(
        UnknownCause.TIMEOUT,
        f"{equipment}: no complete answer within {limit_s:g} s",
        kind=FailureKind.TOO_SLOW,
    )
