"""The key that the gateway signs with: Ed25519, made at the first start, never leaves the data folder."""

import os
import tempfile
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from msgspec.structs import replace

from edge_agent.contract.canonical import signed_part
from edge_agent.contract.messages import Statements, encode
from edge_agent.whole import sync_folder

KEY_FILE = "signing-key.pem"


class KeyFileError(Exception):
    """The key's file is there and holds no key that can be used."""


class SigningKey:
    """The private key; `public` is the 32 bytes of the public one in hex, by which statements name it."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw().hex()

    def sign(self, data: bytes) -> str:
        """The signature in hex: 64 bytes, always the same for the same data."""
        return self._key.sign(data).hex()


def signed(figures: Statements, key: SigningKey) -> Statements:
    """Figures of the moment with their signature."""
    keyed = replace(figures, key=key.public)
    bare = replace(keyed, equipment=(), processes=())
    return replace(keyed, signature=key.sign(signed_part(msgspec.json.decode(encode(bare)))))


def signing_key(folder: Path) -> SigningKey:
    """The key of a data folder, made if there is none yet. Raises KeyFileError, OSError."""
    path = folder / KEY_FILE
    if not path.exists():
        _make(path)
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(
            f"{path}: cannot be read as a private key ({error}). Put the right file in its place, or move it "
            "away: then a new key is made, and the region has to be told."
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: is not an Ed25519 key")
    return SigningKey(key)


def _make(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # Under its name there is never half a key, and of two processes at once one key stays.
    file, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)  # for its owner alone
    draft = Path(name)
    try:
        with os.fdopen(file, "wb") as target:
            target.write(pem)
            target.flush()
            os.fsync(target.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        except OSError:  # a file system without links, such as FAT
            draft.replace(path)
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)
