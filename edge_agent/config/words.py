"""What pydantic found, in a technician's words."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from edge_agent.config.errors import ConfigProblem, did_you_mean
from edge_agent.config.json_schema import ConfigurationSchema, Part, is_path
from edge_agent.config.secrets import Hidden
from edge_agent.config.tree import Node, Route, Step
from edge_agent.indicators.calendar_options import CLOCK_PATTERN

_PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$": "1 to 64 letters, digits, _ . or -, the first a letter or digit",
    r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,63})?$": (
        "1 to 64 letters, digits, _ . or -, the first a letter or digit"
    ),
    r"^[A-Za-z_][A-Za-z0-9_]{0,63}$": "1 to 64 letters, digits or _, the first not a digit",
    r"^\d+(\.\d+)?\s*(ms|s|min|h|d)$": "a number with its unit: 500ms, 1s, 5min, 24h or 30d",
    r"^\d+(\.\d+)?\s*(MB|GB)$": "a number with its unit: 200MB, 1GB or 1.5GB",
    r"^\d+(\.\d+)?\s*(kbit/s|Mbit/s)$": "a number with its unit: 64kbit/s or 1Mbit/s",
    CLOCK_PATTERN: "a time of day, 00:00 to 23:59",
    r"^[^\s\x00-\x1f\x7f]{1,64}$": "1 to 64 characters, none of them a blank",
    r"^[0-9]{6}$": "the 6 digits of an administrative division code, such as 330300",
    r"^[0-9A-HJ-NP-RTUW-Y]{18}$": "a unified social credit code of 18 characters",
}
MISSING = "missing"
_FREE_WORDS = ("value_error", "assertion_error")
"""Kinds of error whose message a validator wrote itself."""


def in_words(
    error: ValidationError, tree: Node, schema: ConfigurationSchema, hidden: Hidden
) -> list[ConfigProblem]:
    """One problem for each mistake that pydantic found, except below what has been reported already."""
    by_route: dict[Route, ConfigProblem] = {}
    for details in error.errors(include_url=False):
        location: list[Step] = list(details["loc"])
        kind, message = details["type"], details["msg"]
        about_key = location[-1:] == ["[key]"]
        if about_key:
            location.pop()
        route, part = schema.follow(location, tree)
        nodes = _nodes_on(route, tree)
        if any(node.broken for node in nodes) or route in by_route:
            continue
        node, rest = nodes[-1], route[len(nodes) - 1 :]
        if kind == "default_factory_not_called":
            continue  # the field that the default depends on has a mistake of its own
        if kind == "too_short" and len(node.items()) >= part.get("minItems", 1):
            continue  # too few are left over only because the others have mistakes
        if about_key:
            holder = schema.follow(location[:-1], tree)[1]
            problem = _bad_key(kind, node, str(route[-1]), holder)
        elif kind == "extra_forbidden":
            holder = schema.follow(location[:-1], tree)[1]
            problem = _unknown_key(node, str(route[-1]), schema.keys(holder))
        elif kind == "missing":
            problem = node.place.problem((*node.route, *rest), MISSING, describe(part, schema))
        elif kind == "union_tag_not_found":
            key = part["discriminator"]["propertyName"]
            choices = part["discriminator"]["mapping"]
            problem = node.place.problem((*node.route, key), MISSING, _one_of(choices))
        elif kind == "union_tag_invalid":
            key = part["discriminator"]["propertyName"]
            problem = _bad_word(node.child(key) or node, list(part["discriminator"]["mapping"]))
        else:
            problem = _bad_value(kind, message, node, part, schema)
        by_route[route] = hidden.clean_problem(problem, route)
    return list(by_route.values())


def booleans_as_numbers(tree: Node, schema: ConfigurationSchema) -> Iterator[ConfigProblem]:
    """`port: true`, which pydantic would take for 1."""
    for node, part in schema.walk(tree):
        if isinstance(node.value, bool) and part.get("type") in ("integer", "number"):
            yield node.problem(f"found {node.written()}", describe(part, schema))


def _nodes_on(route: Route, tree: Node) -> list[Node]:
    """The nodes on the way, the tree itself first, as far as the file has them."""
    nodes = [tree]
    for step in route:
        child = nodes[-1].child(step)
        if child is None:
            break
        nodes.append(child)
    return nodes


def _unknown_key(node: Node, key: str, keys: list[str]) -> ConfigProblem:
    return node.key.problem(node.route, "unknown key", _one_of(keys), did_you_mean(key, keys))


def _bad_key(kind: str, node: Node, key: str, holder: Part) -> ConfigProblem:
    words = holder.get("propertyNames", {}).get("enum", [])
    if words:
        return node.key.problem(node.route, f'the name "{key}"', _one_of(words), did_you_mean(key, words))
    pattern = next(iter(holder.get("patternProperties", {})), "")
    expected = "a whole number" if kind.startswith("int") else _PATTERNS.get(pattern, "another name")
    return node.key.problem(node.route, f'the name "{key}"', expected)


def _bad_word(node: Node, words: list[str]) -> ConfigProblem:
    in_quotes = node.text in words and not isinstance(node.value, str)
    hint = f'write it in quotes: "{node.text}"' if in_quotes else did_you_mean(node.text, words)
    return node.place.problem(node.route, f"found {node.written()}", _one_of(words), hint)


def _bad_value(kind: str, message: str, node: Node, part: Part, schema: ConfigurationSchema) -> ConfigProblem:
    found = "found a value that is not shown" if schema.is_secret(part) else f"found {node.written()}"
    expected = describe(part, schema)
    words = [str(word) for word in part.get("enum", [part["const"]] if "const" in part else [])]
    if words and not isinstance(node.value, dict | list):
        return _bad_word(node, words)
    if kind in ("path_not_file", "path_not_directory"):
        what = kind.removeprefix("path_not_").replace("directory", "folder")
        return node.place.problem(node.route, f"{found}, which is not a {what}", expected)
    if kind in _FREE_WORDS or not expected:
        message = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
        if message.startswith("expected "):
            return node.place.problem(node.route, found, message.removeprefix("expected "))
        if isinstance(node.value, dict | list):
            return node.place.problem(node.route, message)
        return node.place.problem(node.route, found, expected, message)
    hint = ""
    if kind == "string_type" and isinstance(node.value, int | float) and not schema.is_secret(part):
        hint = f'write it in quotes: "{node.text}"'
    elif kind == "string_type" and node.value is not None and not isinstance(node.value, list | dict):
        hint = "write it in quotes"
    return node.place.problem(node.route, found, expected, hint)


def _one_of(words: Any) -> str:
    known = list(words)
    return f"one of: {', '.join(map(str, known))}" if len(known) > 1 else "".join(map(str, known))


def describe(part: Part, schema: ConfigurationSchema) -> str:
    """What may stand where `part` describes it; empty if nothing can be said."""
    if "enum" in part:
        return _one_of(part["enum"])
    if "const" in part:
        return str(part["const"])
    if "anyOf" in part:
        kinds = [describe(schema.part(choice, None), schema) for choice in part["anyOf"]]
        return " or ".join(dict.fromkeys(filter(None, kinds)))
    if "discriminator" in part:
        of = part["discriminator"]
        return f"a mapping with {of['propertyName']}: {' or '.join(of['mapping'])}"
    kind = part.get("type", "")
    if kind == "string":
        return _describe_text(part)
    if kind in ("integer", "number"):
        return _describe_number("a whole number" if kind == "integer" else "a number", part)
    if kind == "object" and part.get("required"):
        return f"a mapping with {', '.join(part['required'])}"
    if kind == "array" and part.get("minItems"):
        return f"a list with at least {part['minItems']} item"
    return {"boolean": "true or false", "array": "a list", "object": "a mapping (key: value)"}.get(kind, "")


def _describe_text(part: Part) -> str:
    if is_path(part):
        kinds = {"file-path": "an existing file", "directory-path": "an existing folder"}
        kind = kinds.get(part["format"], "a path")
        return f"{kind}; paths are relative to the configuration's folder"
    if "pattern" in part:
        return _PATTERNS.get(part["pattern"], f"text of the form {part['pattern']}")
    text = "text, ${ENV} or file:PATH" if part.get("writeOnly") else "text"
    low, high = part.get("minLength", 0), part.get("maxLength")
    if high is not None:
        return f"{text} of {low} to {high} characters" if low else f"{text} of at most {high} characters"
    return f"{text} of at least {low} characters" if low > 1 else f"{text}, not empty" if low else text


def _describe_number(name: str, part: Part) -> str:
    low, high = part.get("minimum"), part.get("maximum")
    if low is not None and high is not None:
        return f"{name} from {low} to {high}"
    limits = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    given = [f"{words} {part[key]}" for key, words in limits.items() if key in part]
    return f"{name}, {' and '.join(given)}" if given else name
