"""What goes wrong with a server, in words for a technician."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from asyncua.ua.status_codes import StatusCodes as S
from asyncua.ua.status_codes import get_name_and_doc
from asyncua.ua.uaerrors import UaStatusCodeError

from drivers.opcua.values import status_name
from edge_agent.driver import ConnectionFailed, DriverError
from edge_agent.model.failure import FailureKind
from edge_agent.model.state import UnknownCause

_USER = "check username and password, and that this user may log in at the server"
_SECURITY = "leave security: none out; edge-agent opcua discover shows what the server offers"
_NO_ROUTE = {errno.EHOSTUNREACH, errno.ENETUNREACH}
_BUSY = "close other clients of the server, or raise its limit"

_BY_STATUS: dict[int, tuple[UnknownCause, str, str, FailureKind]] = {
    S.BadUserAccessDenied: (UnknownCause.REFUSED, "refuses this user", _USER, FailureKind.LOGIN_REFUSED),
    S.BadIdentityTokenRejected: (
        UnknownCause.REFUSED,
        "refuses this user or kind of login",
        _USER,
        FailureKind.LOGIN_REFUSED,
    ),
    S.BadIdentityTokenInvalid: (
        UnknownCause.REFUSED,
        "refuses this user or kind of login",
        _USER,
        FailureKind.LOGIN_REFUSED,
    ),
    S.BadTooManySessions: (UnknownCause.REFUSED, "has no session left", _BUSY, FailureKind.NO_ROOM),
    S.BadMaxConnectionsReached: (UnknownCause.REFUSED, "has no connection left", _BUSY, FailureKind.NO_ROOM),
    S.BadTcpNotEnoughResources: (UnknownCause.REFUSED, "has no connection left", _BUSY, FailureKind.NO_ROOM),
    S.BadTooManySubscriptions: (UnknownCause.REFUSED, "has no subscription left", _BUSY, FailureKind.NO_ROOM),
    S.BadSecurityPolicyRejected: (
        UnknownCause.REFUSED,
        "refuses a connection without security",
        _SECURITY,
        FailureKind.SECURITY_DEMANDED,
    ),
    S.BadSecurityModeRejected: (
        UnknownCause.REFUSED,
        "refuses a connection without security",
        _SECURITY,
        FailureKind.SECURITY_DEMANDED,
    ),
    S.BadSecurityChecksFailed: (
        UnknownCause.REFUSED,
        "refuses a connection without security",
        _SECURITY,
        FailureKind.SECURITY_DEMANDED,
    ),
    S.BadTcpEndpointUrlInvalid: (
        UnknownCause.PROTOCOL_ERROR,
        "does not know this endpoint",
        "write the endpoint as the server lists it",
        FailureKind.ENDPOINT_UNKNOWN,
    ),
    S.BadTimeout: (UnknownCause.TIMEOUT, "gave up on a request", "", FailureKind.TOO_SLOW),
    S.BadRequestTimeout: (UnknownCause.TIMEOUT, "gave up on a request", "", FailureKind.TOO_SLOW),
    S.BadShutdown: (UnknownCause.UNREACHABLE, "is shutting down", "", FailureKind.STOPPED),
    S.BadServerHalted: (UnknownCause.UNREACHABLE, "has stopped", "", FailureKind.STOPPED),
    S.BadSessionClosed: (UnknownCause.UNREACHABLE, "closed the session", "", FailureKind.SESSION_LOST),
    S.BadSessionIdInvalid: (
        UnknownCause.UNREACHABLE,
        "no longer knows the session",
        "",
        FailureKind.SESSION_LOST,
    ),
    S.BadSecureChannelClosed: (UnknownCause.UNREACHABLE, "closed the connection", "", FailureKind.CUT),
    S.BadSecureChannelIdInvalid: (
        UnknownCause.UNREACHABLE,
        "no longer knows the connection",
        "",
        FailureKind.CUT,
    ),
    S.BadConnectionClosed: (UnknownCause.UNREACHABLE, "closed the connection", "", FailureKind.CUT),
    S.BadNoSubscription: (
        UnknownCause.PROTOCOL_ERROR,
        "no longer knows the subscription",
        "",
        FailureKind.SUBSCRIPTION_LOST,
    ),
}


@contextmanager
def explained(endpoint: str) -> Iterator[None]:
    """Turn whatever is raised within into ConnectionFailed."""
    try:
        yield
    except DriverError:
        raise
    except Exception as error:  # the library raises many kinds, bare Exception and AssertionError among them
        raise connection_failed(endpoint, error) from error


def connection_failed(endpoint: str, error: Exception) -> ConnectionFailed:
    """The error that tells the supervisor, and through it the technician, what `error` means."""
    match error:
        case UaStatusCodeError():
            return _by_status(endpoint, int(error.code))
        case TimeoutError():
            return ConnectionFailed(
                UnknownCause.TIMEOUT, f"{endpoint} does not answer in time", kind=FailureKind.TOO_SLOW
            )
        case ConnectionRefusedError():
            return ConnectionFailed(
                UnknownCause.UNREACHABLE,
                f"{endpoint} refuses the connection: nothing listens on that port",
                "check the port, and that the OPC UA server runs",
                FailureKind.PORT_CLOSED,
            )
        case socket.gaierror():
            return ConnectionFailed(
                UnknownCause.UNREACHABLE,
                f"the host of {endpoint} is unknown",
                "check the spelling, or use the IP address",
                FailureKind.HOST_UNKNOWN,
            )
        case OSError():
            return ConnectionFailed(
                UnknownCause.UNREACHABLE,
                f"the connection to {endpoint} is gone: {error.strerror or error}",
                kind=FailureKind.NO_ROUTE if error.errno in _NO_ROUTE else FailureKind.CUT,
            )
        case AssertionError():
            # What is left of a connection that the server ends while the secure channel is negotiated.
            return ConnectionFailed(
                UnknownCause.REFUSED,
                f"{endpoint} refuses a connection without security",
                _SECURITY,
                FailureKind.SECURITY_DEMANDED,
            )
        case _:
            return ConnectionFailed(
                UnknownCause.PROTOCOL_ERROR,
                f"{endpoint} answers against the protocol: {type(error).__name__}: {error}",
            )


def _by_status(endpoint: str, code: int) -> ConnectionFailed:
    name = status_name(code)
    if code in _BY_STATUS:
        cause, what, remedy, kind = _BY_STATUS[code]
        return ConnectionFailed(cause, f"{endpoint} {what} ({name})", remedy, kind)
    return ConnectionFailed(
        UnknownCause.PROTOCOL_ERROR, f"{endpoint} answers {name}: {get_name_and_doc(code)[1]}"
    )
