"""The OpenAPI document of the REST interface, made from the types of its answers."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from edge_agent import __version__
from edge_agent.config.console import Role
from edge_agent.console.views import Problem

_REFERENCES = "#/components/schemas/{name}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`path` below /api/v1, with its parameters in braces; `query` describes those that may be left out.

    Who asks must have `role`, and with `POST` the anti-forgery token; `body` is the type of what is sent.
    """

    path: str
    summary: str
    answer: Any
    query: Mapping[str, str] = field(default_factory=dict)
    formats: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What the schema of a query's parameter says beyond that it is text."""
    method: Literal["GET", "POST"] = "GET"
    role: Role = Role.VIEWER
    body: Any = None
    busy: bool = False
    """Whether it may answer 429: not while the same is being done already."""
    refusals: Mapping[int, str] = field(default_factory=dict)
    """By status, what else may keep it from being done."""


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """OpenAPI 3.1, whose schemas are JSON Schema 2020-12."""
    endpoints = list(endpoints)
    bodies = [one.body for one in endpoints if one.body is not None]
    types = [*(one.answer for one in endpoints), *bodies, Problem]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCES)
    answers, sent, problem = schemas[: len(endpoints)], iter(schemas[len(endpoints) : -1]), schemas[-1]
    paths: dict[str, dict[str, Any]] = {}
    for one, schema in zip(endpoints, answers, strict=True):
        operation = _operation(one, _content(schema), _content(problem))
        if one.body is not None:
            operation["requestBody"] = {"required": True, "content": _content(next(sent))}
        paths.setdefault(one.path, {})[one.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "edge agent",
            "version": __version__,
            "description": "What the agent knows, to be read. Live updates: GET /api/v1/live, server-sent"
            " events named overview, each of which carries what /overview answers.",
        },
        "servers": [{"url": "/api/v1"}],
        "paths": paths,
        "components": {"schemas": components},
    }


def _content(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _operation(endpoint: Endpoint, answer: Any, problem: Any) -> dict[str, Any]:
    in_path = re.findall(r"{(\w+)}", endpoint.path)
    responses = {
        "200": {"description": "OK", "content": answer},
        "401": {"description": "Nobody has signed in", "content": problem},
    }
    if endpoint.query or endpoint.body is not None:
        responses["400"] = {"description": "A parameter or the body is wrong", "content": problem}
    if in_path:
        responses["404"] = {"description": "There is no such thing", "content": problem}
    if endpoint.method != "GET" or endpoint.role is not Role.VIEWER:
        responses["403"] = {
            "description": "The role or the anti-forgery token does not do",
            "content": problem,
        }
    if endpoint.body is not None:
        responses["413"] = {"description": "The body is too large", "content": problem}
        responses["415"] = {"description": "The body is no JSON", "content": problem}
    if endpoint.body is not None or endpoint.busy:
        responses["429"] = {"description": "Too often", "content": problem}
    for status, text in endpoint.refusals.items():
        responses[str(status)] = {"description": text, "content": problem}
    return {
        "operationId": re.sub(r"\W+", "_", endpoint.path.replace("{", "").replace("}", "")).strip("_"),
        "summary": endpoint.summary,
        "parameters": [
            *(_parameter("path", name, {"type": "string", "minLength": 1}) for name in in_path),
            *(
                _parameter("query", name, {"type": "string", **endpoint.formats.get(name, {})}, text)
                for name, text in endpoint.query.items()
            ),
            *([_CSRF] if endpoint.method != "GET" else []),
        ],
        "responses": responses,
    }


def _parameter(place: str, name: str, schema: Any, text: str = "") -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "description": text, "schema": schema}


_CSRF = {
    **_parameter("header", "X-CSRF-Token", {"type": "string"}, "What /session answers as `csrf`"),
    "required": True,
}
