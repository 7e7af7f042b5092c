"""What a unit says about itself: device identification (function 43, kind 14)."""

from collections.abc import Mapping
from typing import Final

_OBJECTS: Final[Mapping[int, str]] = {
    0: "vendor",
    1: "product",
    2: "revision",
    4: "product name",
    5: "model",
    6: "application",
}


def identity_of(pdu: bytes) -> dict[str, str]:
    """The objects of an answer by name: vendor, product, revision; product name, model and application, too,
    if those were asked for. Broken answers give what is readable."""
    identity: dict[str, str] = {}
    place = 7
    for _ in range(pdu[6] if len(pdu) > 6 else 0):
        if len(pdu) < place + 2:
            break
        number, size = pdu[place], pdu[place + 1]
        text = pdu[place + 2 : place + 2 + size].decode("utf-8", "replace").strip("\x00 ")
        if number in _OBJECTS and text:
            identity[_OBJECTS[number]] = text
        place += 2 + size
    return identity
