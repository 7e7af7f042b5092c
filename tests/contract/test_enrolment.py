"""What a region can rely on in a request, and a gateway in its answer."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from edge_agent.contract.enrolment import (
    EnrolmentError,
    Gateway,
    check_certificate,
    check_request,
    fingerprint,
    make_csr,
    names_flaw,
    read_certificates,
    read_response,
    renewal_flaw,
    request_id,
    to_be_signed,
    validity_flaw,
)
from edge_agent.contract.messages import EnrolmentRequest, EnrolmentResponse, Status, encode
from tests.uplinks.enrolment import authority_module, certificate_of

GATEWAY = Gateway("330300", "91330300MA00DEM06A", "gw-1")
OTHER = Gateway("330300", "91330300MA00DEM06A", "gw-2")
NOW = datetime.now(UTC)
KEY, OTHER_KEY = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
SIGNING, OTHER_SIGNING = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return authority_module().make(tmp_path_factory.mktemp("authority") / "region")


def public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


def request(gateway: Gateway = GATEWAY, **changed: Any) -> EnrolmentRequest:
    """Signed after `changed`: what a clever sender makes of it."""
    signing = changed.pop("signing", SIGNING)
    proves = changed.pop("proves", None)
    bare = EnrolmentRequest(
        id=request_id(KEY.public_key(), public(SIGNING)),
        time=1,
        csr=make_csr(gateway, KEY),
        key=public(SIGNING),
    )
    bare = replace(bare, **changed)
    over = to_be_signed(bare)
    proof = "" if proves is None else proves.sign(over, ec.ECDSA(SHA256())).hex()
    return replace(bare, signature=signing.sign(over).hex(), proof=proof)


def refusal(message: EnrolmentRequest | bytes) -> str:
    with pytest.raises(EnrolmentError) as caught:
        check_request(message if isinstance(message, bytes) else encode(message))
    return str(caught.value)


def test_a_request_says_who_asks() -> None:
    checked = check_request(encode(request()))
    assert checked.gateway == GATEWAY
    assert checked.renews is None
    assert len(checked.fingerprint.replace(" ", "")) == 24


def csr_of(subject: x509.Name, names: list[x509.GeneralName], key: Any = KEY) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: b"{", "cannot be read as a request"),
        (lambda: b"[" * 60_000, "cannot be read as a request"),
        (lambda: b" " * 70_000, "too large"),
        (
            lambda: encode(Status(online=True, time=1, since=1, version="", configuration="")),
            "another kind",
        ),
        (lambda: request(csr="nonsense"), "cannot be read"),
        (lambda: request(csr=make_csr(GATEWAY, OTHER_KEY)), "id is not"),
        (lambda: request(key=public(OTHER_SIGNING)), "id is not"),
        (
            lambda: request(
                key=public(OTHER_SIGNING), id=request_id(KEY.public_key(), public(OTHER_SIGNING))
            ),
            "signature is not",
        ),
        (lambda: request(key="zz"), "64 digits"),
        (lambda: request(signing=OTHER_SIGNING), "signature is not"),
        (lambda: replace(request(), signature=""), "signature is not"),
        (lambda: replace(request(), time=2), "signature is not"),
        (lambda: request(csr=csr_of(GATEWAY.subject, [])), "alternative name"),
        (
            lambda: request(csr=csr_of(GATEWAY.subject, [x509.UniformResourceIdentifier(OTHER.urn)])),
            "alternative name",
        ),
        (lambda: request(csr=csr_of(x509.Name([]), [])), "one O, one OU"),
        (lambda: request(gateway=Gateway("330300", "../x", "gw-1")), "not a code"),
        (
            lambda: request(
                csr=csr_of(
                    GATEWAY.subject,
                    [x509.UniformResourceIdentifier(GATEWAY.urn)],
                    ec.generate_private_key(ec.SECP384R1()),
                )
            ),
            "P-256",
        ),
        (lambda: request(renews="nonsense"), "cannot be read"),
    ],
)
def test_a_request_that_is_not_right_in_itself(
    make: Callable[[], EnrolmentRequest | bytes], reason: str
) -> None:
    assert reason in refusal(make())


def test_a_csr_that_was_changed_is_found_out() -> None:
    good = x509.load_pem_x509_csr(make_csr(GATEWAY, KEY).encode()).public_bytes(Encoding.DER)
    spoilt = x509.load_der_x509_csr(good[:-1] + bytes([good[-1] ^ 1])).public_bytes(Encoding.PEM)
    assert "not signed with the key" in refusal(request(csr=spoilt.decode()))


@given(st.binary(max_size=300))
def test_whatever_comes_is_refused_in_words(payload: bytes) -> None:
    assert refusal(payload)
    with pytest.raises(EnrolmentError):
        read_response(payload)
    with pytest.raises(EnrolmentError):
        read_certificates(payload)


def test_digits_are_of_both_keys() -> None:
    one = request_id(KEY.public_key(), public(SIGNING))
    assert fingerprint(one) != fingerprint(request_id(OTHER_KEY.public_key(), public(SIGNING)))
    assert fingerprint(one) != fingerprint(request_id(KEY.public_key(), public(OTHER_SIGNING)))
    assert fingerprint("0" * 63 + "7") == "0000 0000 0000 0000 0000 0007"


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def test_a_renewal_is_proved_by_the_present_key(authority: Any) -> None:
    present = certificate_of(authority, GATEWAY, KEY.public_key())
    new = {"key": OTHER_KEY, "id": request_id(OTHER_KEY.public_key(), public(SIGNING))}

    def renewal(**changed: Any) -> EnrolmentRequest:
        given = {"renews": pem(present), "proves": KEY, "csr": make_csr(GATEWAY, OTHER_KEY), **changed}
        return request(**{"id": new["id"], **given})

    checked = check_request(encode(renewal()))
    assert renewal_flaw(checked, authority.certificate, NOW) == ""
    assert "ended" in renewal_flaw(checked, authority.certificate, NOW + timedelta(days=40))
    assert "proof" in refusal(renewal(proves=OTHER_KEY))
    assert "proof" in refusal(replace(renewal(), proof="00"))
    others = certificate_of(authority, OTHER, KEY.public_key())
    assert "gw-2" in refusal(renewal(renews=pem(others)))
    assert "renews nothing" in renewal_flaw(check_request(encode(request())), authority.certificate, NOW)


def test_another_authority_s_certificate_renews_nothing(authority: Any, tmp_path: Path) -> None:
    stranger = authority_module().make(tmp_path / "stranger")
    forged = certificate_of(stranger, GATEWAY, KEY.public_key())
    checked = check_request(encode(request(renews=pem(forged), proves=KEY)))
    assert "another authority" in renewal_flaw(checked, authority.certificate, NOW)


def named(*attributes: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def test_an_authority_may_leave_out_names_and_not_change_them(authority: Any) -> None:
    def flaw(subject: x509.Name, *uris: str) -> str:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris])
        extensions = [names] if uris else []
        certificate = certificate_of(
            authority, GATEWAY, KEY.public_key(), subject=subject, extensions=extensions
        )
        return names_flaw(certificate, GATEWAY)

    common = (NameOID.COMMON_NAME, "gw-1")
    assert flaw(GATEWAY.subject, GATEWAY.urn) == ""
    assert flaw(named(common)) == ""
    assert flaw(named(common), "https://example.cn/gw-1") == ""
    assert flaw(named(common), OTHER.urn)
    assert flaw(named(common, (NameOID.ORGANIZATION_NAME, "91330300MA00DEM07B")))
    assert flaw(named(common, common))
    assert flaw(named((NameOID.ORGANIZATION_NAME, GATEWAY.enterprise)))


def test_when_it_holds(authority: Any) -> None:
    certificate = certificate_of(authority, GATEWAY, KEY.public_key())
    assert validity_flaw(certificate, NOW) == ""
    assert "ended on" in validity_flaw(certificate, NOW + timedelta(days=31))
    assert "begins on" in validity_flaw(certificate, NOW - timedelta(days=11))


def test_a_certificate_for_servers_alone_is_no_use(authority: Any) -> None:
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    certificate = certificate_of(authority, GATEWAY, KEY.public_key(), extensions=[usage])
    with pytest.raises(EnrolmentError, match="not one for clients"):
        check_certificate([certificate], GATEWAY, KEY.public_key(), None, NOW)


def test_a_chain_leads_to_the_authority(authority: Any, tmp_path: Path) -> None:
    """By way of one between, which has to be an authority itself."""
    between = authority_module().make(tmp_path / "between")

    def certified(ca: bool) -> x509.Certificate:
        return certificate_of(
            authority,
            GATEWAY,
            between.certificate.public_key(),
            subject=between.certificate.subject,
            extensions=[x509.BasicConstraints(ca=ca, path_length=None)],
        )

    own = certificate_of(between, GATEWAY, KEY.public_key())
    trusted = [authority.certificate]
    check_certificate([own, certified(ca=True)], GATEWAY, KEY.public_key(), trusted, NOW)
    for chain in ([own], [own, certified(ca=False)], [own, own, own]):
        with pytest.raises(EnrolmentError, match="leads to none"):
            check_certificate(chain, GATEWAY, KEY.public_key(), trusted, NOW)


def test_the_example_signs_what_is_expected_and_nothing_else(authority: Any) -> None:
    def answered(message: EnrolmentRequest) -> EnrolmentResponse | None:
        answer: EnrolmentResponse | None = authority.answer(encode(message))
        return answer

    first = request()
    expected = authority.folder / "expected.txt"
    assert answered(first) is None
    expected.write_text(f"{GATEWAY} 0000 0000 0000 0000 0000 0000\n")
    refused = answered(first)
    assert refused is not None
    assert "指纹不符" in refused.reason
    expected.write_text(f"{GATEWAY} {fingerprint(first.id)}\n")
    granted = answered(first)
    assert granted is not None
    (issued,) = read_certificates(granted.certificate.encode())
    # Not NOW: in a long run of tests that is before the certificate begins.
    check_certificate([issued], GATEWAY, KEY.public_key(), [authority.certificate], datetime.now(UTC))
    assert (again := answered(request())) is not None
    assert again.certificate == granted.certificate, "the same request, the same certificate"

    renewal = request(
        id=request_id(OTHER_KEY.public_key(), public(SIGNING)),
        csr=make_csr(GATEWAY, OTHER_KEY),
        renews=granted.certificate,
        proves=KEY,
    )
    authority.revoke(issued)
    for message, reason in ((first, "已吊销"), (renewal, "指纹不符")):
        refused = answered(message)
        assert refused is not None
        assert reason in refused.reason
