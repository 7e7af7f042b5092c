"""Nodes as a technician wants to see them: value, meaning, quality and times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds

from drivers.opcua.browsing import NO_NODE, Browser, Child
from drivers.opcua.meanings import Meaning, meanings, type_names
from drivers.opcua.nodes import NodeName
from drivers.opcua.paths import BrowsePath
from drivers.opcua.places import NO_MATCH, OBJECTS, ROOT, Route, Way, follow
from drivers.opcua.session import Session
from drivers.opcua.structures import Structures
from drivers.opcua.values import AS_IS, STRUCTURE, Conversion, elements, epoch_ms, plain, reading
from edge_agent.model.batch import Value
from edge_agent.model.quality import Quality

_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Look:
    """What one read of a variable showed."""

    name: str
    value: str
    """With the enumeration's text."""
    unit: str
    quality: str
    type: str
    source_ms: int | None
    server_ms: int | None
    fields: Mapping[str, str]
    """The elements of a structure, by `field`."""


async def find(session: Session, text: str) -> list[Way]:
    """The ways to the nodes that a NodeId or a browse path means. Raises ValueError.

    The way to a node by its id is that node alone, also if the server does not have it.
    """
    try:
        name = NodeName.parse(text)
    except ValueError as no_node:
        try:
            path = BrowsePath.parse(text)
        except ValueError as no_path:
            raise ValueError(f"{text!r} is neither a NodeId nor a browse path: {no_path}") from no_node
        (found,) = await follow(
            Browser(session), session, [Route(ROOT if path.absolute else OBJECTS, (path.steps,))]
        )
        if isinstance(found, str):
            what = "leads to no node" if found == NO_MATCH else f"cannot be followed: {found}"
            raise ValueError(f"{text!r} {what}") from None
        return found
    node = name.resolve(session.namespaces)
    if node is None:
        known = "".join(f"\n  {index}  {uri}" for index, uri in enumerate(session.namespaces))
        raise ValueError(f"the server has no namespace {name.namespace}; it has:{known}")
    (browse_name,) = await session.read([node], AttributeIds.BrowseName)
    (node_class,) = await session.read([node], AttributeIds.NodeClass)
    told, kind = _raw(browse_name), _raw(node_class)
    shown = (told.Name or text) if isinstance(told, ua.QualifiedName) else text
    return [(Child(node, shown, "", kind != ua.NodeClass.Object, NO_NODE),)]


async def look(session: Session, ids: Sequence[ua.NodeId]) -> list[Look]:
    """Read variables once."""
    data = await session.read(ids, AttributeIds.Value, timestamps=ua.TimestampsToReturn.Both)
    stated = await meanings(session, ids)
    kinds = await type_names(session, [one.data_type for one in stated if one.data_type is not None])
    structures = Structures(session)
    await structures.learn(
        [node for node, value in zip(ids, data, strict=True) if _is_structure(_raw(value))]
    )
    conversion = Conversion(namespaces=session.namespaces, decode=structures.decode)
    return [
        _look(node, value, meaning, kinds.get(meaning.data_type or NO_NODE, ""), conversion)
        for node, value, meaning in zip(ids, data, stated, strict=True)
    ]


def shown(value: Value, texts: Mapping[int, str] | None = None) -> str:
    """A value for a table: `1 (Automatic)`, `[1, 2, …]`."""
    if texts and isinstance(value, int) and int(value) in texts:
        return f"{int(value)} ({texts[int(value)]})"
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def quality_text(flaw: Quality | None) -> str:
    return "good" if flaw is None else f"{flaw.level}: {flaw.reason}"


def time_text(time_ms: int | None) -> str:
    if time_ms is None:
        return ""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(" ", "milliseconds").removesuffix("+00:00")


def _look(node: ua.NodeId, data: ua.DataValue, meaning: Meaning, kind: str, conversion: Conversion) -> Look:
    raw = _raw(data)
    structured = _is_structure(raw)
    told = reading(data, AS_IS if structured else conversion)
    fields: dict[str, str] = {}
    if structured and conversion.decode is not None:
        for field, element in elements(raw, conversion.decode):
            value, _ = plain(element, Conversion(namespaces=conversion.namespaces))
            fields[field] = shown(value)
    return Look(
        str(NodeName.of(node, conversion.namespaces)),
        "" if structured else shown(told.value, meaning.texts),
        meaning.unit,
        "good" if fields else quality_text(told.flaw),
        kind,
        told.source_ms,
        epoch_ms(data.ServerTimestamp),
        fields,
    )


def _raw(data: ua.DataValue) -> object:
    return data.Value.Value if data.Value is not None else None


def _is_structure(raw: object) -> bool:
    return plain(raw)[1] == STRUCTURE
