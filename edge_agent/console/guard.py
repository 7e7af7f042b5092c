"""What every request passes before anything answers it: under which name it asks, and who asks."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge_agent.console.answering import problem
from edge_agent.console.sign_in import Identity, SignIn

_HEADERS = {
    b"content-security-policy": (
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        b" base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
}

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""The names under which browsers may ask on the loopback. Who has another one for this computer was led
here by a foreign page that wants to read along."""

OPEN_PATHS = frozenset({"/", "/api/v1/session", "/api/v1/sign-in"})
"""What is needed to sign in, beside the files of the page."""

_IDENTITY = "edge_agent.identity"


def identity_of(request: Request) -> Identity | None:
    """Who asks; None if nobody knows, which only the answers of `OPEN_PATHS` see."""
    found: Identity | None = request.scope[_IDENTITY]
    return found


@dataclass(frozen=True, slots=True)
class Guard:
    """Refuses who asks under a foreign name or has not signed in, and sends the headers that keep the page to
    itself."""

    inner: ASGIApp
    sign_in: SignIn
    on_loopback: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS.items()]
            await send(message)

        if scope["type"] != "http":
            return
        # Beyond the loopback it is the certificate that a foreign name does not fit.
        if self.on_loopback and _host(scope) not in LOOPBACK_NAMES:
            refusal = problem("ask under the name of this computer: 127.0.0.1 or localhost", 403)
            await refusal(scope, receive, with_headers)
            return
        identity = scope[_IDENTITY] = self.sign_in.who(scope)
        if identity is None and not _is_open(scope["path"]):
            refusal = problem("sign in first", 401)
            refusal.headers["WWW-Authenticate"] = "Bearer"
            await refusal(scope, receive, with_headers)
            return
        await self.inner(scope, receive, with_headers)


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith("/static/")


def _host(scope: Scope) -> str:
    """The name under which the browser asked, without its port."""
    named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    host = named[0] if len(named) == 1 else ""
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def who(request: Request) -> str:
    """Whoever asks, for the log."""
    identity = identity_of(request)
    return (identity.user if identity is not None else "") or "somebody"
