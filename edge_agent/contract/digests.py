"""Sums of hashes: what a gateway counts of what it numbers, and a receiver of what it has.

A sum does not ask for an order, so neither side has to keep a day's messages, and what comes late is added.
Every payload has its number in it, so no two are the same. It shows what got lost or was changed on the way,
not who forged: that is for signatures.
"""

from collections.abc import Iterable
from hashlib import sha256

from edge_agent.contract import messages
from edge_agent.contract.messages import ClassDigest, Numbered, StatementOfRecord, Statements
from edge_agent.contract.topics import RecordClass, class_of_figures

_MODULUS = 1 << 256

_CLASSES: dict[type[Numbered], RecordClass] = {
    messages.Telemetry: RecordClass.READINGS,
    messages.State: RecordClass.STATES,
    messages.Event: RecordClass.EVENTS,
    messages.RegisterMessage: RecordClass.REGISTER,
    messages.Account: RecordClass.ACCOUNTS,
    messages.Capacity: RecordClass.CAPACITY,
    messages.Settlement: RecordClass.SETTLEMENTS,
    messages.Digest: RecordClass.DIGESTS,
}


def class_of(message: Numbered) -> RecordClass:
    """The class under which a digest counts a message."""
    if isinstance(message, Statements | StatementOfRecord):
        return class_of_figures(message.definition.weight)
    return _CLASSES[type(message)]


def counted(name: str, first: int, last: int, hashes: Iterable[bytes]) -> ClassDigest:
    """So much of one class as has these hashes, SHA-256 of each payload."""
    values = [int.from_bytes(one) for one in hashes]
    return ClassDigest(name, len(values), first, last, _hex(sum(values)))


def added(one: ClassDigest, other: ClassDigest) -> ClassDigest:
    """Both together."""
    return ClassDigest(
        one.class_,
        one.count + other.count,
        min(one.first, other.first),
        max(one.last, other.last),
        _hex(int(one.sum, 16) + int(other.sum, 16)),
    )


def without(one: ClassDigest, hashed: bytes) -> ClassDigest:
    """One message less."""
    total = int(one.sum, 16) - int.from_bytes(hashed)
    return ClassDigest(one.class_, one.count - 1, one.first, one.last, _hex(total))


def hash_of(payload: bytes) -> bytes:
    return sha256(payload).digest()


def _hex(total: int) -> str:
    return f"{total % _MODULUS:064x}"
