"""Compressed payloads: JSON begins with `{`, a zlib stream (RFC 1950) with `x`, so each says what it is."""

import zlib

CONTENT_TYPE = "application/zlib"
"""What MQTT 5 is told of a compressed payload (RFC 6713)."""
LIMIT = 4_000_000
"""Bytes of content: more is neither compressed nor unpacked, so that a small message cannot fill a memory."""
SAVED_AT_LEAST = 32
"""Bytes. The content type alone takes 19; what saves less stays as it is."""
_FIRST = b"x"
_LEVEL = 6


def packed(payload: bytes) -> bytes:
    """`payload` compressed, or as it is if that is not worth it."""
    if not SAVED_AT_LEAST < len(payload) <= LIMIT:
        return payload
    smaller = zlib.compress(payload, _LEVEL)
    return smaller if len(smaller) + SAVED_AT_LEAST <= len(payload) else payload


def is_packed(payload: bytes) -> bool:
    return payload.startswith(_FIRST)


def unpacked(payload: bytes) -> bytes:
    """What `packed` was given. Raises ValueError for what is damaged, or has more than LIMIT in it."""
    if not is_packed(payload):
        return payload
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(payload, LIMIT)
        # At the limit the end of the stream may not have been read yet; it has no content any more.
        more = stream.decompress(stream.unconsumed_tail, 1) if not stream.eof else b""
    except zlib.error as error:
        raise ValueError(f"it cannot be unpacked: {error}") from None
    if more:
        raise ValueError(f"it has more than {LIMIT} bytes in it")
    if not stream.eof or stream.unused_data:
        raise ValueError("it cannot be unpacked: its end is not where it should be")
    return content
