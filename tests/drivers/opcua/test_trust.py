"""The folder of certificates: what is made there, who is believed, and what a technician sees of it."""

import os
import socket
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from asyncua import ua
from asyncua.crypto.truststore import TrustStore
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaStatusCodeError
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from drivers.opcua import pki as pki_module
from drivers.opcua import secure
from drivers.opcua.certificates import Certificate, private_key, self_signed, today
from drivers.opcua.commands import opcua
from drivers.opcua.driver import OpcuaDriver
from drivers.opcua.options import OpcuaConnection, ServerAccess
from drivers.opcua.pki import Pki, default_folder
from drivers.opcua.secure import OwnCertificateRefused, SecureWay
from drivers.opcua.verification import used, verify
from edge_agent.driver import ConnectionFailed
from edge_agent.model.state import UnknownCause
from tests.drivers.opcua.conftest import StartServer
from tests.drivers.opcua.issuing import LOOPBACK, Issued, issue, revocations, some_key
from tests.drivers.opcua.server import APPLICATION_URI

ENDPOINT = "opc.tcp://127.0.0.1:4840/path"


def accepted(server: Issued) -> Pki:
    pki = Pki()
    pki.set_aside(server.parsed, "127.0.0.1:4840")
    pki.accept(server.parsed.thumbprint)
    return pki


def not_believed(pki: Pki, server: Issued, endpoint: str = ENDPOINT) -> ConnectionFailed:
    with pytest.raises(ConnectionFailed) as failure:
        verify(pki, server.der, endpoint, APPLICATION_URI)
    assert failure.value.cause is UnknownCause.REFUSED
    assert failure.value.remedy
    return failure.value


def test_the_own_certificate_is_as_the_standard_wants_it() -> None:
    (ours,) = Pki().own()
    parsed = ours.certificate.parsed
    usage = parsed.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert usage.content_commitment
    assert usage.key_encipherment
    assert usage.data_encipherment
    extended = parsed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert ours.certificate.uris == [ours.application_uri]
    assert ours.application_uri == f"urn:{socket.gethostname()}:edge-agent"
    assert ours.certificate.hosts == [socket.gethostname()]
    assert ours.certificate.rsa_bits == 2048
    assert ours.certificate.valid_from < today() - timedelta(hours=23)
    assert not ours.certificate.is_authority()
    parsed.verify_directly_issued_by(parsed)


def test_only_the_agent_can_read_its_key() -> None:
    (ours,) = Pki().own()
    key = ours.path.with_suffix(".pem")
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    assert private_key(key.read_bytes()).public_key() == ours.certificate.parsed.public_key()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for others")
def test_what_root_makes_belongs_to_the_service(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12346)
    pki = Pki(tmp_path / "pki" / "opcua")
    pki.own()
    pki.set_aside(issue().parsed, "127.0.0.1:4840")
    made = list((tmp_path / "pki").rglob("*"))
    assert len(made) >= 6
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(12345, 12346)}


def test_connections_that_start_together_make_one_certificate() -> None:
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.append(Pki().own()[0].certificate.thumbprint)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(set(made)) == 1


@pytest.mark.parametrize("host", ["网关-1", "a" * 200, "", "-._"])
def test_any_host_name_will_do(host: str) -> None:
    assert Certificate.parse(self_signed(host, today()).certificate).hosts


def test_the_old_certificate_stays_beside_the_new_one_until_its_end() -> None:
    own = Pki().folder / "own"
    own.mkdir(parents=True)
    for name, days in (("expired", -0.01), ("ending", 80)):
        made = self_signed("gateway", today(), timedelta(days=days))
        (own / f"{name}.der").write_bytes(made.certificate)
        (own / f"{name}.pem").write_bytes(made.key)
    new, old = Pki().own()
    assert old.path.stem == "ending"
    assert new.certificate.valid_until - today() > timedelta(days=1800)
    assert not list(own.glob("expired.*"))
    assert [each.path for each in Pki().own()] == [new.path, old.path], "made once"


