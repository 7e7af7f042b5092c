"""Certificates for gateways: what both sides make of a request and of its answer.

For whoever signs, too: `check_request`, `renewal_flaw`, `granted`, `refused`. Needs nothing of the agent.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TypeVar

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge_agent.contract.canonical import canonical
from edge_agent.contract.messages import EnrolmentRequest, EnrolmentResponse, decode, encode

SIZE_LIMIT = 65_536
"""Bytes of a request or an answer at most; a chain of ten certificates has 15,000."""
CHAIN_LIMIT = 8
"""Certificates between a gateway and its authority at most."""
M = TypeVar("M", EnrolmentRequest, EnrolmentResponse)
_UNSIGNED = frozenset({"signature", "proof"})
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the library says of bytes that are no certificate or request."""


class EnrolmentError(Exception):
    """A request or a certificate that must not be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Whom a certificate is for."""

    region: str
    enterprise: str
    id: str

    @property
    def urn(self) -> str:
        return f"urn:fta:{self.region}:{self.enterprise}:{self.id}"

    @property
    def subject(self) -> x509.Name:
        """O, OU and CN; the common name alone is unique within the enterprise only."""
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.enterprise),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, self.region),
                x509.NameAttribute(NameOID.COMMON_NAME, self.id),
            ]
        )

    def __str__(self) -> str:
        return f"{self.region}/{self.enterprise}/{self.id}"


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A request that is right in itself. Whether the gateway may have a certificate is for others to say."""

    message: EnrolmentRequest
    gateway: Gateway
    csr: x509.CertificateSigningRequest
    renews: x509.Certificate | None
    """The present certificate, whose key has proved to be the asker's."""

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.message.id)


def request_id(key: ec.EllipticCurvePublicKey, signing_key: str) -> str:
    """SHA-256 (hex) over both public keys of a gateway: that of the certificate and that of statements."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(spki + bytes.fromhex(signing_key)).hexdigest()


def fingerprint(id: str) -> str:
    """A request's id for the telephone: 24 digits in groups of 4, which are 80 bits of it."""
    digits = f"{int(id, 16) % 10**24:024d}"
    return " ".join(digits[start : start + 4] for start in range(0, 24, 4))


def to_be_signed(message: EnrolmentRequest) -> bytes:
    """What `signature` and `proof` are made over: canonical JSON of everything else."""
    members = msgspec.json.decode(encode(message))
    return canonical({name: value for name, value in members.items() if name not in _UNSIGNED})


def make_csr(gateway: Gateway, key: ec.EllipticCurvePrivateKey) -> str:
    """PKCS#10 in PEM."""
    csr = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(gateway.subject)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(gateway.urn)]), critical=False
        )
        .sign(key, SHA256())
    )
    return csr.public_bytes(Encoding.PEM).decode()


def check_request(payload: bytes) -> CheckedRequest:
    """A request whose signatures hold and which says one thing throughout. Raises EnrolmentError."""
    message = _message(payload, EnrolmentRequest, "a request")
    try:
        csr = x509.load_pem_x509_csr(message.csr.encode())
        key, signed_well = csr.public_key(), csr.is_signature_valid
        gateway = _named(csr.subject, _uris(csr.extensions))
    except _UNREADABLE as error:
        raise EnrolmentError(f"csr cannot be read: {error}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise EnrolmentError("the key of csr is not one of the curve P-256")
    if not signed_well:
        raise EnrolmentError("csr is not signed with the key that it names")
    if not re.fullmatch("[0-9a-f]{64}", message.key):
        raise EnrolmentError("key: expected 64 digits in hex")
    if message.id != request_id(key, message.key):
        raise EnrolmentError("id is not that of the two keys")
    over = to_be_signed(message)
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(message.key)).verify(
            bytes.fromhex(message.signature), over
        )
    except (InvalidSignature, ValueError) as error:
        raise EnrolmentError("the signature is not that of key") from error
    return CheckedRequest(message, gateway, csr, _renewed(message, gateway, over))


def _message(payload: bytes, kind: type[M], what: str) -> M:
    """Raises EnrolmentError for what is none of this kind."""
    if len(payload) > SIZE_LIMIT:
        raise EnrolmentError(f"{len(payload):,} bytes: too large for {what} 报文过大")
    try:
        message = decode(payload)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise EnrolmentError(f"cannot be read as {what} 无法解析: {error}") from error
    if not isinstance(message, kind):
        raise EnrolmentError(f"a message of another kind than {what} 报文类型不符")
    return message


def _named(subject: x509.Name, uris: list[str]) -> Gateway:
    """Raises ValueError."""

    def only(oid: x509.ObjectIdentifier) -> str:
        found = subject.get_attributes_for_oid(oid)
        if len(found) != 1:
            raise ValueError("the subject needs one O, one OU and one CN")
        return str(found[0].value)

    gateway = Gateway(
        only(NameOID.ORGANIZATIONAL_UNIT_NAME), only(NameOID.ORGANIZATION_NAME), only(NameOID.COMMON_NAME)
    )
    for part in (gateway.region, gateway.enterprise, gateway.id):
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", part):
            raise ValueError(f"{part!r} in the subject is not a code or an id")
    if uris != [gateway.urn]:
        raise ValueError(f"the subject alternative name is not {gateway.urn}")
    return gateway


