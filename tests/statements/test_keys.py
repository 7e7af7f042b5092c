"""The signing key: made once, for its owner alone, refused when damaged."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge_agent.statements.keys import KEY_FILE, KeyFileError, signing_key


def test_a_key_is_made_once_and_signs(tmp_path: Path) -> None:
    key = signing_key(tmp_path)
    file = tmp_path / KEY_FILE
    assert os.name == "nt" or stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().startswith("-----BEGIN PRIVATE KEY-----")
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE], "nothing is left beside it"
    again = signing_key(tmp_path)
    assert again.public == key.public
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.public))
    public.verify(bytes.fromhex(again.sign(b"78 %")), b"78 %")
    with pytest.raises(InvalidSignature):
        public.verify(bytes.fromhex(again.sign(b"78 %")), b"79 %")


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    assert signing_key(tmp_path).public == signing_key(tmp_path).public
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_a_damaged_key_is_no_reason_to_make_another(tmp_path: Path) -> None:
    signing_key(tmp_path)
    file = tmp_path / KEY_FILE
    damaged = file.read_bytes()[:60]
    file.write_bytes(damaged)
    with pytest.raises(KeyFileError, match=r"signing-key\.pem: cannot be read as a private key"):
        signing_key(tmp_path)
    assert file.read_bytes() == damaged


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / KEY_FILE).write_bytes(pem)
    with pytest.raises(KeyFileError, match="is not an Ed25519 key"):
        signing_key(tmp_path)


def test_processes_that_start_together_get_one_key(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; sys.stdin.read();"
        "from edge_agent.statements.keys import signing_key;"
        "print(signing_key(pathlib.Path(sys.argv[1])).public)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    several = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for one in several:
        assert one.stdin is not None
        one.stdin.close()
        one.stdin = None
    keys = [one.communicate(timeout=60)[0].strip() for one in several]
    assert set(keys) == {signing_key(tmp_path).public}
