"""What a user writes, section by section."""

import operator
import string
from collections.abc import Mapping
from functools import cache, reduce
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    DirectoryPath,
    Field,
    FilePath,
    SecretStr,
    WithJsonSchema,
    create_model,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import WithDefaultSchema

from edge_agent.config.console import ConsoleOptions
from edge_agent.config.identity import credit_code, region_code
from edge_agent.config.sharing import SharingOptions
from edge_agent.driver import AnyDriver, driver_names, load_driver
from edge_agent.indicators.calendar_options import CalendarOptions
from edge_agent.indicators.policies import Baseline
from edge_agent.model.options import (
    ConnectionOptions,
    Duration,
    EquipmentId,
    Options,
    Rate,
    Size,
    StateRule,
    TagOptions,
)

Carried = Literal[
    "readings", "states", "statements", "assets", "events", "register", "accounts", "capacity", "settlements"
]
"""What an uplink may carry."""

Audience = Literal["region", "plant"]
"""Who listens at the other end: others, or the works itself."""

CARRIED_TO_REGION: tuple[Carried, ...] = (
    "states", "statements", "events", "register", "accounts", "capacity",
)  # fmt: skip
CARRIED_WITHIN: tuple[Carried, ...] = ("readings", "assets", *CARRIED_TO_REGION)
"""All but what concerns single tenants."""

SparkplugCarried = Literal["readings", "states", "statements"]
"""What of it there are Sparkplug metrics for."""

InfluxdbCarried = Literal["readings", "states", "statements", "events", "register", "accounts"]
"""What of it there are points for."""

INFLUXDB_CARRIED: tuple[InfluxdbCarried, ...] = get_args(InfluxdbCarried)

DEFAULT_CALENDAR = "default"

T = TypeVar("T")

ROOT_NAMES = ("region", "enterprise", "gateway")
"""What may stand in braces in the root of the topics."""

DEFAULT_ROOT = "fta/v1/{region}/{enterprise}/{gateway}"


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("expected a time zone, such as Asia/Shanghai") from None
    return value


class GatewayOptions(Options):
    """Who this gateway is to the region."""

    id: EquipmentId
    region: Annotated[
        str, AfterValidator(region_code), WithJsonSchema({"type": "string", "pattern": "^[0-9]{6}$"})
    ] = Field(description="Administrative division code, 6 digits (GB/T 2260)")
    enterprise: Annotated[
        str,
        AfterValidator(credit_code),
        WithJsonSchema({"type": "string", "pattern": "^[0-9A-HJ-NP-RTUW-Y]{18}$"}),
    ] = Field(description="Unified social credit code, 18 characters with check digit (GB 32100-2015)")
    name: str = Field(default="", description="Free text, for people")
    timezone: Annotated[str, AfterValidator(_timezone)] = Field(
        default="Asia/Shanghai", description="Whose hours, days and shifts they are (IANA name)"
    )
    headcount: int | None = Field(
        default=None, ge=0, description="Employees of the site: the denominator of robot density"
    )


class TlsOptions(Options):
    """Encryption with verification of the server. `tls: {}` trusts the system's authorities."""

    ca: FilePath | None = Field(default=None, description="Certificates of the trusted authorities (PEM)")
    certificate: FilePath | None = Field(default=None, description="Client certificate (PEM); needs key")
    key: FilePath | None = Field(default=None, description="Private key of the client certificate (PEM)")
    enrolled: bool = Field(
        default=False,
        description="Client certificate from the region, which the agent keeps and renews: edge-agent enrol",
    )
    alpn: tuple[str, ...] = Field(
        default=(), description="Protocol names that a port shared with others wants to hear, such as mqtt"
    )

    @model_validator(mode="after")
    def _certificate_with_key(self) -> "TlsOptions":
        if (self.certificate is None) != (self.key is None):
            missing = "key" if self.key is None else "certificate"
            raise ValueError(f"certificate and key belong together; {missing} is missing")
        return self

    @model_validator(mode="after")
    def _one_certificate(self) -> "TlsOptions":
        if self.enrolled and self.certificate is not None:
            raise ValueError(
                "enrolled keeps a certificate of its own; expected it without certificate and key"
            )
        return self


def _root(value: str) -> str:
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(value) if name is not None]
    except ValueError as error:
        raise ValueError(f"expected braces in pairs: {error}") from None
    for name in names:
        if name not in ROOT_NAMES:
            raise ValueError(f"expected {{region}}, {{enterprise}} or {{gateway}} in braces, not {{{name}}}")
    if not all(level and not set(level) & set("+#\0") for level in value.split("/")):
        raise ValueError("expected topic levels divided by single slashes, without + and #")
    if value.startswith("$"):
        raise ValueError("expected a topic that does not begin with $, which brokers keep for themselves")
    return value