def _uris(extensions: x509.Extensions) -> list[str]:
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def _renewed(message: EnrolmentRequest, gateway: Gateway, over: bytes) -> x509.Certificate | None:
    """The certificate that is to be renewed, if the request proves that its key is there."""
    if not message.renews:
        return None
    try:
        present = x509.load_pem_x509_certificate(message.renews.encode())
        key = present.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise EnrolmentError("renews has a key of another kind")
        key.verify(bytes.fromhex(message.proof), over, ec.ECDSA(SHA256()))
    except InvalidSignature as error:
        raise EnrolmentError("proof is not by the key of the certificate that is to be renewed") from error
    except _UNREADABLE as error:
        raise EnrolmentError(f"renews or proof cannot be read: {error}") from error
    wrong = names_flaw(present, gateway)
    if wrong:
        raise EnrolmentError(f"renews: {wrong}")
    return present


def renewal_flaw(request: CheckedRequest, authority: x509.Certificate, now: datetime) -> str:
    """Why `authority` cannot renew without a person looking at the request; empty if it can.

    Whether the present certificate was revoked is for the authority to say.
    """
    present = request.renews
    if present is None:
        return "it renews nothing"
    if not _issued(present, authority):
        return "the certificate that is to be renewed is by another authority"
    return validity_flaw(present, now)


def granted(request: CheckedRequest, certificate: str, time_ms: int) -> EnrolmentResponse:
    """The answer with a certificate: PEM, with those between it and the authority after it."""
    return EnrolmentResponse(id=request.message.id, time=time_ms, certificate=certificate)


def refused(request: CheckedRequest, reason: str, time_ms: int) -> EnrolmentResponse:
    return EnrolmentResponse(id=request.message.id, time=time_ms, reason=reason)


# What the gateway makes of the answer.


def read_response(payload: bytes) -> EnrolmentResponse:
    """Raises EnrolmentError for what is none."""
    return _message(payload, EnrolmentResponse, "an answer")


def read_certificates(pem: bytes) -> list[x509.Certificate]:
    """Those in PEM text, in their order. Raises EnrolmentError if there is none."""
    if len(pem) > SIZE_LIMIT:
        raise EnrolmentError(f"{len(pem):,} bytes: too large for a certificate 文件过大")
    try:
        certificates = x509.load_pem_x509_certificates(pem)
        for one in certificates:
            _ = one.extensions, one.subject  # what is read late is found to be broken late
    except _UNREADABLE as error:
        raise EnrolmentError(f"cannot be read as a certificate 无法读取证书: {error}") from error
    if len(certificates) > CHAIN_LIMIT:
        raise EnrolmentError(f"{len(certificates)} certificates: too many for a chain 证书链过长")
    return certificates


def check_certificate(
    certificates: list[x509.Certificate],
    gateway: Gateway,
    key: ec.EllipticCurvePublicKey,
    authorities: list[x509.Certificate] | None,
    now: datetime,
) -> None:
    """Whether the first of `certificates` serves `gateway` with `key`. Raises EnrolmentError.

    With `authorities` it has to lead to one of them, by way of the others.
    """
    own, *between = certificates
    try:
        fits = own.public_key() == key
    except _UNREADABLE:  # a key of a kind that the library does not know
        fits = False
    if not fits:
        raise EnrolmentError("the certificate is for another key 证书与本机密钥不符")
    wrong = names_flaw(own, gateway) or validity_flaw(own, now) or _usage_flaw(own)
    if not wrong and authorities is not None and not _leads_to(own, between, authorities, now):
        wrong = "the certificate leads to none of the authorities in tls.ca 证书不是由 tls.ca 中的机构签发"
    if wrong:
        raise EnrolmentError(wrong)


def names_flaw(certificate: x509.Certificate, gateway: Gateway) -> str:
    """What in its names is not `gateway`'s; an authority may leave out all but the common name."""
    try:
        ours = {attribute.oid: str(attribute.value) for attribute in gateway.subject}
        names = {oid: certificate.subject.get_attributes_for_oid(oid) for oid in ours}
        uris = [uri for uri in _uris(certificate.extensions) if uri.startswith("urn:fta:")]
    except _UNREADABLE as error:
        return f"its names cannot be read 无法读取证书名称: {error}"
    found = [str(attribute.value) for attribute in names[NameOID.COMMON_NAME]]
    others = [str(a.value) for oid, several in names.items() for a in several if str(a.value) != ours[oid]]
    if found != [gateway.id] or others or not set(uris) <= {gateway.urn}:
        return (
            f"the certificate names {certificate.subject.rfc4514_string()} {' '.join(uris)}".rstrip()
            + f" and not {gateway} 证书属于其他网关"
        )
    return ""


def validity_flaw(certificate: x509.Certificate, now: datetime) -> str:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > ends:
        return f"the certificate ended on {ends:%Y-%m-%d %H:%M} UTC 证书已过期"
    if now < begins:
        return (
            f"the certificate begins on {begins:%Y-%m-%d %H:%M} UTC, and this clock says {now:%Y-%m-%d %H:%M}"
            " 证书尚未生效，请检查时钟"
        )
    return ""


def _usage_flaw(certificate: x509.Certificate) -> str:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return ""
    client, any_ = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
    return "" if {client, any_} & set(usages) else "the certificate is not one for clients 证书不能用于客户端"


def _leads_to(
    own: x509.Certificate,
    between: list[x509.Certificate],
    authorities: list[x509.Certificate],
    now: datetime,
) -> bool:
    left = list(between)
    while True:
        if any(_issued(own, authority) for authority in authorities):
            return True
        above = next((one for one in left if _issued(own, one) and not validity_flaw(one, now)), None)
        if above is None:
            return False
        left.remove(above)
        own = above


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        if not issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        certificate.verify_directly_issued_by(issuer)
    except (*_UNREADABLE, x509.ExtensionNotFound, InvalidSignature):
        return False
    return True


def now_utc() -> datetime:
    """By the system's clock, which TLS goes by, too."""
    return datetime.now(UTC)
