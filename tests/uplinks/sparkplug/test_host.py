"""What a STATE message says of the primary host."""

import asyncio
import json

from edge_agent.uplinks.sparkplug.host import PrimaryHost


def state(online: bool, timestamp: float) -> bytes:
    return json.dumps({"online": online, "timestamp": timestamp}).encode()


def heard(*messages: bytes) -> PrimaryHost:
    async def main() -> PrimaryHost:
        host = PrimaryHost()
        for message in messages:
            host.hear(message)
        return host

    return asyncio.run(main())


def test_nothing_is_known_before_a_message() -> None:
    host = heard()
    assert not host.online.is_set()
    assert not host.offline.is_set()


def test_the_newest_message_holds() -> None:
    assert heard(state(False, 5), state(True, 5)).online.is_set()
    host = heard(state(True, 5), state(False, 6))
    assert host.offline.is_set()
    assert not host.online.is_set()


def test_an_older_message_is_not_heeded() -> None:
    host = heard(state(True, 5), state(False, 4))
    assert host.online.is_set()
    assert not host.offline.is_set()


def test_what_is_no_state_message_is_not_heeded() -> None:
    for other in (b"", b"ONLINE", b"{}", b'{"online": "yes", "timestamp": 9}', b'{"online": false}', b"\xff"):
        assert heard(state(True, 5), other).online.is_set(), other


def test_a_new_connection_has_to_hear_it_again_and_keeps_the_time() -> None:
    host = heard(state(True, 5))
    host.forget()
    assert not host.online.is_set()
    host.hear(state(True, 4))
    assert not host.online.is_set()
    host.hear(state(True, 5))
    assert host.online.is_set()