def test_what_is_broken_in_the_folder_is_passed_over() -> None:
    own = Pki().folder / "own"
    own.mkdir(parents=True)
    (own / "a.der").write_bytes(b"\x30\x03abc")
    (own / "b.der").write_bytes(issue().der)  # without its key
    (Pki().folder / "trusted").mkdir()
    (Pki().folder / "trusted" / "c.der").write_text("nothing")
    assert len(Pki().own()) == 1
    assert Pki().trusted() == []


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"STATE_DIRECTORY": "/var/lib/edge-agent:/x"}, "/var/lib/edge-agent/pki/opcua"),
        ({"XDG_STATE_HOME": "/elsewhere"}, "/elsewhere/edge-agent/pki/opcua"),
        ({"XDG_STATE_HOME": "", "HOME": "/root-of-anna"}, "/root-of-anna/.local/state/edge-agent/pki/opcua"),
    ],
)
def test_where_the_folder_is(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert default_folder() == Path(expected)


def test_a_server_is_believed_once_it_was_accepted_and_no_longer_once_removed() -> None:
    server = issue()
    pki = Pki()
    told = not_believed(pki, server)
    assert server.parsed.thumbprint in str(told)
    assert server.parsed.thumbprint in told.remedy
    pki.accept(":".join(server.parsed.sha256.lower()[at : at + 2] for at in range(0, 64, 2)))
    assert verify(pki, server.der, ENDPOINT, APPLICATION_URI) == server.parsed
    assert verify(pki, server.der + issue("ca").der, ENDPOINT, APPLICATION_URI) == server.parsed, "a chain"
    assert [entry.origin for entry in pki.trusted()] == ["127.0.0.1:4840"]
    assert pki.rejected() == []
    pki.remove(server.parsed.thumbprint)
    not_believed(pki, server)
    with pytest.raises(LookupError):
        pki.remove(server.parsed.thumbprint)
    with pytest.raises(LookupError):
        pki.accept(server.parsed.thumbprint[:-1])


def test_another_server_of_the_same_name_is_not_believed() -> None:
    pki = accepted(issue())
    told = not_believed(pki, issue(key=some_key(1)))
    assert "another certificate than the one accepted before" in str(told)


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (lambda: issue(days=(-400, -1)), "has expired"),
        (lambda: issue(days=(1, 400)), "is not valid yet"),
        (lambda: issue(uri="urn:somebody:else"), "calls itself urn:example:machines"),
        (lambda: issue(key=some_key(bits=1024)), "1024 bits"),
    ],
)
def test_what_is_accepted_must_still_be_right(server: Callable[[], Issued], expected: str) -> None:
    issued = server()
    assert expected in str(not_believed(accepted(issued), issued))


def test_no_certificate_at_all() -> None:
    for shown in (None, b"", b"\x30\x82", b"garbage"):
        with pytest.raises(ConnectionFailed, match="no certificate that can be read"):
            verify(Pki(), shown, ENDPOINT, APPLICATION_URI)


