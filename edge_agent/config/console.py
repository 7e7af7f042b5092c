"""What a user writes for the agent's own page: where it listens, and who may see it."""

import ipaddress
import re
import ssl
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, FilePath, SecretStr, model_validator

from edge_agent.model.options import Duration, Options

MOST_KIB = 262_144
"""What checking one password may take of a gateway's memory."""
_HASH = re.compile(
    r"\$argon2id\$v=19\$m=(\d{1,9}),t=(\d{1,2}),p=(\d{1,2})\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}"
)
_HEADER = re.compile(r"[A-Za-z0-9-]+")


class Role(StrEnum):
    """What somebody may do on the page: a viewer looks; a technician may also try things out."""

    VIEWER = "viewer"
    TECHNICIAN = "technician"

    def may(self, wanted: "Role") -> bool:
        """Whether what asks for `wanted` is open to this role."""
        return self is wanted or self is Role.TECHNICIAN


def _address_and_port(value: str) -> str:
    host, _, port = value.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        address = None
    is_port = port.isascii() and port.isdigit() and 0 < int(port) < 65536
    if address is None or not is_port or (address.version == 6) != host.startswith("["):
        raise ValueError("expected an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080")
    return value


def _hashed(value: SecretStr) -> SecretStr:
    found = _HASH.fullmatch(value.get_secret_value())
    if found is None:
        raise ValueError(
            "expected a password's hash, as `edge-agent console password` makes it, not the password itself"
        )
    if int(found[1]) > MOST_KIB:
        raise ValueError("expected a hash whose check takes at most 256 MiB")
    return value


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise ValueError("expected the name of an HTTP header, such as X-Forwarded-User")
    return value


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        raise ValueError("expected an IP address or a network, such as 127.0.0.1 or 10.1.2.0/24") from None
    return value


def _some_group(value: Mapping[str, Role]) -> Mapping[str, Role]:
    if not value:
        raise ValueError("expected at least one group with its role: nobody else is let in")
    return value


class ConsoleTlsOptions(Options):
    """The certificate that the page shows to browsers."""

    certificate: FilePath = Field(
        description="The page's certificate, followed by those between it and its authority (PEM)"
    )
    key: FilePath = Field(description="Its private key (PEM), without a password")

    @model_validator(mode="after")
    def _belong_together(self) -> "ConsoleTlsOptions":
        try:
            self.context()
        except (ssl.SSLError, OSError, ValueError):
            raise ValueError(
                "expected a certificate and the private key that belongs to it, both PEM and readable, the"
                " key without a password"
            ) from None
        return self

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or newer with this certificate. Raises SSLError, OSError, ValueError."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.show(context)
        return context

    def show(self, context: ssl.SSLContext) -> None:
        """Let connections that come from now on see what stands in the files now. Raises as `context`."""
        # Without a password of its own, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(self.certificate, self.key, password="")


class ConsoleUserOptions(Options):
    """Somebody who signs in with a password."""

    name: str = Field(pattern=r"^[^\s\x00-\x1f\x7f]{1,64}$")
    role: Role = Field(default=Role.VIEWER, description="A technician may also validate and test")
    password: Annotated[SecretStr, AfterValidator(_hashed)] = Field(
        description="Its hash, from `edge-agent console password`; may be file:PATH"
    )


class ConsoleProxyOptions(Options):
    """A proxy that has people sign in, and says in headers who they are."""

    addresses: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        min_length=1, description="Where it asks from; headers from elsewhere count for nothing"
    )
    user_header: Annotated[str, AfterValidator(_header)] = "X-Forwarded-User"
    groups_header: Annotated[str, AfterValidator(_header)] = Field(
        default="X-Forwarded-Groups", description="Names divided by commas"
    )
    groups: Annotated[Mapping[str, Role], AfterValidator(_some_group)] = Field(
        description="The role of each group; who is in none of them is refused"
    )


class SignInOptions(Options):
    """Who may see the page."""

    users: tuple[ConsoleUserOptions, ...] = ()
    proxy: ConsoleProxyOptions | None = Field(
        default=None, description="Sign-in by a proxy, such as one for OIDC"
    )
    token: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="For programs that read, such as Prometheus: Authorization: Bearer; file:PATH or ${ENV}",
    )
    idle: Duration = Field(default=1800.0, description="Who does nothing for so long is signed out")
    longest: Duration = Field(default=43200.0, description="How long a sign-in lasts, whatever is done")

    @model_validator(mode="after")
    def _somebody(self) -> "SignInOptions":
        if not self.users and self.proxy is None:
            raise ValueError("expected users, or a proxy, or both: nobody else could sign in")
        names = [one.name for one in self.users]
        if len(set(names)) != len(names):
            raise ValueError("expected each user once")
        return self


class ConsoleOptions(Options):
    """The agent's own page, its REST interface and /metrics. `console: {}` switches them on."""

    listen: Annotated[str, AfterValidator(_address_and_port)] = Field(
        default="127.0.0.1:8080",
        description="Where it is served: an IP address and a port; beyond the loopback needs tls and sign_in",
    )
    tls: ConsoleTlsOptions | None = Field(default=None, description="Default: none, plain HTTP")
    sign_in: SignInOptions | None = Field(
        default=None, description="Default: none, everybody who reaches it sees everything"
    )

    @model_validator(mode="after")
    def _safe_beyond_the_loopback(self) -> "ConsoleOptions":
        missing = [name for name, given in (("tls", self.tls), ("sign_in", self.sign_in)) if given is None]
        if missing and not self.on_loopback:
            raise ValueError(
                f"{self.listen} is reached from other computers, which takes tls and sign_in; missing:"
                f" {', '.join(missing)}. Without them listen on 127.0.0.1, and look through an SSH tunnel"
            )
        return self

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])

    @property
    def on_loopback(self) -> bool:
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def url(self) -> str:
        return f"{'https' if self.tls is not None else 'http'}://{self.listen}"
