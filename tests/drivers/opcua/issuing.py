"""Certificates for the servers, users and authorities of the tests."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from drivers.opcua.certificates import Certificate
from tests.drivers.opcua.server import APPLICATION_URI

LOOPBACK = x509.IPAddress(IPv4Address("127.0.0.1"))
NOW = datetime.now(UTC)


class Issued(NamedTuple):
    certificate: x509.Certificate
    key: RSAPrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def parsed(self) -> Certificate:
        return Certificate.parse(self.der)

    def write(self, folder: Path) -> Path:
        """As the test server wants it; returns `folder`."""
        folder.mkdir(exist_ok=True)
        (folder / "certificate.der").write_bytes(self.der)
        encoding, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        pem = self.key.private_bytes(encoding, pkcs8, serialization.NoEncryption())
        (folder / "key.pem").write_bytes(pem)
        return folder


@cache
def some_key(number: int = 0, bits: int = 2048) -> RSAPrivateKey:
    """`number` makes it another one."""
    return generate_private_key(65537, bits)


def issue(
    name: str = "machines",
    *,
    uri: str = APPLICATION_URI,
    hosts: Sequence[x509.GeneralName] = (LOOPBACK,),
    days: tuple[int, int] = (-1, 365),
    by: Issued | None = None,
    authority: bool = False,
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    key: RSAPrivateKey | None = None,
) -> Issued:
    """Signed by itself, or by the authority `by`; valid from and to so many days from now."""
    key = key or some_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), *hosts])
        builder = builder.add_extension(names, critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return Issued(builder.sign(by.key if by is not None else key, hashes.SHA256()), key)


def revocations(by: Issued, *revoked: Issued) -> bytes:
    """A revocation list in DER."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(by.certificate.subject)
        .last_update(NOW - timedelta(days=1))
        .next_update(NOW + timedelta(days=1))
    )
    for one in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(one.certificate.serial_number)
            .revocation_date(NOW - timedelta(days=1))
            .build()
        )
    return builder.sign(by.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
