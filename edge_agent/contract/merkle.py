"""Merkle trees as in RFC 6962, 2.1: one digest over many lines, whose single lines can be shown to belong."""

from collections.abc import Sequence
from hashlib import sha256


def leaf(line: bytes) -> bytes:
    """The hash of one line."""
    return sha256(b"\x00" + line).digest()


def root(leaves: Sequence[bytes]) -> str:
    """The root over hashes of lines, in their order, in hex; that of no lines is the SHA-256 of nothing."""
    level = list(leaves)
    if not level:
        return sha256().hexdigest()
    while len(level) > 1:
        # A last one without a neighbour goes up as it is, which gives the tree of the RFC.
        above = [
            sha256(b"\x01" + left + right).digest()
            for left, right in zip(level[::2], level[1::2], strict=False)
        ]
        level = [*above, level[-1]] if len(level) % 2 else above
    return level[0].hex()
