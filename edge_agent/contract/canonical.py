"""Canonical JSON (RFC 8785): the same bytes for the same content, whoever writes them."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import rfc8785

UNSIGNED = frozenset({"seq", "after", "signature", "evidence", "equipment", "processes"})
"""Members of a message that its signature does not cover: what is added to it, and the evidence, which is
covered by the roots and digests that are signed."""

_LINES = msgspec.json.Encoder(order="sorted")


def canonical(value: Any) -> bytes:
    """The canonical bytes of JSON content.

    Raises ValueError for what JSON cannot carry exactly: whole numbers from 2^53 on, NaN, infinity.
    """
    return rfc8785.dumps(value)


def canonical_line(line: msgspec.Struct) -> bytes:
    """The same as `canonical` of the line's JSON, forty times as fast.

    For what the lines of evidence are made of: names in ASCII; text, truth values, null, whole numbers
    below 2^53, and lists of them. Not for floats.
    """
    return _LINES.encode(line)


def canonical_list(items: Iterable[bytes]) -> bytes:
    """A list of what is canonical already."""
    return b"[" + b",".join(items) + b"]"


def canonical_object(members: Mapping[str, bytes]) -> bytes:
    """An object of members that are canonical already; their names are ASCII."""
    return b"{" + b",".join(b'"%b":%b' % (name.encode(), members[name]) for name in sorted(members)) + b"}"


def members_of(content: bytes) -> dict[str, bytes]:
    """The members of a canonical object, as they stand in it."""
    raw = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    return {name: bytes(value) for name, value in raw.items()}


def signed_part(message: Mapping[str, Any]) -> bytes:
    """What the signature of a decoded message is made over."""
    return canonical({name: value for name, value in message.items() if name not in UNSIGNED})
