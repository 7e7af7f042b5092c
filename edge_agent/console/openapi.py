"""The OpenAPI document of the REST interface, made from the types of its answers."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from edge_agent import __version__
from edge_agent.console.views import Problem

_REFERENCES = "#/components/schemas/{name}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`path` below /api/v1, with its parameters in braces; `query` describes those that may be left out."""

    path: str
    summary: str
    answer: Any
    query: Mapping[str, str] = field(default_factory=dict)


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """OpenAPI 3.1, whose schemas are JSON Schema 2020-12."""
    endpoints = list(endpoints)
    types = [*(one.answer for one in endpoints), Problem]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCES)
    problem = {"application/json": {"schema": schemas[-1]}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "edge agent",
            "version": __version__,
            "description": "What the agent knows, to be read. Live updates: GET /api/v1/live, server-sent"
            " events named overview, each of which carries what /overview answers.",
        },
        "servers": [{"url": "/api/v1"}],
        "paths": {
            one.path: {"get": _operation(one, schema, problem)}
            for one, schema in zip(endpoints, schemas, strict=False)
        },
        "components": {"schemas": components},
    }


def _operation(endpoint: Endpoint, schema: Any, problem: Any) -> dict[str, Any]:
    in_path = re.findall(r"{(\w+)}", endpoint.path)
    responses = {
        "200": {"description": "OK", "content": {"application/json": {"schema": schema}}},
    }
    if endpoint.query:
        responses["400"] = {"description": "A parameter is wrong", "content": problem}
    if in_path:
        responses["404"] = {"description": "There is no such thing", "content": problem}
    return {
        "operationId": re.sub(r"\W+", "_", endpoint.path.replace("{", "").replace("}", "")).strip("_"),
        "summary": endpoint.summary,
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
                for name in in_path
            ),
            *(
                {
                    "name": name,
                    "in": "query",
                    "description": text,
                    "schema": {"type": "string", "format": "date"},
                }
                for name, text in endpoint.query.items()
            ),
        ],
        "responses": responses,
    }
