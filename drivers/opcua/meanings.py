"""What the numbers of a variable mean by the server's own word: unit, range, and texts of enumerations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from drivers.opcua.browsing import Browser, Children
from drivers.opcua.session import Session
from drivers.opcua.units import unit_text
from drivers.opcua.values import status_code

_PROPERTIES = ("EngineeringUnits", "EURange", "EnumStrings", "EnumValues", "FalseState", "TrueState")
_LAST_BUILT_IN = 25


@dataclass(frozen=True, slots=True)
class Meaning:
    """Empty where the server states nothing."""

    data_type: ua.NodeId | None = None
    unit: str = ""
    range: tuple[float, float] | None = None
    """Lowest and highest normal value."""
    texts: Mapping[int, str] | None = None


async def meanings(session: Session, nodes: Sequence[ua.NodeId]) -> list[Meaning]:
    """What is stated of each variable; of nodes that cannot be read, nothing."""
    if not nodes:
        return []
    browser = Browser(session)
    declared = [_value(data) for data in await session.read(nodes, AttributeIds.DataType)]
    own = {type_ for type_ in declared if isinstance(type_, ua.NodeId) and not _built_in(type_)}
    types = list(own)
    stated = await _properties(session, await browser.children([*nodes, *types]))
    definitions = [_value(data) for data in await session.read(types, AttributeIds.DataTypeDefinition)]
    of_type = {
        type_: _texts(properties) or _defined(definition)
        for type_, properties, definition in zip(types, stated[len(nodes) :], definitions, strict=True)
    }
    return [
        Meaning(
            type_ if isinstance(type_, ua.NodeId) else None,
            _unit(properties.get("EngineeringUnits")),
            _range(properties.get("EURange")),
            _texts(properties) or (of_type.get(type_) if isinstance(type_, ua.NodeId) else None),
        )
        for type_, properties in zip(declared, stated[: len(nodes)], strict=True)
    ]


async def type_names(session: Session, data_types: Iterable[ua.NodeId]) -> dict[ua.NodeId, str]:
    """Browse names of data types: `Double`, `MachineOperationMode`."""
    asked = list(dict.fromkeys(data_types))
    answers = await session.read(asked, AttributeIds.BrowseName)
    names = [_value(answer) for answer in answers]
    return {
        node: name.Name or ""
        for node, name in zip(asked, names, strict=True)
        if isinstance(name, ua.QualifiedName)
    }


async def _properties(session: Session, children: Sequence[Children]) -> list[dict[str, object]]:
    """The properties named in `_PROPERTIES`, of each node."""
    wanted = [
        (number, child.name, child.node)
        for number, answer in enumerate(children)
        for child in answer.nodes
        if child.name in _PROPERTIES and child.is_variable
    ]
    answers = await session.read([node for _, _, node in wanted], AttributeIds.Value)
    found: list[dict[str, object]] = [{} for _ in children]
    for (number, name, _), answer in zip(wanted, answers, strict=True):
        found[number][name] = _value(answer)
    return found


def _value(data: ua.DataValue) -> object:
    return data.Value.Value if data.Value is not None and not status_code(data) else None


def _built_in(data_type: ua.NodeId) -> bool:
    number = data_type.Identifier
    abstract = (ObjectIds.Number, ObjectIds.Integer, ObjectIds.UInteger)
    return data_type.NamespaceIndex == 0 and (number in abstract or number in range(_LAST_BUILT_IN + 1))


def _unit(stated: object) -> str:
    return unit_text(stated) if isinstance(stated, ua.EUInformation) else ""


def _range(stated: object) -> tuple[float, float] | None:
    if not isinstance(stated, ua.Range) or stated.Low == stated.High:
        return None
    return stated.Low, stated.High


def _texts(properties: Mapping[str, object]) -> Mapping[int, str] | None:
    strings, values = properties.get("EnumStrings"), properties.get("EnumValues")
    if isinstance(values, list) and values:
        return {
            int(one.Value): one.DisplayName.Text or "" for one in values if isinstance(one, ua.EnumValueType)
        }
    if isinstance(strings, list) and strings:
        return {
            number: one.Text or "" for number, one in enumerate(strings) if isinstance(one, ua.LocalizedText)
        }
    off, on = properties.get("FalseState"), properties.get("TrueState")
    if isinstance(off, ua.LocalizedText) and isinstance(on, ua.LocalizedText):
        return {0: off.Text or "", 1: on.Text or ""}
    return None


def _defined(definition: object) -> Mapping[int, str] | None:
    if not isinstance(definition, ua.EnumDefinition):
        return None
    return {
        int(field.Value): (field.DisplayName.Text if field.DisplayName is not None else None)
        or field.Name
        or ""
        for field in definition.Fields or ()
    }
