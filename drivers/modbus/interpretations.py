"""What registers may mean: the same bytes in every byte and word order, and as every type of their size."""

from collections.abc import Sequence
from dataclasses import dataclass

from drivers.modbus.codec import Codec, Place
from drivers.modbus.options import ModbusTag, Order
from drivers.modbus.types import NUMBERS
from edge_agent.model.batch import Value
from edge_agent.model.quality import Quality

_DIGITS = {"float16": 3, "float32": 7, "float64": 15}
"""So many are sure: the device's 229.4 is shown as such."""


@dataclass(frozen=True, slots=True)
class Orders:
    """A byte order and a word order, with the name by which manuals know them together."""

    name: str
    byte_order: Order
    word_order: Order


ORDERS = (
    Orders("ABCD", "big", "big"),
    Orders("CDAB", "big", "little"),
    Orders("BADC", "little", "big"),
    Orders("DCBA", "little", "little"),
)


def types_as_large_as(type_name: str) -> list[str]:
    """The numeric types of as many registers; none if a type has one register, where words have no order."""
    number = NUMBERS.get(type_name)
    if number is None or number.registers == 1:
        return []
    return [name for name, other in NUMBERS.items() if other.registers == number.registers]


def interpret(registers: Sequence[int], type_name: str, orders: Orders) -> str:
    """The registers of one value, read as `type_name` in these orders; or why they cannot be."""
    tag = ModbusTag.model_validate(
        {
            "id": "t",
            "table": "holding",
            "address": 0,
            "type": type_name,
            "byte_order": orders.byte_order,
            "word_order": orders.word_order,
        }
    )
    data = b"".join(register.to_bytes(2, "big") for register in registers)
    values, flaws = Codec([tag], [Place(0)], {}).decode(data)
    return _text(values[0], flaws.get(0), _DIGITS.get(type_name))


def _text(value: Value, flaw: Quality | None, digits: int | None) -> str:
    if flaw is not None:
        return f"({flaw.reason})"
    return f"{value:.{digits}g}" if isinstance(value, float) and digits is not None else str(value)
