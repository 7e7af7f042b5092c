"""What can be wrong with a connection, as fixed words that people are told about in their own language."""

import os
import socket
import ssl
import sys
from enum import StrEnum


class FailureKind(StrEnum):
    """Told beside the text of a driver's error; `edge_agent/words/failures.py` says what each means, and what
    to do."""

    HOST_UNKNOWN = "host_unknown"
    PORT_CLOSED = "port_closed"
    """Somebody is at this address and says that nothing listens there."""
    NO_ROUTE = "no_route"
    NOT_ACCEPTED = "not_accepted"
    """Nobody answered to the opening of a connection."""
    CUT = "cut"
    """The connection stood, and the other side or the network ended it."""
    SILENT = "silent"
    """The connection is accepted, and then nothing is answered."""
    NO_ANSWER = "no_answer"
    """One equipment does not answer; others on the connection may."""
    TOO_SLOW = "too_slow"
    WRONG_ANSWER = "wrong_answer"
    """An answer that belongs to another question, or to another unit."""
    GARBLED = "garbled"
    GATEWAY_NO_PATH = "gateway_no_path"
    GATEWAY_NO_ANSWER = "gateway_no_answer"
    PORT_MISSING = "port_missing"
    """The serial port is not there."""
    PORT_FORBIDDEN = "port_forbidden"
    PORT_BUSY = "port_busy"
    NO_SERIAL_PORT = "no_serial_port"
    NOT_TRUSTED = "not_trusted"
    """The certificate of the other side does not prove who it is."""
    OURS_REFUSED = "ours_refused"
    """The other side does not accept our certificate."""
    LOGIN_REFUSED = "login_refused"
    LOGIN_NOT_OFFERED = "login_not_offered"
    NO_ROOM = "no_room"
    """The other side has no connection, session or subscription left."""
    SECURITY_DEMANDED = "security_demanded"
    SECURITY_NOT_OFFERED = "security_not_offered"
    WRONG_PROTOCOL = "wrong_protocol"
    ENDPOINT_UNKNOWN = "endpoint_unknown"
    STOPPED = "stopped"
    """The server says that it is going down, or has no data now."""
    SESSION_LOST = "session_lost"
    SUBSCRIPTION_LOST = "subscription_lost"
    FILES = "files"
    """A file or folder on this gateway cannot be used."""
    FAULT = "fault"
    """A mistake in the driver."""


def system_text(error: OSError) -> str:
    """What the system calls it; asyncio's own texts of a connection say only that a call failed."""
    number = error.errno or 0
    if number <= 0 or isinstance(error, socket.gaierror | ssl.SSLError):
        return error.strerror or str(error)
    if sys.platform == "win32" and number in socket.errorTab:  # strerror has none of sockets there
        return socket.errorTab[number].rstrip(".")
    return os.strerror(number)
