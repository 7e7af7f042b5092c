"""Units that the server states and the configuration does not, or states otherwise."""

from collections.abc import Sequence

from asyncua import ua

from drivers.opcua.feed import OpcuaTagSet
from drivers.opcua.meanings import meanings
from drivers.opcua.places import locate, place_of
from drivers.opcua.session import Session

MOST_TAGS = 500
"""Tags that are looked at, so that the answer comes within the time of a probe."""


async def unit_remarks(session: Session, tag_sets: Sequence[OpcuaTagSet]) -> dict[str, str]:
    """What to say of which tag's unit; a scaled tag may well have another unit than its node."""
    tags = [
        (one.equipment, tag) for one in tag_sets for tag in one.tags if tag.scale == 1.0 and not tag.offset
    ]
    tags = tags[:MOST_TAGS]
    located = await locate(session, [place_of(equipment, tag) for equipment, tag in tags])
    found = [(at, node) for at, node in zip(tags, located, strict=True) if isinstance(node, ua.NodeId)]
    stated = await meanings(session, [node for _, node in found])
    return {
        f"unit of {equipment.id} {tag.id}": f"the server says {meaning.unit}, the configuration "
        + (f"says {tag.unit}" if tag.unit else "says nothing")
        for ((equipment, tag), _), meaning in zip(found, stated, strict=True)
        if meaning.unit and meaning.unit != tag.unit and tag.field is None
    }
