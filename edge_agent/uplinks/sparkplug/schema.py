"""The messages of Sparkplug B as protobuf classes, made from a table.

Names and numbers are those of chapter 6.4 of the specification. Left out is what an edge node without
templates and data sets neither sends nor reads; protobuf skips fields that it does not know.
"""

from typing import Any, NamedTuple

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_PACKAGE = "edge_agent.sparkplug"
_LABEL, _TYPE = FieldDescriptorProto.Label, FieldDescriptorProto.Type


class _Field(NamedTuple):
    number: int
    name: str
    type: str
    """A scalar of protobuf, or the name of a message."""
    repeated: bool = False
    value: bool = False
    """One of those of which a message has only one: its value."""


_MESSAGES = {
    "Payload": (
        _Field(1, "timestamp", "uint64"),
        _Field(2, "metrics", "Metric", repeated=True),
        _Field(3, "seq", "uint64"),
        _Field(4, "uuid", "string"),
        _Field(5, "body", "bytes"),
    ),
    "Metric": (
        _Field(1, "name", "string"),
        _Field(2, "alias", "uint64"),
        _Field(3, "timestamp", "uint64"),
        _Field(4, "datatype", "uint32"),
        _Field(5, "is_historical", "bool"),
        _Field(6, "is_transient", "bool"),
        _Field(7, "is_null", "bool"),
        _Field(9, "properties", "PropertySet"),
        _Field(10, "int_value", "uint32", value=True),
        _Field(11, "long_value", "uint64", value=True),
        _Field(12, "float_value", "float", value=True),
        _Field(13, "double_value", "double", value=True),
        _Field(14, "boolean_value", "bool", value=True),
        _Field(15, "string_value", "string", value=True),
        _Field(16, "bytes_value", "bytes", value=True),
    ),
    "PropertySet": (
        _Field(1, "keys", "string", repeated=True),
        _Field(2, "values", "PropertyValue", repeated=True),
    ),
    "PropertyValue": (
        _Field(1, "type", "uint32"),
        _Field(2, "is_null", "bool"),
        _Field(3, "int_value", "uint32", value=True),
        _Field(4, "long_value", "uint64", value=True),
        _Field(5, "float_value", "float", value=True),
        _Field(6, "double_value", "double", value=True),
        _Field(7, "boolean_value", "bool", value=True),
        _Field(8, "string_value", "string", value=True),
    ),
}


def _message(name: str, fields: tuple[_Field, ...]) -> DescriptorProto:
    message = DescriptorProto(name=name)
    if any(field.value for field in fields):
        message.oneof_decl.add(name="value")
    for field in fields:
        described = message.field.add(
            name=field.name,
            number=field.number,
            label=_LABEL.Value("LABEL_REPEATED" if field.repeated else "LABEL_OPTIONAL"),
        )
        if field.type in _MESSAGES:
            described.type_name = f".{_PACKAGE}.{field.type}"
        else:
            described.type = _TYPE.Value(f"TYPE_{field.type.upper()}")
        if field.value:
            described.oneof_index = 0
    return message


def _payload_class() -> Any:
    file = FileDescriptorProto(name="sparkplug_b.proto", package=_PACKAGE, syntax="proto2")
    file.message_type.extend(_message(name, fields) for name, fields in _MESSAGES.items())
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


Payload: Any = _payload_class()
"""One Sparkplug B message. Its class is made at run time, so type checkers know nothing of its fields."""
