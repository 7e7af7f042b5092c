"""What was found, as a file: written by `discover`, read by `match`."""

from pathlib import Path
from typing import Literal

import msgspec

from edge_agent.discovery.mdns import Announced
from edge_agent.discovery.survey import Trouble
from edge_agent.model.found import Found

MOST_BYTES = 50_000_000


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """One look around. Times are UTC, in the form of RFC 3339."""

    schema: Literal["edge-agent-discovery/1"] = "edge-agent-discovery/1"
    began: str
    ended: str
    complete: bool
    """Whether it came to its end."""
    asked: tuple[str, ...]
    """Targets and serial ports, as they were named."""
    ports: tuple[int, ...]
    hosts: int
    answered: tuple[str, ...]
    """Hosts of which at least one port took or refused a connection."""
    found: tuple[Found, ...]
    troubles: tuple[Trouble, ...] = ()
    announced: tuple[Announced, ...] = ()
    """What announced itself by mDNS, at named addresses or not."""


def write(discovery: Discovery, path: Path) -> None:
    """Write or replace the file, whole or not at all. Raises OSError."""
    aside = path.with_name(f".{path.name}.part")
    try:
        aside.write_bytes(msgspec.json.format(msgspec.json.encode(discovery), indent=2) + b"\n")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def read(path: Path) -> Discovery:
    """Raises OSError, and ValueError with what is wrong with the file."""
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"is larger than {MOST_BYTES // 10**6} MB")
    try:
        return msgspec.json.decode(path.read_bytes(), type=Discovery)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"is no file of edge-agent discover: {error}") from None