def _each_once(value: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(value)) != len(value):
        raise ValueError("expected each kind once")
    return value


def _with_states(value: tuple[T, ...]) -> tuple[T, ...]:
    if "states" not in value:
        raise ValueError("expected states among them, which say when a device is born and dies")
    return _each_once(value)


def _sparkplug_id(value: str) -> str:
    if not value or set(value) & set("+#/\0"):
        raise ValueError("expected a name without / + and #, as it is one level of a topic")
    return value


SparkplugId = Annotated[str, AfterValidator(_sparkplug_id)]


def _carried_by_default(fields: dict[str, Any]) -> tuple[Carried, ...]:
    return CARRIED_WITHIN if fields.get("audience") == "plant" else CARRIED_TO_REGION


def _default_port(fields: dict[str, Any]) -> int:
    plain, encrypted = (1883, 8883) if fields.get("path") is None else (80, 443)
    return plain if fields.get("tls") is None else encrypted


def _path(value: str) -> str:
    if not value.startswith("/") or not value.isascii() or " " in value:
        raise ValueError("expected a path that begins with a slash, such as /mqtt")
    return value


class ProxyOptions(Options):
    """What lets connections out where nothing else does."""

    type: Literal["socks5", "http"] = Field(description="http: by its method CONNECT")
    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=65535)
    username: str | None = None
    password: SecretStr | None = Field(default=None, description="${ENV}, or file:PATH")


class BrokerOptions(Options):
    """Another broker of the same platform."""

    host: str = Field(min_length=1)
    port: int | None = Field(default=None, ge=1, le=65535, description="Default: that of the uplink")


class UplinkOptions(Options):
    """A broker, and the way to it: the base of every uplink over MQTT."""

    id: EquipmentId
    type: str
    host: str = Field(min_length=1)
    tls: TlsOptions | None = Field(default=None, description="Default: none, plain TCP")
    path: Annotated[str, AfterValidator(_path)] | None = Field(
        default=None, description="MQTT over WebSocket at this path, such as /mqtt; default: MQTT alone"
    )
    port: int = Field(
        default_factory=_default_port,
        ge=1,
        le=65535,
        description="Default: 8883 with tls, 1883 without; 443 and 80 over WebSocket",
    )
    proxy: ProxyOptions | None = None
    fallback: tuple[BrokerOptions, ...] = Field(
        default=(), description="Brokers to turn to, in this order, while those before cannot be had"
    )
    version: Literal["5", "3.1.1"] = Field(default="5", description="MQTT version")
    client_id: str = Field(default="", max_length=128, description="Default: the gateway's id")
    username: str | None = None
    password: SecretStr | None = Field(default=None, description="${ENV}, or file:PATH")

    @model_validator(mode="after")
    def _password_with_username(self) -> Self:
        if self.password is not None and self.username is None:
            raise ValueError("a password needs a username; username is missing")
        return self


class MqttUplinkOptions(UplinkOptions):
    """A broker that gets JSON over MQTT."""

    type: Literal["mqtt"]
    root: Annotated[str, AfterValidator(_root)] = Field(
        default=DEFAULT_ROOT, description="What every topic begins with"
    )
    audience: Audience = Field(
        default="region",
        description="Who listens: plant, the works itself, is told everything; region, others, neither"
        " readings nor texts of machines",
    )
    carries: Annotated[tuple[Carried, ...], AfterValidator(_each_once)] = Field(
        default_factory=_carried_by_default,
        min_length=1,
        description="Default: everything but settlements; to a region neither readings nor assets",
    )
    expiry: dict[Carried, Duration] = Field(
        default_factory=dict,
        description="MQTT 5: how long the broker keeps such messages for a receiver that is away",
    )
    replay: bool = Field(
        default=True,
        description="Send again what the platform asks for; false for a broker that closes the connection"
        " of who subscribes",
    )
    rate: Rate | None = Field(
        default=None,
        description="What messages may take of a narrow line; default: as fast as the broker takes them",
    )
    compression: Literal["none", "zlib"] = Field(
        default="none", description="zlib: messages that get smaller by it; receivers have to undo it"
    )
    gather: Duration | None = Field(
        default=None,
        description="How long readings wait for others, to travel as one message; default: each batch alone",
    )

    @model_validator(mode="after")
    def _readings_stay_within(self) -> "MqttUplinkOptions":
        if self.audience == "region" and "readings" in self.carries:
            raise ValueError("carries names readings, which only audience: plant gets")
        return self

    @model_validator(mode="after")
    def _expiry_needs_5(self) -> "MqttUplinkOptions":
        if self.expiry and self.version != "5":
            raise ValueError("expiry needs MQTT 5; version 3.1.1 cannot tell the broker")
        return self


