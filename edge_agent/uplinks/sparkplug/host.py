"""Whether the primary host is there: what its STATE messages say."""

import asyncio

import msgspec


class _State(msgspec.Struct):
    online: bool
    timestamp: int | float


_DECODER = msgspec.json.Decoder(_State)


class PrimaryHost:
    """What one broker has told of the host. A message that is older than another changes nothing."""

    def __init__(self) -> None:
        self.online = asyncio.Event()
        self.offline = asyncio.Event()
        """It said so; not set as long as nothing has been heard."""
        self._timestamp: int | float | None = None

    def forget(self) -> None:
        """A new connection: what was true on the last one has to be heard again."""
        self.online.clear()
        self.offline.clear()

    def hear(self, payload: bytes) -> None:
        """A message on the host's topic; one that is no STATE message is not heeded."""
        try:
            state = _DECODER.decode(payload)
        except (msgspec.DecodeError, ValueError):
            return
        if self._timestamp is not None and state.timestamp < self._timestamp:
            return
        self._timestamp = state.timestamp
        now, then = (self.online, self.offline) if state.online else (self.offline, self.online)
        now.set()
        then.clear()
