"""The folder of certificates: the agent's own, those of trusted servers, and those set aside.

    own/          the agent's certificates (.der) with their private keys (.pem, for nobody else to read)
    trusted/      servers that were accepted, one by one
    rejected/     servers that showed a certificate nobody has accepted
    authorities/  authorities whose servers are all accepted, and their revocation lists (.crl)

Everything here reads and writes files at once: call it in a thread.
"""

import logging
import os
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from drivers.opcua.certificates import Certificate, private_key, self_signed, today

RENEW_BEFORE = timedelta(days=90)
"""How long the old and the new certificate are valid side by side: time to have servers accept the new."""
REJECTED_KEPT = 50
"""Certificates set aside at most: whoever is at the other end must not be able to fill the disk."""

_SUFFIXES = {".der", ".cer", ".crt", ".pem"}
_making = threading.Lock()
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """A certificate of the agent's own, with which it introduces itself to servers."""

    certificate: Certificate
    key: RSAPrivateKey = field(repr=False, compare=False)
    path: Path

    @property
    def application_uri(self) -> str:
        return next(iter(self.certificate.uris), "")


@dataclass(frozen=True)
class Entry:
    """A server's certificate in the folder."""

    certificate: Certificate
    path: Path

    @property
    def origin(self) -> str:
        """Where it was seen first, as host:port; empty if somebody put the file there."""
        match = re.fullmatch(r"(.+)_(\d+)_[0-9A-F]{40}", self.path.stem)
        return f"{match[1]}:{match[2]}" if match else ""


def default_folder() -> Path:
    """Where a service has its state, or else where a user's programs have theirs."""
    of_service = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if of_service:
        return Path(of_service, "pki", "opcua")
    of_user = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    return Path(of_user, "edge-agent", "pki", "opcua")