class SparkplugUplinkOptions(UplinkOptions):
    """A broker that gets Sparkplug B: the gateway is an edge node, each equipment a device."""

    type: Literal["sparkplug"]
    group: SparkplugId = Field(description="Group ID, the second level of every topic")
    node: SparkplugId | None = Field(default=None, description="Edge Node ID; default: the gateway's id")
    primary_host: SparkplugId | None = Field(
        default=None,
        description="Host ID of the application without which nothing is sent; default: none",
    )
    carries: Annotated[tuple[SparkplugCarried, ...], AfterValidator(_with_states)] = Field(
        default=("readings", "states", "statements"),
        description="states always: they say when a device is born and dies",
    )


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("expected an address such as https://influx.works.lan:8086")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a user or password in the address; that is what username and password are for")
    return value.rstrip("/")


class DatabaseTlsOptions(Options):
    """By whom the database's certificate is signed, if not by an authority that the system trusts."""

    ca: FilePath | None = Field(default=None, description="Certificates of the trusted authorities (PEM)")


class InfluxdbUplinkOptions(Options):
    """An InfluxDB of the plant: `bucket` and `org` for 2.x, `database` for 1.8 and 3.x."""

    id: EquipmentId
    type: Literal["influxdb"]
    url: Annotated[str, AfterValidator(_web_address)] = Field(
        description="Where the database listens: http(s)://HOST:PORT, with a path where a proxy wants one"
    )
    tls: DatabaseTlsOptions = Field(
        default_factory=DatabaseTlsOptions, description="Default: what the system trusts; https alone"
    )
    org: str = Field(default="", description="InfluxDB 2.x: the organization")
    bucket: str = Field(default="", description="InfluxDB 2.x: where points are written")
    database: str = Field(default="", description="InfluxDB 1.8 and 3.x: where points are written")
    retention_policy: str = Field(default="", description="InfluxDB 1.8; default: the database's own")
    token: SecretStr | None = Field(default=None, description="2.x and 3.x: ${ENV}, or file:PATH")
    username: str | None = Field(default=None, description="InfluxDB 1.8")
    password: SecretStr | None = Field(default=None, description="InfluxDB 1.8: ${ENV}, or file:PATH")
    carries: Annotated[tuple[InfluxdbCarried, ...], AfterValidator(_each_once)] = Field(
        default=INFLUXDB_CARRIED, min_length=1, description="Default: everything that there are points for"
    )
    lines: int = Field(default=5000, ge=1, le=100_000, description="Points written at once, at most")
    gather: Duration = Field(default=1.0, description="How long points gather before they are written")
    timeout: Duration = Field(default=10.0, description="Limit for one answer of the database")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.bucket) == bool(self.database):
            raise ValueError("either bucket and org (InfluxDB 2.x) or database (1.8 and 3.x) is needed")
        if bool(self.bucket) != bool(self.org):
            raise ValueError("bucket and org belong together")
        if self.retention_policy and not self.database:
            raise ValueError("a retention_policy is one of a database of InfluxDB 1.8; database is missing")
        if (self.username is None) != (self.password is None):
            missing = "password" if self.password is None else "username"
            raise ValueError(f"username and password belong together; {missing} is missing")
        if self.token is not None and self.username is not None:
            raise ValueError("token, or username and password, but not both")
        return self


AnyUplinkOptions: TypeAlias = Annotated[
    MqttUplinkOptions | SparkplugUplinkOptions | InfluxdbUplinkOptions, Field(discriminator="type")
]


class IndicatorOptions(Options):
    """Which figures are worked out, and how often."""

    every: Duration = Field(default=60.0, description="How often the figures of the moment are made")
    definitions: tuple[str, ...] | None = Field(
        default=None, description="Ids of definitions; default: all shipped ones and all of definitions_dir"
    )
    definitions_dir: DirectoryPath | None = Field(
        default=None, description="Folder with definitions of the plant's own, *.yaml"
    )
    policies_dir: DirectoryPath | None = Field(
        default=None, description="Folder with policy targets of the plant's own, *.yaml"
    )
    baselines: tuple[Baseline, ...] = Field(
        default=(), description="What indicators were before: targets that ask for a change are judged by it"
    )


class StateOptions(Options):
    """How machine states are kept."""

    stale_after: float = Field(
        default=3.0, ge=1, description="Periods without a reading until an equipment is unknown (stale)"
    )


def _not_too_small(value: int) -> int:
    if value < 10_000_000:
        raise ValueError("expected at least 10MB")
    return value


