"""The contract as documents for other tools, made from the types: JSON Schema 2020-12 and AsyncAPI 3."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from edge_agent.contract import messages
from edge_agent.contract.compression import CONTENT_TYPE
from edge_agent.contract.messages import Message
from edge_agent.contract.topics import (
    BUNDLES_TOPIC,
    ENROL_REQUEST,
    ENROL_RESPONSE,
    REPLAY_REQUEST,
    REPLAY_RESPONSE,
    RETAINED,
    RecordClass,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TITLE = "Factory telemetry and indicators"
VERSION = "1.2.0"
"""Of the contract: the second number grows with each addition."""

PARAMETERS = {
    "region": "Administrative division code, 6 digits (GB/T 2260)",
    "enterprise": "Unified social credit code, 18 characters (GB 32100-2015)",
    "gateway": "Id of the gateway, unique within the enterprise",
    "equipment": "Id of an equipment in the asset register",
    "tenant": "Id of a tenant who uses shared machines",
    "name": "First part of a definition's id",
    "variant": "Second part of a definition's id",
    "period": "Kind of period: hour, day, month",
}
"""What stands in braces in topics."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One topic below the root. `asks`: it is the platform that publishes there; `known_as`: its name, where
    the topic has that of another."""

    topic: str
    types: tuple[type[Message], ...]
    retained: bool
    asks: bool = False
    known_as: str = ""

    @property
    def name(self) -> str:
        """A name for documents: `state/{equipment}` is `state`, `replay/request` is `replay-request`."""
        return self.known_as or "-".join(
            level for level in self.topic.split("/") if not level.startswith("{")
        )


CHANNELS = (
    Channel("status", (messages.Status,), True),
    Channel("register", (messages.RegisterMessage,), True),
    Channel("state/{equipment}", (messages.State,), True),
    Channel("telemetry/{equipment}", (messages.Telemetry,), False),
    Channel(BUNDLES_TOPIC, (messages.Bundle,), False, known_as="bundle"),
    Channel("indicator/{name}/{variant}", (messages.Statements,), True),
    Channel("statement/{name}/{variant}/{period}", (messages.StatementOfRecord,), True),
    Channel("account/{equipment}/{period}", (messages.Account,), True),
    Channel("event", (messages.Event,), False),
    Channel("capacity", (messages.Capacity,), True),
    Channel("settlement/{tenant}", (messages.Settlement,), RecordClass.SETTLEMENTS in RETAINED),
    Channel("digest", (messages.Digest,), False),
    Channel(REPLAY_REQUEST, (messages.ReplayRequest,), False, asks=True),
    Channel(REPLAY_RESPONSE, (messages.Replay, messages.ReplayEnd), False),
    Channel(ENROL_REQUEST, (messages.EnrolmentRequest,), False),
    Channel(ENROL_RESPONSE, (messages.EnrolmentResponse,), False, asks=True),
)


def schema_name(kind: type[Message]) -> str:
    """`fta.state/1`"""
    return str(kind.__struct_config__.tag)


def json_schemas() -> dict[str, dict[str, Any]]:
    """A JSON Schema of each message, by the name of its schema; each stands alone."""
    schemas = {}
    for channel in CHANNELS:
        for kind in channel.types:
            reference, definitions = _schemas([kind], "#/$defs/{name}")
            schemas[schema_name(kind)] = {"$schema": DIALECT, **reference[0], "$defs": definitions}
    return schemas


def _schemas(kinds: list[type[Message]], template: str) -> tuple[Sequence[dict[str, Any]], dict[str, Any]]:
    """References to the schemas of `kinds`, and the schemas; what is sent always has its number."""
    references, components = msgspec.json.schema_components(kinds, ref_template=template)
    for kind in kinds:
        if issubclass(kind, messages.Numbered):
            components[kind.__name__]["required"].insert(1, "seq")
    return references, components


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3 document: channels, who sends what, payloads. Topics have the default root."""
    kinds = [kind for channel in CHANNELS for kind in channel.types]
    _, components = _schemas(kinds, "#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": TITLE,
            "version": VERSION,
            "description": "What the edge agent sends to a regional platform over MQTT, and what it answers."
            f" A payload that begins with the byte 0x78 is JSON compressed with zlib (RFC 1950), which MQTT 5"
            f" calls {CONTENT_TYPE}.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {channel.name: _channel(channel) for channel in CHANNELS},
        "operations": {
            f"{'answer' if channel.asks else 'send'}-{channel.name}": {
                "action": "receive" if channel.asks else "send",
                "channel": {"$ref": f"#/channels/{channel.name}"},
                "summary": _summary(channel.types[0]),
                "bindings": {"mqtt": {"qos": 1, "retain": channel.retained, "bindingVersion": "0.2.0"}},
            }
            for channel in CHANNELS
        },
        "components": {
            "messages": {
                kind.__name__: {
                    "name": schema_name(kind),
                    "summary": _summary(kind),
                    "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
                }
                for kind in kinds
            },
            "schemas": components,
        },
    }


def _channel(channel: Channel) -> Mapping[str, Any]:
    address = "fta/v1/{region}/{enterprise}/{gateway}/" + channel.topic
    return {
        "address": address,
        "messages": {
            kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"} for kind in channel.types
        },
        "parameters": {
            name: {"description": text} for name, text in PARAMETERS.items() if f"{{{name}}}" in address
        },
    }


def _summary(kind: type[Message]) -> str:
    """The first sentence of the type's docstring."""
    return (kind.__doc__ or "").partition("\n")[0].strip()
