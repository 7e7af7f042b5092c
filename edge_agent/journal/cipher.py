"""Whether what is recorded can be read by whoever has the card: encrypted with a key, or as it is."""

import hashlib
import os
import stat
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from edge_agent.journal.runs import DamagedRunError

KEY_BYTES = 32
_NONCE_BYTES = 12
_NAME = b"edge-agent journal key"
"""Goes before the key where its id is made, so that the id says nothing of what else is made of a key."""


class JournalKeyError(Exception):
    """The key cannot be read, or it is not the one that the journal was encrypted with."""


class JournalKeyUnreadError(JournalKeyError):
    """The key's file cannot be read now: it may come with a medium that is not there yet."""


class Cipher(Protocol):
    @property
    def key_id(self) -> int:
        """Tells keys apart: 32 bits with a sign, as SQLite's `application_id` is; 0: no key."""

    def seal(self, content: bytes) -> bytes:
        """`content` as it is kept."""

    def open(self, sealed: bytes) -> bytes:
        """What was sealed. Raises DamagedRunError if this is not what this key made of it."""


class _Plain:
    """Kept as it is."""

    key_id = 0

    def seal(self, content: bytes) -> bytes:
        return content

    def open(self, sealed: bytes) -> bytes:
        return sealed


PLAIN: Cipher = _Plain()


class KeyCipher:
    """ChaCha20-Poly1305 with a random nonce before each piece.

    At fifty pieces a second two have the same nonce within ten years with a probability of 2^-29. AES-GCM
    is as fast only where the processor has instructions for it, which a Raspberry Pi 4 does not.
    """

    def __init__(self, key: bytes) -> None:
        """`key`: 32 random bytes."""
        self._aead = ChaCha20Poly1305(key)
        digest = hashlib.sha256(_NAME + key).digest()
        self.key_id = int.from_bytes(digest[:4], "big", signed=True) or 1

    def seal(self, content: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, content, None)

    def open(self, sealed: bytes) -> bytes:
        try:
            return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        except (InvalidTag, ValueError) as error:  # the second: it is too short
            raise DamagedRunError("it is not as it was encrypted") from error


def cipher_of(key_file: Path | None) -> Cipher:
    """With the key of a file, 64 hexadecimal digits; without a file nothing is encrypted.

    Raises JournalKeyError.
    """
    if key_file is None:
        return PLAIN
    try:
        text = key_file.read_bytes()
    except FileNotFoundError as error:
        raise JournalKeyUnreadError(
            f"日志队列密钥不存在 the journal's key is not there: {key_file}. Put the file back."
            f" If this gateway has no key yet, make one: edge-agent journal key {key_file}"
        ) from error
    except OSError as error:
        raise JournalKeyUnreadError(
            f"日志队列密钥无法读取 the journal's key cannot be read: {key_file}: {error.strerror}."
            " The user that the agent runs as has to be able to read it."
        ) from error
    try:
        key = bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise JournalKeyError(
            f"日志队列密钥格式不对 this is no key for the journal: {key_file}: expected {2 * KEY_BYTES}"
            " hexadecimal digits, as `edge-agent journal key FILE` writes them"
        )
    return KeyCipher(key)


def check_key(cipher: Cipher, key_id: int, path: Path) -> None:
    """Raises JournalKeyError if the file at `path`, of which `key_id` is known, is not for `cipher`."""
    if key_id == cipher.key_id:
        return
    convert = "while the agent is stopped: edge-agent journal convert CONFIG"
    if not key_id:
        raise JournalKeyError(
            f"日志队列未加密，而配置给出了密钥 {path} is not encrypted, and journal.key_file names a key."
            f" Encrypt it, {convert}. Or take key_file out of the configuration."
        )
    if not cipher.key_id:
        raise JournalKeyError(
            f"日志队列已加密，而配置未给出密钥 {path} is encrypted, and no key is given. Put journal.key_file"
            f" back into the configuration. Or decrypt it, {convert} --old-key FILE."
        )
    raise JournalKeyError(
        f"密钥不符：日志队列由另一把密钥加密 {path} is encrypted with another key than the one given."
        f" Put that one back. Or, if the key is to be changed, convert the journal, {convert} --old-key FILE."
    )


def make_key(path: Path) -> None:
    """A new key in a new file that its owner alone can read. Raises OSError, FileExistsError among them."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(os.urandom(KEY_BYTES).hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
