"""Structures of the server's own: their definitions, asked for when needed, and values decoded by them.

The library's own way registers such types for the whole process by NodeId, so two servers that use one
number for different structures would be mixed up. Encoding: OPC 10000-6, 5.2.6 to 5.2.8.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from asyncua import ua
from asyncua.common.utils import Buffer, NotEnoughData
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import unpack_uatype
from asyncua.ua.uaerrors import UaError

from drivers.opcua.nodes import node_id
from drivers.opcua.session import Session
from drivers.opcua.values import status_code

_LAST_BUILT_IN = 25
_ENUMERATION = node_id(ObjectIds.Enumeration)
_ABSTRACT = {ObjectIds.Number, ObjectIds.Integer, ObjectIds.UInteger}
"""Fields of these carry their type with them, as a Variant."""
_PLAIN = ua.StructureType.Structure
_OPTIONAL = ua.StructureType.StructureWithOptionalFields
_UNION = ua.StructureType.Union
_DEEPEST = 32

_Read = Callable[[Buffer, int], object]


class Structures:
    """What one server's structures look like. `learn` the types of some variables, then `decode` values."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._definitions: dict[ua.NodeId, ua.StructureDefinition] = {}
        """By data type."""
        self._by_encoding: dict[ua.NodeId, ua.NodeId] = {}
        """Data types by the id that stands before a value."""
        self._supertypes: dict[ua.NodeId, ua.NodeId | None] = {}
        self._asked: set[ua.NodeId] = set()
        """Encodings that were asked for; those without a definition are not asked for again."""

    async def learn(self, variables: Sequence[ua.NodeId]) -> None:
        """Ask for the definitions of the declared types of `variables`, and of those of their values now."""
        declared = await self._session.read(variables, AttributeIds.DataType)
        pending = {data.Value.Value for data in declared if data.Value is not None and not status_code(data)}
        now = await self._session.read(variables, AttributeIds.Value)
        encodings = {
            one.TypeId
            for data in now
            if data.Value is not None
            for one in (data.Value.Value if isinstance(data.Value.Value, list) else [data.Value.Value])
            if isinstance(one, ua.ExtensionObject) and one.Body is not None
        }
        self._asked |= encodings
        types = await self._sources(encodings - self._by_encoding.keys(), ObjectIds.HasEncoding)
        self._by_encoding.update({node: type_ for node, type_ in types.items() if type_ is not None})
        pending.update(type_ for type_ in types.values() if type_ is not None)
        while pending := {type_ for type_ in pending if isinstance(type_, ua.NodeId) and self._is_new(type_)}:
            pending = await self._define(list(pending))

    def decode(self, raw: ua.ExtensionObject) -> Mapping[str, object] | None:
        """The fields of a value; None if the server does not define its type, or defines it otherwise.

        Raises LookupError for a type that has not been asked for.
        """
        data_type = self._by_encoding.get(raw.TypeId)
        if data_type is None and raw.TypeId not in self._asked:
            raise LookupError(raw.TypeId)
        if data_type is None or raw.Body is None:
            return None
        try:
            return self._structure(data_type, Buffer(raw.Body), 0)
        except (NotEnoughData, UaError, ValueError, KeyError, TypeError):
            return None

    def _is_new(self, data_type: ua.NodeId) -> bool:
        return not _built_in(data_type) and data_type not in self._supertypes

    async def _define(self, data_types: Sequence[ua.NodeId]) -> set[Any]:
        """Ask for definitions; the types that they mention."""
        answers = await self._session.read(data_types, AttributeIds.DataTypeDefinition)
        mentioned: set[Any] = set()
        for data_type, answer in zip(data_types, answers, strict=True):
            definition = answer.Value.Value if answer.Value is not None and not status_code(answer) else None
            if isinstance(definition, ua.StructureDefinition):
                self._definitions[data_type] = definition
                self._by_encoding[definition.DefaultEncodingId] = data_type
                mentioned.update(one.DataType for one in definition.Fields or ())
        self._supertypes.update(await self._sources(data_types, ObjectIds.HasSubtype))
        return mentioned | {self._supertypes[data_type] for data_type in data_types}

    async def _sources(self, nodes: Iterable[ua.NodeId], reference: int) -> dict[ua.NodeId, ua.NodeId | None]:
        """Of each node, the first one that has such a reference to it."""
        asked = list(nodes)
        found: dict[ua.NodeId, ua.NodeId | None] = {}
        for node in asked:  # one a request: there are few, and every server takes as many
            request = ua.BrowseRequest()
            request.Parameters.RequestedMaxReferencesPerNode = 1
            request.Parameters.NodesToBrowse = [
                ua.BrowseDescription(
                    NodeId=node,
                    BrowseDirection=ua.BrowseDirection.Inverse,
                    ReferenceTypeId=node_id(reference),
                    IncludeSubtypes=True,
                    NodeClassMask=ua.NodeClass.Unspecified,
                    ResultMask=ua.BrowseResultMask.None_,
                )
            ]
            (result,) = (await self._session.call(request, ua.BrowseResponse)).Results
            targets = [one.NodeId for one in result.References or ()]
            found[node] = node_id(targets[0].Identifier, targets[0].NamespaceIndex) if targets else None
        return found

    def _structure(self, data_type: ua.NodeId, body: Buffer, depth: int) -> dict[str, object]:
        definition = self._definitions[data_type]
        if depth > _DEEPEST:
            raise ValueError("structures are nested too deep")
        fields = list(definition.Fields or ())
        if definition.StructureType == _UNION:
            switch = _uint32(body)
            fields = fields[switch - 1 : switch] if switch else []
        elif definition.StructureType == _OPTIONAL:
            mask = _uint32(body)
            optional = [one for one in fields if one.IsOptional]
            fields = [one for one in fields if not one.IsOptional or mask >> optional.index(one) & 1]
        elif definition.StructureType != _PLAIN:
            raise ValueError("structures with subtyped values are not read")
        return {one.Name or "": self._field(one, body, depth) for one in fields}

    def _field(self, field: ua.StructureField, body: Buffer, depth: int) -> object:
        read = self._reader(field.DataType)
        if field.ValueRank < 1:
            return read(body, depth)
        count = _int32(body)
        if field.ValueRank > 1:
            lengths = [_int32(body) for _ in range(count)]
            count = 1
            for length in lengths:
                count *= max(length, 0)
        if count > len(body):
            raise ValueError("an array is longer than the value")
        return [read(body, depth) for _ in range(count)] if count >= 0 else None

    def _reader(self, data_type: ua.NodeId) -> _Read:
        at: ua.NodeId | None = data_type
        while at is not None and not _built_in(at):
            if at in self._definitions:
                structure = at
                return lambda body, depth: self._structure(structure, body, depth + 1)
            if at == _ENUMERATION:
                return lambda body, _: _int32(body)
            if at.NamespaceIndex == 0 and at.Identifier in _ABSTRACT:
                return lambda body, _: unpack_uatype(ua.VariantType.Variant, body)
            at = self._supertypes.get(at)
        if at is None:
            raise KeyError(data_type)
        kind = ua.VariantType(cast(int, at.Identifier))
        return lambda body, _: unpack_uatype(kind, body)


def _built_in(data_type: ua.NodeId) -> bool:
    number = data_type.Identifier
    return data_type.NamespaceIndex == 0 and isinstance(number, int) and 1 <= number <= _LAST_BUILT_IN


def _int32(body: Buffer) -> int:
    return int(unpack_uatype(ua.VariantType.Int32, body))


def _uint32(body: Buffer) -> int:
    return int(unpack_uatype(ua.VariantType.UInt32, body))
