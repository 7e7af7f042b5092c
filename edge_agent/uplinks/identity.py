"""A gateway's own key and certificate for one broker, as files in the data folder.

`<uplink>.pem` has the key and the certificate in one file, which is replaced as a whole: whenever the process
is killed, the two belong together. `<uplink>.next.key` is the key that a certificate is asked for.
"""

from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from msgspec.structs import replace

from edge_agent.config.models import DEFAULT_ROOT, GatewayOptions, MqttUplinkOptions, UplinkOptions
from edge_agent.config.site import root_of
from edge_agent.contract.enrolment import (
    EnrolmentError,
    Gateway,
    check_certificate,
    make_csr,
    now_utc,
    read_certificates,
    read_response,
    request_id,
    to_be_signed,
)
from edge_agent.contract.messages import EnrolmentRequest
from edge_agent.model.clock import CLOCK
from edge_agent.statements.keys import SigningKey
from edge_agent.whole import write_whole

FOLDER_MODE = 0o700


class Identity:
    """What one uplink shows to its broker. All methods may raise OSError."""

    def __init__(
        self, file: Path, gateway: Gateway, root: str, signing_key: SigningKey, ca: Path | None = None
    ) -> None:
        """`file` is that of key and certificate, `root` that of the topics; `ca` has the authorities that a
        certificate has to lead to.
        """
        self.file = file
        self.gateway = gateway
        self.root = root
        self._signing_key = signing_key
        self._ca = ca
        self._next_file = file.with_name(f"{file.stem}.next.key")

    def present(self) -> x509.Certificate | None:
        """The certificate that holds; None if there is none. Raises EnrolmentError for a damaged file."""
        if not self.file.exists():
            return None
        try:
            return read_certificates(self.file.read_bytes())[0]
        except EnrolmentError as error:
            raise EnrolmentError(
                f"{self.file}: {error}. Move it away, and enrol anew 请移走此文件并重新申请"
            ) from error

    def request(self) -> EnrolmentRequest:
        """The request for a certificate; made again it is for the same key, until that has its certificate.

        Raises EnrolmentError for a damaged file.
        """
        present = self.present()
        key = self._next_key()
        if present is not None and present.public_key() == key.public_key():
            # Killed between the certificate and this.
            self._next_file.unlink(missing_ok=True)
            key = self._next_key()
        message = EnrolmentRequest(
            id=request_id(key.public_key(), self._signing_key.public),
            time=CLOCK.now_ms(),
            csr=make_csr(self.gateway, key),
            key=self._signing_key.public,
            renews="" if present is None else present.public_bytes(Encoding.PEM).decode(),
        )
        over = to_be_signed(message)
        proof = "" if present is None else _key_in(self.file).sign(over, ec.ECDSA(SHA256())).hex()
        return replace(message, signature=self._signing_key.sign(over), proof=proof)

    def take(self, payload: bytes) -> x509.Certificate | None:
        """Install what the region answers; None if it is the answer to another request.

        Raises EnrolmentError, for a refusal too, which has changed nothing.
        """
        response = read_response(payload)
        if not self._next_file.exists():
            return None
        key = _key_in(self._next_file)
        if response.id != request_id(key.public_key(), self._signing_key.public):
            return None
        if not response.certificate:
            raise RefusedRequestError(response.reason or "without a reason 未说明原因")
        return self.install(response.certificate.encode())

    def install(self, pem: bytes) -> x509.Certificate:
        """Put a certificate for the next key in the place of the present one.

        `pem` may have those between it and the authority. Raises EnrolmentError, which has changed nothing.
        """
        certificates = read_certificates(pem)
        if not self._next_file.exists():
            present = self.present()
            if present == certificates[0]:
                return certificates[0]
            raise EnrolmentError(
                "no certificate was asked for here: no key waits for one 本机没有待签发的申请"
            )
        key = _key_in(self._next_file)
        authorities = None if self._ca is None else read_certificates(self._ca.read_bytes())
        check_certificate(certificates, self.gateway, key.public_key(), authorities, now_utc())
        chain = b"".join(one.public_bytes(Encoding.PEM) for one in certificates)
        write_whole(self.file, _pem_of(key) + chain, private=True)
        self._next_file.unlink(missing_ok=True)
        return certificates[0]

    def _next_key(self) -> ec.EllipticCurvePrivateKey:
        """The key that waits for its certificate, made if there is none."""
        if not self._next_file.exists():
            folder = self._next_file.parent
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(FOLDER_MODE)
            write_whole(self._next_file, _pem_of(ec.generate_private_key(ec.SECP256R1())), private=True)
        return _key_in(self._next_file)


class RefusedRequestError(EnrolmentError):
    """The region gives no certificate; the message is its reason."""


def identity_of(gateway: GatewayOptions, uplink: UplinkOptions, signing_key: SigningKey) -> Identity | None:
    """None for an uplink whose certificate is not for the agent to look after.

    An uplink without a root of its own, such as Sparkplug, enrols under the default one.
    """
    tls = uplink.tls
    if tls is None or not tls.enrolled or tls.certificate is None:
        return None
    who = Gateway(gateway.region, gateway.enterprise, gateway.id)
    root = uplink.root if isinstance(uplink, MqttUplinkOptions) else root_of(DEFAULT_ROOT, gateway)
    return Identity(tls.certificate, who, root, signing_key, tls.ca)


def ends_ms(certificate: x509.Certificate) -> int:
    """When it ends, in epoch milliseconds."""
    return round(certificate.not_valid_after_utc.timestamp() * 1000)


def due(certificate: x509.Certificate, ago: timedelta = timedelta()) -> bool:
    """Whether it passed two thirds of its life, and was to be renewed, so long ago."""
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return now_utc() >= certificate.not_valid_after_utc - life / 3 + ago


def _key_in(file: Path) -> ec.EllipticCurvePrivateKey:
    """Raises EnrolmentError, OSError."""
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise EnrolmentError(f"{file}: cannot be read as a key 无法读取密钥: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise EnrolmentError(f"{file}: a key of another kind 密钥类型不符")
    return key


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
