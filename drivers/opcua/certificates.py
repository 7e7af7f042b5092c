"""X.509 certificates as OPC UA uses them: what one says, and a new one for the agent itself."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KEY_BITS = 2048
"""What every policy in use accepts, and small controllers still verify in time."""
LIFETIME = timedelta(days=5 * 365)
BACKDATED = timedelta(days=1)
"""A controller whose clock is behind by hours must not take the certificate for one of the future."""


@dataclass(frozen=True)
class Certificate:
    """One certificate; equal to another if it is the same, byte for byte."""

    der: bytes
    parsed: x509.Certificate = field(repr=False, compare=False)

    @classmethod
    def parse(cls, data: bytes) -> "Certificate":
        """From PEM or DER; of a chain the first, which is the owner's. Raises ValueError."""
        if data.lstrip().startswith(b"-----BEGIN"):
            certificate = x509.load_pem_x509_certificate(data)
        else:
            certificate = x509.load_der_x509_certificate(_first(data))
        return cls(certificate.public_bytes(serialization.Encoding.DER), certificate)

    @cached_property
    def thumbprint(self) -> str:
        """SHA-1 in hexadecimal: how OPC UA names certificates, and what controllers and UaExpert show."""
        return hashlib.sha1(self.der, usedforsecurity=False).hexdigest().upper()

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.der).hexdigest().upper()

    @property
    def subject(self) -> str:
        return self.parsed.subject.rfc4514_string()

    @property
    def valid_from(self) -> datetime:
        return self.parsed.not_valid_before_utc

    @property
    def valid_until(self) -> datetime:
        return self.parsed.not_valid_after_utc

    @property
    def validity(self) -> str:
        return f"{self.valid_from:%Y-%m-%d} to {self.valid_until:%Y-%m-%d}"

    @cached_property
    def uris(self) -> Sequence[str]:
        """The application URI, and whatever else of that kind."""
        names = self._names()
        return names.get_values_for_type(x509.UniformResourceIdentifier) if names is not None else ()

    @cached_property
    def hosts(self) -> Sequence[str]:
        """Host names and IP addresses for which it was issued."""
        names = self._names()
        if names is None:
            return ()
        addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
        return [*names.get_values_for_type(x509.DNSName), *addresses]

    @cached_property
    def rsa_bits(self) -> int:
        """Length of the RSA key; 0 for a key of another kind."""
        try:
            key = self.parsed.public_key()
        except ValueError:
            return 0
        return key.key_size if isinstance(key, RSAPublicKey) else 0

    def serves(self) -> bool:
        """Whether its extended key usage, if it has one, lets a server show it."""
        try:
            usage = self.parsed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except x509.ExtensionNotFound:
            return True
        except ValueError:
            return False
        return ExtendedKeyUsageOID.SERVER_AUTH in usage

    def is_authority(self) -> bool:
        try:
            return self.parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except (x509.ExtensionNotFound, ValueError):
            return False

    def _names(self) -> x509.SubjectAlternativeName | None:
        try:
            return self.parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (x509.ExtensionNotFound, ValueError):
            return None


class NewCertificate(NamedTuple):
    certificate: bytes
    """DER"""
    key: bytes
    """PEM, PKCS #8, not encrypted"""


def self_signed(host: str, now: datetime, lifetime: timedelta = LIFETIME) -> NewCertificate:
    """A client's application instance certificate after OPC 10000-6, 6.2.2; takes up to a second of CPU."""
    host = re.sub(r"[^A-Za-z0-9.-]", "-", host).strip(".-")[:48] or "gateway"
    key = generate_private_key(65537, KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"edge-agent@{host}")])
    public = key.public_key()
    names = [x509.UniformResourceIdentifier(f"urn:{host}:edge-agent"), x509.DNSName(host)]
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=True,
        data_encipherment=True,
        key_cert_sign=True,  # as 10000-6 asks of self-signed ones
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=False)
        .add_extension(usage, critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return NewCertificate(
        certificate.public_bytes(serialization.Encoding.DER),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def private_key(data: bytes) -> RSAPrivateKey:
    """From PEM or DER without a password. Raises ValueError or TypeError."""
    load = (
        serialization.load_pem_private_key
        if data.lstrip().startswith(b"-----BEGIN")
        else serialization.load_der_private_key
    )
    key = load(data, password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("expected an RSA key")
    return key


def today() -> datetime:
    """Certificates are judged by the calendar, so by the system's clock as it stands."""
    return datetime.now(UTC)


def _first(chain: bytes) -> bytes:
    """The first of several DER certificates one after the other: a SEQUENCE tells its own length."""
    if len(chain) < 4 or chain[0] != 0x30:
        raise ValueError("not a certificate")
    count = chain[1] & 0x7F if chain[1] & 0x80 else 0
    length = int.from_bytes(chain[2 : 2 + count], "big") if count else chain[1]
    return chain[: 2 + count + length]