def test_servers_of_a_trusted_authority() -> None:
    authority = issue("plant", authority=True, key=some_key(1))
    other = issue("plant", authority=True, key=some_key(2))
    folder = Pki().folder / "authorities"
    folder.mkdir(parents=True)
    (folder / "plant.crt").write_bytes(authority.der)
    good = issue(by=authority)
    verify(Pki(), good.der, ENDPOINT, APPLICATION_URI)
    assert "nobody has accepted" in str(not_believed(Pki(), issue(by=other))), "only the name is the same"
    assert "not for 10.0.0.1" in str(not_believed(Pki(), good, "opc.tcp://10.0.0.1:4840"))
    client = issue(by=authority, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    assert "not meant for a server" in str(not_believed(Pki(), client))
    assert "has expired" in str(not_believed(Pki(), issue(by=authority, days=(-9, -1))))
    named = issue(by=authority, hosts=(x509.DNSName("Press.Local"), LOOPBACK))
    verify(Pki(), named.der, "opc.tcp://press.local:4840", APPLICATION_URI)
    (folder / "of-another.crl").write_bytes(revocations(other, good))
    verify(Pki(), good.der, ENDPOINT, APPLICATION_URI)
    (folder / "plant.crl").write_bytes(revocations(authority, good))
    assert "nobody has accepted" in str(not_believed(Pki(), good))
    verify(Pki(), named.der, ENDPOINT, APPLICATION_URI)


def test_a_server_is_no_authority() -> None:
    """Accepted is this one certificate, not what its owner may sign."""
    server = issue(key=some_key(1))
    pki = accepted(server)
    not_believed(pki, issue("other", by=server))
    (pki.folder / "authorities").mkdir()
    (pki.folder / "authorities" / "server.der").write_bytes(server.der)
    not_believed(pki, issue("other", by=server))


def test_what_is_set_aside_cannot_fill_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pki_module, "REJECTED_KEPT", 3)
    servers = [issue(str(number)) for number in range(5)]
    for server in servers:
        Pki().set_aside(server.parsed, "../../x:1")
        Pki().set_aside(server.parsed, "../../x:1")
    kept = Pki().rejected()
    assert len(kept) == 3
    assert servers[4].parsed in [entry.certificate for entry in kept]
    assert {entry.path.parent for entry in kept} == {Pki().folder / "rejected"}


@pytest.mark.parametrize("code", list(secure._OUR_CERTIFICATE))
def test_a_refusal_says_whose_certificate_is_meant(code: int) -> None:
    way = _way()
    kind: type[Exception] = UaStatusCodeError
    with pytest.raises(OwnCertificateRefused) as failure, way.explained():
        raise kind(code)
    assert str(failure.value).startswith(ENDPOINT)
    assert "our certificate" in str(failure.value) or "ours" in str(failure.value)
    assert way.identity.certificate.thumbprint in failure.value.remedy
    assert str(way.identity.path) in failure.value.remedy


@pytest.mark.parametrize("error", [AssertionError(), ConnectionError("connection lost")])
def test_a_refusal_without_a_reason(error: Exception) -> None:
    with (
        pytest.raises(OwnCertificateRefused, match="mostly it does not trust our certificate"),
        _way().explained(),
    ):
        raise error


def test_other_refusals_are_left_to_others() -> None:
    kind: type[Exception] = UaStatusCodeError
    with pytest.raises(UaStatusCodeError), _way().explained():
        raise kind(StatusCodes.BadTooManySessions)


def _way() -> SecureWay:
    (ours,) = Pki().own()
    server = issue().parsed
    return SecureWay(ServerAccess(endpoint=ENDPOINT), Pki(), ua.EndpointDescription(), server, ours, ours)


def test_the_librarys_own_trust_store_accepts_our_certificate(tmp_path: Path) -> None:
    """So does a server that is made with it."""
    (ours,) = Pki().own()
    store = TrustStore([tmp_path], [])
    store._trust_store = x509.verification.Store([ours.certificate.parsed])
    assert store.validate(ours.certificate.parsed)


def command(*words: str) -> Result:
    return CliRunner().invoke(opcua, words)


def test_commands_from_discovery_to_trust(start_server: StartServer, tmp_path: Path) -> None:
    server = issue(hosts=(x509.DNSName("press"), LOOPBACK))
    process = start_server(
        certificate=server.write(tmp_path), security=("NoSecurity", "Basic256Sha256_Sign"), user=("a", "b")
    )
    url = f"opc.tcp://127.0.0.1:{process.port}"
    seen = command("discover", "--timeout", "20s", url).output
    for word in ("Basic256Sha256", "Sign", "None", "UserName", "NOT trusted", "press", APPLICATION_URI):
        assert word in seen
    assert _line(seen, "Basic256Sha256 ").endswith("<- used 使用")
    assert f"edge-agent opcua trust accept {server.parsed.thumbprint}" in seen
    listed = command("trust").output
    assert listed.index("rejected servers") < listed.index(server.parsed.thumbprint)
    assert server.parsed.sha256 in listed
    assert f"127.0.0.1:{process.port}" in listed
    assert server.parsed.validity in listed
    assert command("trust", "accept", server.parsed.thumbprint).exit_code == 0
    assert "NOT trusted" not in command("discover", "--timeout", "20s", url).output
    ours = Pki().own()[0]
    listed = command("trust", "list").output
    assert listed.index("trusted servers") < listed.index(server.parsed.thumbprint)
    assert listed.index(server.parsed.thumbprint) < listed.index("rejected servers")
    assert str(ours.path) in listed
    assert command("trust", "remove", server.parsed.thumbprint).exit_code == 0
    assert "NOT trusted" in command("discover", "--timeout", "20s", url).output
    again = command("trust", "remove", server.parsed.thumbprint)
    assert again.exit_code == 1
    assert "no certificate in" in again.output


