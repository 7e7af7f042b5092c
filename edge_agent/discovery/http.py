"""One GET of HTTP/1.0, as a stranger's web server may answer it."""

from dataclasses import dataclass

from edge_agent.discovery.talk import talking
from edge_agent.model.found import Place

_LONGEST_HEAD = 16 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    """By name in small letters."""
    body: bytes


async def get(place: Place, path: str, limit: float, most: int) -> Answer | None:
    """The answer with at most `most` bytes of its body; None if what comes is no HTTP. Raises OSError."""
    async with talking(place, limit) as talk:
        request = f"GET {path} HTTP/1.0\r\nHost: {place}\r\nUser-Agent: edge-agent\r\nAccept: */*\r\n\r\n"
        talk.send(request.encode())
        if not (start := await talk.exactly(5)).startswith(b"HTTP/"):
            return None
        came = start + await talk.until_the_end(_LONGEST_HEAD + most)
    head, _, body = came.partition(b"\r\n\r\n")
    first, *lines = head[:_LONGEST_HEAD].decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2 or not words[1].isdecimal() or len(words[1]) != 3:
        return None
    named = (line.partition(":") for line in lines)
    return Answer(
        int(words[1]), {name.strip().lower(): value.strip() for name, _, value in named}, body[:most]
    )