class Pki:
    """All methods may raise OSError."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def own(self) -> list[Identity]:
        """The agent's identities, newest first; never empty.

        A new one is made when there is none, and before the last one ends. Servers have to accept it
        first: the old one is kept, and stays of use, until its end.
        """
        with _making:
            now = today()
            identities = []
            for identity in self._read_own():
                if identity.certificate.valid_until <= now:
                    identity.path.with_suffix(".pem").unlink(missing_ok=True)
                    identity.path.unlink(missing_ok=True)
                elif identity.certificate.valid_from <= now:
                    identities.append(identity)
            if all(one.certificate.valid_until - now < RENEW_BEFORE for one in identities):
                identities.append(self._make())
            return sorted(identities, key=_age, reverse=True)

    def own_if_any(self) -> list[Identity]:
        """As they lie in the folder, expired ones too; makes none."""
        return sorted(self._read_own(), key=_age, reverse=True)

    def trusted(self) -> list[Entry]:
        return list(self._entries("trusted"))

    def rejected(self) -> list[Entry]:
        return list(self._entries("rejected"))

    def authorities(self) -> list[Entry]:
        return list(self._entries("authorities"))

    def is_trusted(self, certificate: Certificate) -> bool:
        """Whether exactly this certificate was accepted."""
        return any(entry.certificate == certificate for entry in self._entries("trusted"))

    def authority_of(self, certificate: Certificate) -> Certificate | None:
        """The trusted authority that issued `certificate`, if any; a revoked one has none."""
        for entry in self.authorities():
            authority = entry.certificate
            if (
                authority.is_authority()
                and authority.valid_from <= today() < authority.valid_until
                and _issued(certificate, authority)
                and not self._is_revoked(certificate, authority)
            ):
                return authority
        return None

    def set_aside(self, certificate: Certificate, origin: str) -> None:
        """Keep it in `rejected`, the oldest making room. `origin` is host:port."""
        folder = self._folder("rejected")
        if any(entry.certificate == certificate for entry in self._entries("rejected")):
            return
        oldest_first = sorted(self._entries("rejected"), key=lambda entry: entry.path.stat().st_mtime)
        for entry in oldest_first[: max(0, len(oldest_first) + 1 - REJECTED_KEPT)]:
            entry.path.unlink(missing_ok=True)
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", origin) + f"_{certificate.thumbprint}.der"
        (folder / name).write_bytes(certificate.der)
        _give_to_owner(folder / name)

    def accept(self, fingerprint: str) -> Entry:
        """Move a certificate from `rejected` to `trusted`. Raises LookupError if there is no such."""
        entry = self._find("rejected", fingerprint)
        accepted = self._folder("trusted") / entry.path.name
        entry.path.replace(accepted)
        return Entry(entry.certificate, accepted)

    def remove(self, fingerprint: str) -> Entry:
        """Move a certificate from `trusted` back to `rejected`. Raises LookupError if there is no such."""
        entry = self._find("trusted", fingerprint)
        removed = self._folder("rejected") / entry.path.name
        entry.path.replace(removed)
        return Entry(entry.certificate, removed)

    def _find(self, part: str, fingerprint: str) -> Entry:
        wanted = re.sub(r"[\s:]", "", fingerprint).upper()
        for entry in self._entries(part):
            if wanted in (entry.certificate.thumbprint, entry.certificate.sha256):
                return entry
        raise LookupError(f"no certificate in {self.folder / part} has the fingerprint {fingerprint}")

    def _entries(self, part: str) -> Iterator[Entry]:
        for path in sorted((self.folder / part).glob("*")):
            if path.suffix.lower() not in _SUFFIXES:
                continue
            try:
                yield Entry(Certificate.parse(path.read_bytes()), path)
            except ValueError as error:
                _log.warning("%s is no certificate: %s", path, error)
            except FileNotFoundError:
                continue  # moved by somebody else meanwhile

    def _is_revoked(self, certificate: Certificate, authority: Certificate) -> bool:
        for path in sorted((self.folder / "authorities").glob("*.crl")):
            data = path.read_bytes()
            try:
                listed = (
                    x509.load_pem_x509_crl(data)
                    if data.lstrip().startswith(b"-----BEGIN")
                    else x509.load_der_x509_crl(data)
                )
                theirs = listed.issuer == authority.parsed.subject and listed.is_signature_valid(
                    authority.parsed.public_key()  # type: ignore[arg-type]  # other kinds raise TypeError
                )
            except (ValueError, TypeError) as error:
                _log.warning("%s is no revocation list: %s", path, error)
                continue
            if theirs and listed.get_revoked_certificate_by_serial_number(certificate.parsed.serial_number):
                return True
        return False

    def _read_own(self) -> Iterator[Identity]:
        for path in sorted((self.folder / "own").glob("*.der")):
            try:
                certificate = Certificate.parse(path.read_bytes())
                yield Identity(certificate, private_key(path.with_suffix(".pem").read_bytes()), path)
            except (ValueError, TypeError, FileNotFoundError) as error:
                _log.warning("%s cannot be used as own certificate: %s", path, error)

    def _make(self) -> Identity:
        folder = self._folder("own")
        folder.chmod(0o700)
        made = self_signed(socket.gethostname(), today())
        certificate = Certificate.parse(made.certificate)
        path = folder / f"edge-agent_{certificate.thumbprint}.der"
        # The key first: a certificate without its key would be useless, a key alone is not looked at.
        with os.fdopen(
            os.open(path.with_suffix(".pem"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
        ) as file:
            file.write(made.key)
        path.write_bytes(made.certificate)
        _give_to_owner(path.with_suffix(".pem"), path)
        _log.info("made the agent's certificate %s, valid %s", path, certificate.validity)
        return Identity(certificate, private_key(made.key), path)

    def _folder(self, part: str) -> Path:
        folder = self.folder / part
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        _give_to_owner(*reversed(missing))
        return folder


def _give_to_owner(*paths: Path) -> None:
    """What root makes in the folder of a service, with a command, the service must be able to use."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        for path in paths:
            above = path.parent.stat()
            os.chown(path, above.st_uid, above.st_gid)


def _age(identity: Identity) -> tuple[datetime, datetime]:
    return identity.certificate.valid_from, identity.certificate.valid_until


def _issued(certificate: Certificate, authority: Certificate) -> bool:
    try:
        certificate.parsed.verify_directly_issued_by(authority.parsed)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
