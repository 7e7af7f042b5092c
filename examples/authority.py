"""A region's authority for gateways, as small as it can be: signs what is expected, over MQTT or by file.

    python examples/authority.py init FOLDER
    python examples/authority.py serve FOLDER HOST PORT [CA CERTIFICATE KEY]
    python examples/authority.py sign FOLDER gw-01.request.json
    python examples/authority.py revoke FOLDER gw-01.pem

FOLDER has the authority's key and certificate, `expected.txt`, what was issued, and the list of what was
revoked. A line of `expected.txt` is a gateway and the fingerprint that was compared by telephone:

    330300/91330300MA00DEM06A/gw-01 4821 9034 1177 2650 8846 0193

Needs `edge_agent.contract`, cryptography and paho. A region that has an authority calls that in `issue`.
"""

import contextlib
import ssl
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as paho
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge_agent.contract.enrolment import (
    CheckedRequest,
    EnrolmentError,
    check_request,
    granted,
    refused,
    renewal_flaw,
)
from edge_agent.contract.messages import EnrolmentResponse, encode
from edge_agent.contract.topics import ENROL_REQUEST, ENROL_RESPONSE


class Authority:
    """Keys, certificates and lists in one folder."""

    def __init__(self, folder: Path, life: timedelta = timedelta(days=365)) -> None:
        self.folder = folder
        self.life = life
        self.certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        key = load_pem_private_key((folder / "ca.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{folder / 'ca.key'} is a key of another kind")
        self._key = key

    def answer(self, payload: bytes) -> EnrolmentResponse | None:
        """None where a person has to decide first. Raises EnrolmentError for what is no request."""
        request = check_request(payload)
        now = datetime.now(UTC)
        time_ms = round(now.timestamp() * 1000)
        before = self._issued_for(request)
        if before is not None and self._is_revoked(before):
            return refused(request, "the certificate for this key was revoked 此密钥的证书已吊销", time_ms)
        if not self._may_renew(request, now):
            fingerprint = self._expected().get(str(request.gateway))
            if fingerprint is None:
                print(f"not expected: {request.gateway} {request.fingerprint}", flush=True)
                return None
            if fingerprint != request.fingerprint:
                return refused(request, "the fingerprint is not the one that was told 指纹不符", time_ms)
        if before is None or before.not_valid_after_utc < now:
            before = self.issue(request, now)
            print(f"issued: {request.gateway}, signs statements with {request.message.key}", flush=True)
        return granted(request, before.public_bytes(Encoding.PEM).decode(), time_ms)

    def issue(self, request: CheckedRequest, now: datetime) -> x509.Certificate:
        """A certificate for the gateway and the key of the request, whatever else the request asks for."""
        urn = x509.UniformResourceIdentifier(request.gateway.urn)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(request.gateway.subject)
            .issuer_name(self.certificate.subject)
            .public_key(request.csr.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + self.life)
            .add_extension(x509.SubjectAlternativeName([urn]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(self._key, SHA256())
        )
        self._file_for(request).write_bytes(certificate.public_bytes(Encoding.PEM))
        return certificate

    def _may_renew(self, request: CheckedRequest, now: datetime) -> bool:
        """Whether the gateway has proved that it holds a certificate of ours that is good."""
        present = request.renews
        return (
            present is not None
            and not renewal_flaw(request, self.certificate, now)
            and not self._is_revoked(present)
        )

    def _file_for(self, request: CheckedRequest) -> Path:
        gateway = request.gateway
        return self.folder / "issued" / f"{gateway.enterprise}.{gateway.id}.{request.message.id[:16]}.pem"

    def _issued_for(self, request: CheckedRequest) -> x509.Certificate | None:
        """What the same request was given before."""
        file = self._file_for(request)
        return x509.load_pem_x509_certificate(file.read_bytes()) if file.exists() else None

    def revoke(self, *certificates: x509.Certificate) -> None:
        """Put them on the list `crl.pem`, which the broker reads."""
        now = datetime.now(UTC)
        crl = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - timedelta(minutes=5))
            .next_update(now + timedelta(days=3650))
        )
        for serial in {*self._revoked(), *(one.serial_number for one in certificates)}:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
            crl = crl.add_revoked_certificate(entry)
        signed = crl.sign(self._key, SHA256()).public_bytes(Encoding.PEM)
        (self.folder / "crl.pem").write_bytes(signed)

    def _revoked(self) -> set[int]:
        file = self.folder / "crl.pem"
        if not file.exists():
            return set()
        return {one.serial_number for one in x509.load_pem_x509_crl(file.read_bytes())}

    def _is_revoked(self, certificate: x509.Certificate) -> bool:
        return certificate.serial_number in self._revoked()

    def _expected(self) -> dict[str, str]:
        """Fingerprints by gateway; read anew each time."""
        lines = (self.folder / "expected.txt").read_text().splitlines()
        return {gateway: " ".join(rest) for gateway, *rest in map(str.split, filter(str.strip, lines))}


def make(folder: Path) -> Authority:
    """A new authority, with nobody on its lists."""
    (folder / "issued").mkdir(parents=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateways of the region")])
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True), critical=True)
        .sign(key, SHA256())
    )
    key_file = folder / "ca.key"
    key_file.touch(0o600)
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "ca.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "expected.txt").touch()
    authority = Authority(folder)
    authority.revoke()
    return authority


def client(authority: Authority) -> paho.Client:
    """Answers requests, once it is connected: to the topics of the gateway that the request names."""

    def connected(one: paho.Client, *_: object) -> None:
        one.subscribe(f"fta/v1/+/+/+/{ENROL_REQUEST}", qos=1)

    def came(one: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        try:
            response = authority.answer(message.payload)
            gateway = check_request(message.payload).gateway
        except EnrolmentError as error:
            print(f"{message.topic}: {error}", flush=True)
            return
        if response is not None:
            one.publish(f"fta/v1/{gateway}/{ENROL_RESPONSE}", encode(response), qos=1)

    one = paho.Client(paho.CallbackAPIVersion.VERSION2, "authority", protocol=paho.MQTTv5)
    one.on_connect, one.on_message = connected, came
    return one


def main(command: str, folder: Path, *rest: str) -> None:
    if command == "init":
        make(folder)
    elif command == "sign":
        response = Authority(folder).answer(Path(rest[0]).read_bytes())
        print("" if response is None else response.certificate or response.reason)
    elif command == "revoke":
        Authority(folder).revoke(*(x509.load_pem_x509_certificate(Path(one).read_bytes()) for one in rest))
    else:
        host, port, *tls = rest
        serving = client(Authority(folder))
        if tls:
            context = ssl.create_default_context(cafile=tls[0])
            context.load_cert_chain(*tls[1:])
            serving.tls_set_context(context)
        serving.connect(host, int(port))
        serving.loop_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
