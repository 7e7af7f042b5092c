"""What is said of an error of the system."""

import errno
import socket
import ssl

import pytest

from edge_agent.model.failure import system_text


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 502)"), "Connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "wrong version number"),
        (OSError("no number"), "no number"),
    ],
)
def test_it_says_what_is_wrong(error: OSError, says: str) -> None:
    assert says in system_text(error)