class KeepOptions(Options):
    """How long what could not be delivered is kept at least, by class; what is not named here, for ever."""

    readings: Duration = 7 * 86_400.0
    states: Duration = 90 * 86_400.0
    events: Duration = 90 * 86_400.0
    capacity: Duration = 7 * 86_400.0


class JournalOptions(Options):
    """How much waits on the disk for the uplinks."""

    max_size: Annotated[Size, AfterValidator(_not_too_small)] = Field(
        default=10**9, description="Beyond it the oldest readings go, then states and events"
    )
    keep: KeepOptions = Field(default_factory=KeepOptions)
    keep_delivered: Duration = Field(
        default=3600.0, description="How long what was delivered is kept for a receiver that asks again"
    )
    key_file: Path | None = Field(
        default=None, description="File with the key that the journal is encrypted with; default: it is not"
    )


class Profile(Options):
    """A reusable tag list and state rule for one controller model."""

    driver: str
    description: str = ""
    tags: tuple[TagOptions, ...] = Field(min_length=1)
    states: tuple[StateRule, ...] = ()


ProfileName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,63})?$")
]
"""Shipped profiles have the driver's name and a slash before theirs."""


class Configuration(Options):
    """The whole configuration, before registers and profiles are looked up."""

    gateway: GatewayOptions
    data_dir: Path = Field(
        default=Path("data"), description="Journal and history; relative to the configuration file's folder"
    )
    register_file: FilePath = Field(
        alias="register",
        description="Asset register, CSV, XLSX or YAML; relative to the configuration file's folder",
    )
    processes_file: FilePath | None = Field(
        default=None,
        alias="processes",
        description="Processes, CSV, XLSX or YAML; default: those in the register's own file",
    )
    profiles: dict[ProfileName, Profile] = Field(default_factory=dict)
    connections: tuple[ConnectionOptions, ...] = ()
    uplinks: tuple[AnyUplinkOptions, ...] = ()
    indicators: IndicatorOptions = Field(default_factory=IndicatorOptions)
    states: StateOptions = Field(default_factory=StateOptions)
    journal: JournalOptions = Field(default_factory=JournalOptions)
    calendars: dict[EquipmentId, CalendarOptions] = Field(
        default_factory=dict,
        description=f"Planned calendars by name; {DEFAULT_CALENDAR} is that of equipment which names none",
    )
    sharing: SharingOptions | None = Field(default=None, description="Machines that tenants share")
    console: ConsoleOptions | None = Field(default=None, description="The agent's own page; default: none")
    follow_files: bool = Field(
        default=False, description="Take over changes of these files by itself; else on SIGHUP"
    )


def configuration_model(drivers: Mapping[str, type[AnyDriver]]) -> type[Configuration]:
    """The configuration's model in which connections and profiles are those of `drivers`, by name."""
    return _model_of(tuple(drivers.items())) if drivers else Configuration


@cache
def _model_of(drivers: tuple[tuple[str, type[AnyDriver]], ...]) -> type[Configuration]:
    """Kept, as a model is some MB, and a configuration that is read again has the same drivers."""
    profiles = [_profile_model(name, driver) for name, driver in drivers]
    connections = [driver.Connection for _, driver in drivers]
    fields: dict[str, Any] = {
        "profiles": (dict[ProfileName, _one_of(profiles)], Field(default_factory=dict)),  # type: ignore[misc]  # made at run time
        "connections": (tuple[_one_of(connections), ...], ()),  # type: ignore[misc]  # made at run time
    }
    return create_model("Configuration", __base__=Configuration, **fields)


def configuration_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of the configuration with all installed drivers."""
    model = configuration_model({name: load_driver(name) for name in driver_names()})
    return {"$schema": _AsWritten.schema_dialect, **model.model_json_schema(schema_generator=_AsWritten)}


class _AsWritten(GenerateJsonSchema):
    """Shows the default of a duration or a size as a user writes it."""

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        shown = super().default_schema(schema)
        default = shown.get("default")
        if shown.get("type") == "string" and isinstance(default, float):
            shown["default"] = _duration_text(default)
        elif shown.get("type") == "string" and isinstance(default, int):
            shown["default"] = f"{default // 10**6}MB"
        return shown


def _duration_text(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3600)):
        if seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"


def _profile_model(name: str, driver: type[AnyDriver]) -> type[Profile]:
    tag: Any = driver.Tag
    fields: dict[str, Any] = {
        "driver": (Literal[name], ...),
        "tags": (tuple[tag, ...], Field(min_length=1)),
    }
    return create_model(f"{driver.__name__}Profile", __base__=Profile, **fields)


def _one_of(models: list[Any]) -> Any:
    """A union told apart by `driver`; pydantic wants no discriminator on a union of one."""
    if len(models) == 1:
        return models[0]
    return Annotated[reduce(operator.or_, models), Field(discriminator="driver")]