def test_a_command_names_the_folder_where_it_is_not_the_users_own(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = issue()
    process = start_server(certificate=server.write(tmp_path), security=("Basic256Sha256_SignAndEncrypt",))
    pki = tmp_path / "of the plant"
    seen = command("discover", "--timeout", "20s", f"127.0.0.1:{process.port}", "--pki", str(pki)).output
    assert f"trust accept {server.parsed.thumbprint} --pki '{pki}'" in seen
    assert command("trust", "accept", server.parsed.thumbprint, "--pki", str(pki)).exit_code == 0
    assert len(Pki(pki).trusted()) == 1
    (tmp_path / "file").touch()
    broken = command(
        "discover", "--timeout", "20s", f"127.0.0.1:{process.port}", "--pki", str(tmp_path / "file")
    )
    assert broken.exit_code == 1
    assert "cannot be used" in broken.output


def test_a_server_with_nothing_to_trust(start_server: StartServer) -> None:
    seen = command("discover", "--timeout", "20s", f"127.0.0.1:{start_server().port}").output
    assert "none of these is used" in seen
    assert "security: none" in seen
    assert "certificate" not in seen.lower().partition("policy")[2]


def _line(text: str, start: str) -> str:
    lines: Sequence[str] = [line for line in text.splitlines() if line.strip().startswith(start)]
    (line,) = lines
    return line


def test_certificates_in_use_are_own_ones_that_serve_the_servers_newest_and_those_of_nobody_knows(
    tmp_path: Path,
) -> None:
    pki, two = Pki(tmp_path), ["opc.tcp://127.0.0.1:4840/path", "opc.tcp://second:4841"]
    assert used(pki, two) == []
    assert not list(tmp_path.iterdir()), "looking makes none"
    (own,) = pki.own()
    ends = {"old": 20, "new": 300, "second": 30, "another": 5}
    issued = {name: issue(name, days=(-1, days)) for name, days in ends.items()}
    for name, where in (
        ("old", "127.0.0.1:4840"),
        ("new", "127.0.0.1:4840"),
        ("second", "second:4841"),
        ("another", "elsewhere:4840"),
    ):
        pki.set_aside(issued[name].parsed, where)
        pki.accept(issued[name].parsed.thumbprint)
    by_hand, authority = issue("by-hand"), issue("authority", authority=True)
    (tmp_path / "trusted" / "by-hand.der").write_bytes(by_hand.der)
    (tmp_path / "authorities").mkdir()
    (tmp_path / "authorities" / "works.der").write_bytes(authority.der)
    found = {Certificate.parse(one.path.read_bytes()): one.own for one in used(pki, two)}
    theirs = (issued["new"], issued["second"], by_hand, authority)
    assert found == {own.certificate: True, **{one.parsed: False for one in theirs}}


def test_who_uses_no_security_depends_on_no_certificate(tmp_path: Path) -> None:
    Pki(tmp_path).own()
    equipment = ({"id": "A", "tags": ({"id": "a", "node": "ns=2;s=a"},)},)
    given = {"id": "c", "driver": "opcua", "endpoint": ENDPOINT, "pki": tmp_path, "equipment": equipment}
    for security, count in (("strongest", 1), ("none", 0)):
        options = OpcuaConnection.model_validate({**given, "security": security})
        assert len(OpcuaDriver(options, []).certificates()) == count
