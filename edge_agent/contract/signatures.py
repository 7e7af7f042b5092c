"""Whether figures are what their gateway signed: for whoever receives them."""

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge_agent.contract.canonical import canonical_line, signed_part
from edge_agent.contract.merkle import leaf, root
from edge_agent.contract.messages import (
    EquipmentEvidence,
    ProcessEvidence,
    Settlement,
    StatementOfRecord,
    Statements,
)

Signed = Statements | StatementOfRecord | Settlement


def flaw(message: Signed, payload: bytes) -> str:
    """What is wrong with a message's signature, or with the evidence that it covers; empty if nothing is.

    `payload` is what `message` was decoded from. That the key is the gateway's is for others to say.
    """
    if not message.signature:
        return "it is not signed"
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(message.key))
        key.verify(bytes.fromhex(message.signature), signed_part(msgspec.json.decode(payload)))
    except (InvalidSignature, ValueError):
        return "the signature is not valid: it was changed, or signed with another key"
    if isinstance(message, Settlement):
        return ""
    evidence = message.evidence if isinstance(message, StatementOfRecord) else message
    lines: list[EquipmentEvidence | ProcessEvidence] = [*evidence.equipment, *evidence.processes]
    whole = root([leaf(canonical_line(line)) for line in lines])
    if any(figure.evidence != whole for figure in message.figures if figure.scope.level == "enterprise"):
        return "the evidence is not the one that was signed"
    return ""
