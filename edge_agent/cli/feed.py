"""News of a running agent over its page's REST interface, read in a thread."""

import http.client
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from edge_agent.console.views import ConnectionView, Overview

TIMEOUT_S = 5.0
"""News come every 0.8 s."""
AGAIN_S = 2.0
CONNECTIONS_EVERY_S = 1.5
LONGEST_BYTES = 64_000_000

T = TypeVar("T")


class NoNewsError(Exception):
    """The agent's page cannot be read; the message says why and what to do, for people."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where the page is, and how to get in."""

    url: str
    token: str = ""
    ca: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError."""
        try:
            parts = urlsplit(self.url)
            right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # a port that is no number
            right = False
        if not right:
            raise ValueError("expected an address such as http://127.0.0.1:8080")

    def connect(self) -> http.client.HTTPConnection:
        """Past any proxy that the environment names. Raises OSError."""
        parts = urlsplit(self.url)
        host = str(parts.hostname)
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT_S)
        context = ssl.create_default_context(cafile=self.ca)
        return http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT_S, context=context)

    def ask(self, connection: http.client.HTTPConnection, path: str) -> http.client.HTTPResponse:
        """The answer below /api/v1. Raises NoNewsError, OSError, HTTPException."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        connection.request("GET", f"{urlsplit(self.url).path.rstrip('/')}/api/v1/{path}", headers=headers)
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            raise NoNewsError(self._refusal(response.status))
        return response

    def read(self, path: str, wanted: type[T]) -> T:
        """Raises NoNewsError."""
        try:
            with closing(self.connect()) as connection:
                return msgspec.json.decode(self.ask(connection, path).read(LONGEST_BYTES), type=wanted)
        except (OSError, http.client.HTTPException, msgspec.MsgspecError) as error:
            raise NoNewsError(self.explained(error)) from error

    def explained(self, error: Exception) -> str:
        """Why the page cannot be read, and what to do."""
        match error:
            case ConnectionRefusedError():
                return (
                    f"{self.url}: 没有服务在监听：代理在运行吗？配置里有 console 吗？\n"
                    "nothing listens there: does the agent run, and is `console` in its configuration?"
                )
            case ssl.SSLCertVerificationError():
                return (
                    f"{self.url}: 证书不可信，用 --ca 给出签发它的证书\n"
                    f"the certificate is not trusted, give its authority with --ca: {error.verify_message}"
                )
            case ssl.SSLError() | http.client.BadStatusLine():
                return (
                    f"{self.url}: 不是这种协议（http 还是 https？）\n"
                    f"another protocol (http or https?): {error}"
                )
            case TimeoutError():
                return f"{self.url}: 没有应答\ndoes not answer in time"
            case msgspec.MsgspecError():
                return (
                    f"{self.url}: 应答不是本程序的，或版本不同\n"
                    f"is no page of an agent, or one of another version: {error}"
                )
            case _:
                return f"{self.url}: 连不上\ncannot be reached: {error}"

    def _refusal(self, status: int) -> str:
        if status == http.HTTPStatus.UNAUTHORIZED:
            return (
                f"{self.url}: 需要登录，用 --token 给出令牌（console.sign_in.token）\n"
                "asks for a sign-in: give the token of console.sign_in.token with --token"
            )
        if status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            return f"{self.url}: 正在查看的人太多，稍后再试\ntoo many follow already; try again later"
        return f"{self.url}: 拒绝（HTTP {status}）\nrefuses with HTTP {status}"


class Feed:
    """The newest of what a page tells, kept up to date in the background."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self.overview: Overview | None = None
        self.connections: Sequence[ConnectionView] = ()
        self.heard_at = 0.0
        """Monotonic time of the newest news."""
        self.trouble = ""
        """Why there are none; empty while they come."""

    def start(self) -> None:
        """Read once, then go on in the background. Raises NoNewsError."""
        self.take(self._access.read("overview", Overview))
        self.connections = self._access.read("connections", list[ConnectionView])
        self._thread.start()

    def take(self, overview: Overview) -> None:
        self.overview, self.heard_at, self.trouble = overview, time.monotonic(), ""

    def _run(self) -> None:
        while True:
            try:
                with closing(self._access.connect()) as connection:
                    self._follow(self._access.ask(connection, "live"))
                self.trouble = ""  # the stream ended in good order: ask for the next
            except NoNewsError as error:
                self.trouble = str(error)
            except (OSError, http.client.HTTPException, msgspec.MsgspecError) as error:
                self.trouble = self._access.explained(error)
            time.sleep(AGAIN_S)

    def _follow(self, stream: Any) -> None:
        """Take news until the stream ends."""
        asked_at = time.monotonic()
        while line := stream.readline(LONGEST_BYTES):
            if line.startswith(b"data: "):
                self.take(msgspec.json.decode(line[6:], type=Overview))
            if time.monotonic() - asked_at >= CONNECTIONS_EVERY_S:
                self.connections = self._access.read("connections", list[ConnectionView])
                asked_at = time.monotonic()
