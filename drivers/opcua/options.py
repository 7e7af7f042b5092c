"""What a user may write for an OPC UA connection."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from drivers.opcua.nodes import NodeName
from edge_agent.model.options import ConnectionOptions, Duration, EquipmentOptions, TagOptions

DEFAULT_PORT = 4840


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


class OpcuaTag(TagOptions):
    """A variable of the server. Its type comes with its value."""

    node: Annotated[str, AfterValidator(_node)] = Field(
        description="NodeId; with the namespace's URI (nsu=http://...;s=...) it outlives changes of the "
        "server's namespace array, with an index (ns=2;s=...) it may not",
        examples=["nsu=http://example.com/machine;s=Axis.Load", "ns=2;i=1001"],
    )
    sampling: Duration | None = Field(
        default=None, description="How often the server looks at the value. Default: once per period"
    )
    queue_size: int = Field(
        default=10, ge=1, le=10_000, description="How many values the server keeps between two publishes"
    )


class OpcuaEquipment(EquipmentOptions):
    """One equipment behind an OPC UA server."""

    tags: tuple[OpcuaTag, ...] = Field(default=(), description="Added to the profile's; same id replaces")


class OpcuaConnection(ConnectionOptions):
    """A session with an OPC UA server, without message security. `period` is the publishing interval."""

    driver: Literal["opcua"]
    endpoint: Annotated[str, AfterValidator(_endpoint)] = Field(
        description="opc.tcp://host:port/path; port 4840 if none is given",
        examples=["opc.tcp://192.168.0.10:4840"],
    )
    username: str | None = Field(default=None, min_length=1, description="Default: anonymous")
    password: SecretStr | None = Field(default=None, description="${ENV} or file: reference")
    plain_password: bool = Field(
        default=False, description="Let the password travel readable for anyone if the server demands it so"
    )
    equipment: tuple[OpcuaEquipment, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _user_and_password(self) -> "OpcuaConnection":
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password are given together or not at all")
        if self.plain_password and self.password is None:
            raise ValueError("plain_password says something only where a password is given")
        return self
