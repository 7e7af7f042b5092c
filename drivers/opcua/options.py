"""What a user may write for an OPC UA connection."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    FilePath,
    SecretStr,
    WithJsonSchema,
    model_validator,
)

from drivers.opcua.nodes import NodeName
from drivers.opcua.paths import BrowsePath
from edge_agent.model.options import ConnectionOptions, Duration, EquipmentOptions, Options, TagOptions

DEFAULT_PORT = 4840

SecurityName = Literal["strongest", "Aes256_Sha256_RsaPss", "Aes128_Sha256_RsaOaep", "Basic256Sha256", "none"]


def _endpoint(url: str) -> str:
    expected = "expected an endpoint such as opc.tcp://192.168.0.10:4840"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{error}; {expected}") from error
    if parts.scheme != "opc.tcp" or not parts.hostname:
        raise ValueError(expected)
    if parts.username is not None or parts.password is not None:
        raise ValueError("user and password do not belong into the endpoint; use username and password")
    return url if port is not None else parts._replace(netloc=f"{parts.netloc}:{DEFAULT_PORT}").geturl()


def _node(text: str) -> str:
    NodeName.parse(text)
    return text


def _path(text: str) -> str:
    BrowsePath.parse(text)
    return text


def _base(text: str) -> str:
    return _path(text) if text.startswith("/") else _node(text)


def _one_or_several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


PathText = Annotated[str, AfterValidator(_path)]
_Paths = Annotated[
    tuple[PathText, ...],
    BeforeValidator(_one_or_several),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class OpcuaTag(TagOptions):
    """A variable of the server, named by `node` or found along `path`. Its type comes with its value."""

    node: Annotated[str, AfterValidator(_node)] | None = Field(
        default=None,
        description="NodeId; with the namespace's URI (nsu=http://...;s=...) it outlives changes of the "
        "server's namespace array, with an index (ns=2;s=...) it may not",
        examples=["nsu=http://example.com/machine;s=Axis.Load", "ns=2;i=1001"],
    )
    path: _Paths = Field(
        default=(),
        description="In place of node: browse path from the equipment's base, or from the server's root if "
        "it begins with a slash. * stands for any characters, ** for any levels; exactly one variable must "
        "fit. Of several paths the first that leads to something counts",
        examples=["Monitoring/*/FeedOverride", "/Objects/Machines/Lathe/Identification/SerialNumber"],
    )
    field: Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$")] | None = Field(
        default=None,
        description="One element of a structure or array: Position.X, 0, Points.2.Y",
        examples=["Position.X"],
    )
    text: bool = Field(
        default=False, description="Of an enumeration: the text that the server has for it, not the number"
    )
    sampling: Duration | None = Field(
        default=None, description="How often the server looks at the value. Default: once per period"
    )
    queue_size: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="How many values the server keeps while it cannot send them. Default: those of `bridge`",
    )
    deadband: float | None = Field(
        default=None, gt=0, description="The server sends a number only when it changes by more than this"
    )
    deadband_percent: float | None = Field(
        default=None, gt=0, le=100, description="The same, in percent of the range that the server has for it"
    )

    @model_validator(mode="after")
    def _one_deadband(self) -> "OpcuaTag":
        if self.deadband is not None and self.deadband_percent is not None:
            raise ValueError("expected either deadband or deadband_percent")
        return self

    @model_validator(mode="after")
    def _one_place(self) -> "OpcuaTag":
        if (self.node is None) == (not self.path):
            raise ValueError("expected either node or path")
        if len({path.startswith("/") for path in self.path}) > 1:
            raise ValueError("either all paths of a tag begin with a slash or none")
        return self


class OpcuaEquipment(EquipmentOptions):
    """One equipment behind an OPC UA server."""

    base: Annotated[str, AfterValidator(_base)] | None = Field(
        default=None,
        description="Where the paths of its tags begin: a NodeId, or a browse path from the server's root. "
        "Default: the Objects folder",
        examples=["/Objects/Machines/Lathe", "nsu=http://example.com/machine;s=Lathe"],
    )
    tags: tuple[OpcuaTag, ...] = Field(default=(), description="Added to the profile's; same id replaces")


class OpcuaLimits(Options):
    """What the server takes, where it states less than the truth or nothing; the smaller figure counts."""

    items: int | None = Field(default=None, ge=1, description="Monitored items in all; the rest is polled")
    items_per_call: int | None = Field(default=None, ge=1, description="Monitored items per request")
    nodes_per_read: int | None = Field(default=None, ge=1, description="Nodes per read request")


class ServerAccess(Options):
    """Where a server is, how the way to it is protected, and who logs in."""

    endpoint: Annotated[str, AfterValidator(_endpoint)] = Field(
        description="opc.tcp://host:port/path; port 4840 if none is given",
        examples=["opc.tcp://192.168.0.10:4840"],
    )
    timeout: Duration = Field(default=3.0, description="Limit for one answer")
    security: SecurityName = Field(
        default="strongest",
        description="Security policy: the strongest that the server offers, or exactly the one named. none, "
        "which lets anybody read and falsify what travels, is only used where it is written",
    )
    mode: Literal["SignAndEncrypt", "Sign"] | None = Field(
        default=None, description="Default: SignAndEncrypt, or Sign where the server offers no other"
    )
    pki: Path | None = Field(
        default=None,
        description="Folder of the own certificate and those of trusted servers; relative to the "
        "configuration file's folder. Default: pki/opcua in $STATE_DIRECTORY, without that in "
        "~/.local/state/edge-agent",
    )
    username: str | None = Field(default=None, min_length=1, description="Default: anonymous")
    password: SecretStr | None = Field(default=None, description="${ENV} or file: reference")
    plain_password: bool = Field(
        default=False,
        description="Let the password travel readable for anyone if the server demands it so; with "
        "security: none only",
    )
    user_certificate: FilePath | None = Field(
        default=None, description="Certificate to log in with (PEM or DER) in place of username and password"
    )
    user_key: FilePath | None = Field(
        default=None, description="Private key of the user certificate (PEM or DER), not encrypted"
    )

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password are given together or not at all")
        if (self.user_certificate is None) != (self.user_key is None):
            raise ValueError("user_certificate and user_key are given together or not at all")
        if self.username is not None and self.user_certificate is not None:
            raise ValueError("expected either username and password or user_certificate and user_key")
        return self

    @model_validator(mode="after")
    def _fitting_security(self) -> Self:
        if self.plain_password and (self.password is None or self.security != "none"):
            raise ValueError(
                "plain_password says something only with a password and security: none; "
                "with any other security the password is always encrypted"
            )
        if self.mode is not None and self.security == "none":
            raise ValueError("with security: none nothing is signed or encrypted; remove mode or security")
        return self


class OpcuaConnection(ServerAccess, ConnectionOptions):
    """A session with an OPC UA server. `period` is the publishing interval."""

    driver: Literal["opcua"]
    redundant: tuple[Annotated[str, AfterValidator(_endpoint)], ...] = Field(
        default=(), description="Further servers of the same machines, tried in turn when one fails"
    )
    poll: bool = Field(default=False, description="Read all tags once a period; no subscription is made")
    bridge: Duration = Field(
        default=30.0, description="How long an interruption the server is asked to keep values for"
    )
    limits: OpcuaLimits = Field(default=OpcuaLimits(), description="Tighter than the server states them")
    equipment: tuple[OpcuaEquipment, ...] = Field(min_length=1)
