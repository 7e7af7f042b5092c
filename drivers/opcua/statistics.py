"""What a server's services did, as plain figures."""

import time
from collections import Counter
from collections.abc import Awaitable, Iterator
from typing import Any, TypeVar

from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError

from drivers.opcua.values import status_name
from edge_agent.driver import ANSWERS, REQUESTS, RESPONSE_P99, Diagnostic, Responses
from edge_agent.model.response_times import ResponseTimes

R = TypeVar("R")

READ, OTHER, PUBLISH, KEEP_ALIVE = "read", "other", "publish", "keep_alive"


class ServiceStatistics:
    """Counts since the driver was made, over all its sessions.

    Publish requests wait at the server until there is something to say, so they are no part of `requests`,
    and their times tell how long that was.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.answers = 0
        self.timeouts = 0
        self.errors: Counter[str] = Counter()
        """Requests that the server refused, by the status; `connection_lost` where there was no answer."""
        self.times = {kind: ResponseTimes() for kind in (READ, OTHER, PUBLISH, KEEP_ALIVE)}

    async def timed(self, request: Any, answer: Awaitable[R]) -> R:
        """Wait for the answer and note how long it took."""
        began = time.monotonic()
        try:
            got = await answer
        except UaStatusCodeError as error:
            self.requests += 1
            self.errors[status_name(int(error.code))] += 1
            raise
        except TimeoutError:
            self.requests += 1
            self.timeouts += 1
            raise
        except OSError:
            self.requests += 1
            self.errors["connection_lost"] += 1
            raise
        self.requests += 1
        self.answers += 1
        kind = READ if isinstance(request, ua.ReadRequest) else OTHER
        self.times[kind].add(time.monotonic() - began)
        return got

    def published(self, seconds: float, *, keep_alive: bool) -> None:
        """A publish request was answered after `seconds`."""
        self.times[KEEP_ALIVE if keep_alive else PUBLISH].add(seconds)

    def diagnostics(self, *, polled: bool) -> Iterator[Diagnostic]:
        """`polled`: the server is asked once a period, so that its answers have to come well within one."""
        yield Diagnostic("", REQUESTS, self.requests)
        yield Diagnostic("", ANSWERS, self.answers)
        yield Diagnostic("", "timeouts", self.timeouts)
        for name, share in (("response_p50", 0.5), (RESPONSE_P99, 0.99)) if polled else ():
            seconds = self.times[READ].quantile(share)
            if seconds is not None:
                yield Diagnostic("", name, 1000 * seconds, "ms")
        for name in sorted(self.errors):
            yield Diagnostic("", name, self.errors[name])

    def responses(self) -> list[Responses]:
        return [Responses("", kind, times) for kind, times in self.times.items() if times.count]
