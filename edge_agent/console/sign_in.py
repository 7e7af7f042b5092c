"""Who asks: by a session in a cookie, by the headers of a trusted proxy, or by a program's token."""

import asyncio
import hmac
import ipaddress
import logging
import math
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from starlette.types import Scope

from edge_agent.config.console import ConsoleOptions, ConsoleProxyOptions, Role, SignInOptions
from edge_agent.console.attempts import Attempts
from edge_agent.console.passwords import fits
from edge_agent.console.sessions import Sessions

log = logging.getLogger(__name__)

CSRF_HEADER = "x-csrf-token"
"""What a browser must send with everything that is no GET; the page learns its value from /api/v1/session."""
STREAM_PATH = "/api/v1/live"
BACKGROUND_HEADER = b"x-background"
"""Sent by a page that asks by itself: nobody has done anything."""
USER_FAILURES, USER_EVERY_S = 10, 60.0
ADDRESS_FAILURES, ADDRESS_EVERY_S = 10, 30.0
WAITING_LIMIT = 8
"""Passwords that wait to be checked, which is done one after the other; one more is asked to come back."""
PROXIED_STREAM_S = 300.0
"""A stream through a proxy ends after this, so that the proxy sees who asks for the next."""
_LONGEST_NAME = 128


def _for_ever() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody, or a program, who may ask. `key` is what anti-forgery tokens are made of, empty where none is
    needed as no browser sends anything by itself; `lasts` says whether it is still so."""

    user: str
    role: Role
    key: str
    lasts: Callable[[], bool] = _for_ever


EVERYBODY = Identity("", Role.TECHNICIAN, "everybody")
"""Where nobody needs to sign in: who is on this computer, or was led to it by a tunnel."""
_NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why there is no sign-in. `wait_s`: 0 if it may be tried again at once."""

    reason: str
    wait_s: int = 0


class SignIn:
    """The sign-in of one page."""

    def __init__(self, options: ConsoleOptions, clock: Callable[[], float] = time.monotonic) -> None:
        wanted = options.sign_in or SignInOptions.model_construct()
        self.needed = options.sign_in is not None
        self.secure = options.tls is not None
        self.by_password = bool(wanted.users)
        # Browsers take a cookie of this name over TLS alone, and from no other host.
        self.cookie = "__Host-edge-agent" if self.secure else "edge-agent"
        self._clock = clock
        self._users = {one.name: one for one in wanted.users}
        self._proxy = _Proxy(wanted.proxy) if wanted.proxy is not None else None
        self._token = wanted.token.get_secret_value().encode() if wanted.token is not None else b""
        self._sessions = Sessions(wanted.idle, wanted.longest, clock)
        self._by_user = Attempts(USER_FAILURES, USER_EVERY_S, clock)
        self._by_address = Attempts(ADDRESS_FAILURES, ADDRESS_EVERY_S, clock)
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._forgery_key = secrets.token_bytes(32)

    def who(self, scope: Scope) -> Identity | None:
        """Who asks; None if nobody knows."""
        if not self.needed:
            return EVERYBODY
        headers = scope["headers"]
        token = _bearer(headers)
        if token and self._token and hmac.compare_digest(token, self._token):
            return Identity("token", Role.VIEWER, "")
        if self._proxy is not None and self._proxy.is_at(_address(scope)):
            found = self._proxy.user(headers)
            if found is not None:
                until = self._clock() + PROXIED_STREAM_S
                return Identity(*found, f"proxy {found[0]}", lambda: self._clock() < until)
        return self._by_cookie(scope)

    def _by_cookie(self, scope: Scope) -> Identity | None:
        token = self._session_token(scope["headers"])
        # A browser asks for a stream again by itself whenever the network was away.
        if scope["path"] != STREAM_PATH and _only(scope["headers"], BACKGROUND_HEADER) is None:
            self._sessions.use(token)
        return self.session(token)

    def session(self, token: str) -> Identity | None:
        """Who has signed in and got this token; None if the session has ended."""
        session = self._sessions.find(token)
        if session is None:
            return None
        key = f"session {token}"
        return Identity(session.user, session.role, key, lambda: self._sessions.find(token) is not None)

    def _session_token(self, headers: list[tuple[bytes, bytes]]) -> str:
        """What the browser has of its session; empty if it has none."""
        for name, value in headers:
            if name != b"cookie":
                continue
            try:
                found = SimpleCookie(value.decode("latin-1")).get(self.cookie)
            except CookieError:
                continue
            if found is not None:
                return found.value
        return ""

    def csrf(self, identity: Identity | None) -> str:
        """The anti-forgery token of whoever asks."""
        key = identity.key if identity is not None else _NOBODY
        return hmac.digest(self._forgery_key, key.encode(), "sha256").hex()

    def is_forged(self, identity: Identity | None, given: str) -> bool:
        """Whether a request that is no GET may come from a foreign page that uses somebody's browser."""
        if identity is not None and not identity.key:
            return False
        return not hmac.compare_digest(self.csrf(identity).encode(), given.encode())

    async def begin(self, user: str, password: str, scope: Scope) -> str | Refused:
        """The token of a new session."""
        address = _address(scope)
        keys = ((self._by_user, user), (self._by_address, _whose(address)))
        wait_s = math.ceil(max(attempts.wait_s(key) for attempts, key in keys))
        if wait_s > 0:
            return Refused("too many failures; try again later", wait_s)
        if self._waiting >= WAITING_LIMIT:
            return Refused("too many sign in at once; try again", 1)
        for attempts, key in keys:
            attempts.begun(key)
        known = self._users.get(user)
        # Whether there is such a user makes no difference to how long it takes.
        password_hash = (known or next(iter(self._users.values()))).password.get_secret_value()
        self._waiting += 1
        try:
            async with self._turn:
                right = await asyncio.to_thread(fits, password, password_hash)
        finally:
            self._waiting -= 1
        if known is None or not right:
            # People type passwords into the wrong field: a name that is nobody's is not repeated.
            name = user if known is not None else "an unknown user"
            log.warning("page: sign-in failed for %s from %s", name, address)
            return Refused("user or password is wrong")
        for attempts, key in keys:
            attempts.succeeded(key)
        log.info("page: %s (%s) signed in from %s", user, known.role, address)
        return self._sessions.begin(known.name, known.role)

    def end(self, scope: Scope) -> None:
        token = self._session_token(scope["headers"])
        session = self._sessions.find(token)
        if session is not None:
            self._sessions.end(token)
            log.info("page: %s signed out from %s", session.user, _address(scope))


class _Proxy:
    """Believes what a proxy says of who asks."""

    def __init__(self, options: ConsoleProxyOptions) -> None:
        self._networks = [ipaddress.ip_network(one) for one in options.addresses]
        self._user_header = options.user_header.lower().encode()
        self._groups_header = options.groups_header.lower().encode()
        self._groups: Mapping[str, Role] = options.groups

    def is_at(self, address: str) -> bool:
        try:
            here = ipaddress.ip_address(address)
        except ValueError:
            return False
        if here.version == 6 and here.ipv4_mapped is not None:
            here = here.ipv4_mapped
        return any(here in network for network in self._networks)

    def user(self, headers: list[tuple[bytes, bytes]]) -> tuple[str, Role] | None:
        """Name and role; None if the proxy names nobody, or somebody in no group that may."""
        user = _only(headers, self._user_header) or ""
        groups = _only(headers, self._groups_header) or ""
        if not user or len(user) > _LONGEST_NAME or not user.isprintable():
            return None
        roles = {self._groups[one.strip()] for one in groups.split(",") if one.strip() in self._groups}
        if not roles:
            return None
        return user, Role.TECHNICIAN if Role.TECHNICIAN in roles else Role.VIEWER


def _only(headers: list[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The value of a header that is there once: of two, nobody knows who has written which."""
    found = [value for given, value in headers if given == name]
    return found[0].decode("utf-8", "replace") if len(found) == 1 else None


def _bearer(headers: list[tuple[bytes, bytes]]) -> bytes:
    found = [value for name, value in headers if name == b"authorization"]
    scheme, _, token = found[0].partition(b" ") if len(found) == 1 else (b"", b"", b"")
    return token.strip() if scheme.lower() == b"bearer" else b""


def _address(scope: Scope) -> str:
    """Where the connection comes from."""
    client = scope.get("client")
    return client[0] if client else ""


def _whose(address: str) -> str:
    """Who has one IPv6 address has as many as there are in its /64."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((known, 64), strict=False)) if known.version == 6 else address
