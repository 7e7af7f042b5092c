"""Key and certificate on the disk: whatever comes and whenever it is cut, they belong together."""

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from edge_agent.config.models import TlsOptions
from edge_agent.contract.enrolment import EnrolmentError, Gateway, check_request
from edge_agent.contract.messages import EnrolmentResponse, encode
from edge_agent.statements.keys import signing_key
from edge_agent.uplinks import identity as module
from edge_agent.uplinks.identity import Identity, RefusedRequestError
from edge_agent.uplinks.mqtt_connection import tls_context
from tests.uplinks.enrolment import authority_module, certificate_of

GATEWAY = Gateway("330300", "91330300MA00DEM06A", "gw-1")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return authority_module().make(tmp_path_factory.mktemp("authority") / "region")


@pytest.fixture
def identity(tmp_path: Path, authority: Any) -> Identity:
    file = tmp_path / "identity" / "region.pem"
    ca = authority.folder / "ca.pem"
    return Identity(file, GATEWAY, f"fta/v1/{GATEWAY}", signing_key(tmp_path), ca)


def granted(authority: Any, identity: Identity, **others: Any) -> bytes:
    """A certificate for what the gateway asks for now, in an answer."""
    asked = identity.request()
    key = check_request(encode(asked)).csr.public_key()
    certificate = certificate_of(authority, others.pop("gateway", GATEWAY), others.pop("key", key), **others)
    pem = certificate.public_bytes(Encoding.PEM).decode()
    return encode(EnrolmentResponse(id=asked.id, time=1, certificate=pem))


def usable(identity: Identity) -> x509.Certificate:
    """The certificate, if TLS takes it with the key that lies beside it."""
    tls_context(TlsOptions.model_construct(certificate=identity.file, key=identity.file, ca=None, alpn=()))
    present = identity.present()
    assert present is not None
    return present


def content(identity: Identity) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in identity.file.parent.iterdir()}


def test_the_same_is_asked_until_there_is_an_answer_and_then_another(
    identity: Identity, authority: Any
) -> None:
    first = identity.request()
    assert identity.request().id == first.id
    assert first.renews == ""
    assert identity.present() is None
    identity.take(granted(authority, identity))
    assert set(content(identity)) == {"region.pem"}
    present = usable(identity)
    second = identity.request()
    assert second.id != first.id
    assert second.renews == present.public_bytes(Encoding.PEM).decode()
    assert check_request(encode(second)).renews == present
    identity.take(granted(authority, identity))
    assert usable(identity) != present


def test_nobody_else_may_read_them(identity: Identity, authority: Any) -> None:
    identity.request()
    modes = {one.stat().st_mode & 0o777 for one in identity.file.parent.iterdir()}
    identity.take(granted(authority, identity))
    modes |= {one.stat().st_mode & 0o777 for one in identity.file.parent.iterdir()}
    assert os.name == "nt" or modes == {0o600}
    assert os.name == "nt" or identity.file.parent.stat().st_mode & 0o777 == 0o700


def refused(identity: Identity, payload: bytes) -> str:
    with pytest.raises(EnrolmentError) as caught:
        identity.take(payload)
    return str(caught.value)


def test_what_does_not_fit_changes_nothing(identity: Identity, authority: Any, tmp_path: Path) -> None:
    identity.take(granted(authority, identity))
    id = identity.request().id
    before = content(identity)
    stranger = authority_module().make(tmp_path / "stranger")
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    another_gateway = Gateway(GATEWAY.region, GATEWAY.enterprise, "gw-2")
    wrong: dict[str, Callable[[], bytes]] = {
        "另": lambda: b"garbage",
        "another key": lambda: granted(authority, identity, key=other),
        "ended on": lambda: granted(authority, identity, days=-1),
        "begins on": lambda: granted(authority, identity, begun_days=-1),
        "gw-2": lambda: granted(authority, identity, gateway=another_gateway),
        "leads to none": lambda: granted(stranger, identity),
        "too large": lambda: b" " * 10_000_000,
        "no PEM": lambda: encode(EnrolmentResponse(id=id, time=1, certificate="no PEM")),
        "not now": lambda: encode(EnrolmentResponse(id=id, time=1, reason="not now")),
    }
    for reason, make in wrong.items():
        text = refused(identity, make())
        assert reason in text or reason in ("另", "no PEM"), text
        assert content(identity) == before, reason
    with pytest.raises(RefusedRequestError, match="not now"):
        identity.take(wrong["not now"]())


def test_answers_to_others_are_passed_over(identity: Identity, authority: Any) -> None:
    answer = granted(authority, identity)
    assert identity.take(encode(EnrolmentResponse(id="00", time=1, reason="no"))) is None
    assert identity.take(answer) is not None
    assert identity.take(answer) is None, "a repeat of what is installed"
    assert identity.take(encode(EnrolmentResponse(id="00", time=1, reason="no"))) is None


def test_a_certificate_by_file_comes_twice_or_unasked(identity: Identity, authority: Any) -> None:
    key = check_request(encode(identity.request())).csr.public_key()
    pem = certificate_of(authority, GATEWAY, key).public_bytes(Encoding.PEM)
    assert identity.install(pem) == identity.install(pem)
    other = certificate_of(authority, GATEWAY, key).public_bytes(Encoding.PEM)
    with pytest.raises(EnrolmentError, match="no key waits"):
        identity.install(other)


class _Cut(Exception):
    """The power goes."""


@contextmanager
def cut_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """So many steps that change the disk are done, and then no more."""
    left = steps

    def counted(done: Callable[..., Any]) -> Callable[..., Any]:
        def work(*given: Any, **named: Any) -> Any:
            nonlocal left
            if left == 0:
                raise _Cut
            left -= 1
            return done(*given, **named)

        return work

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", counted(Path.replace))
        patch.setattr(Path, "unlink", counted(Path.unlink))
        patch.setattr(os, "fsync", counted(os.fsync))
        yield


def test_a_cut_at_any_step_leaves_the_old_pair_or_the_new_one(
    tmp_path: Path, authority: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing = signing_key(tmp_path)
    for steps in range(20):
        identity = Identity(tmp_path / str(steps) / "region.pem", GATEWAY, "root", signing)
        identity.take(granted(authority, identity))
        old = usable(identity)
        answer = granted(authority, identity)
        try:
            with cut_after(steps, monkeypatch):
                identity.take(answer)
        except _Cut:
            usable(identity)
            continue
        assert usable(identity) != old
        assert steps > 3, "the draft, its name, the folder, the key that waited"
        return
    raise AssertionError("it never came to an end")


def test_after_a_cut_before_the_old_key_is_gone_another_is_asked_for(
    identity: Identity, authority: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = granted(authority, identity)
    waiting = identity.file.with_name("region.next.key")
    key = waiting.read_bytes()
    first = identity.request().id
    identity.take(answer)
    waiting.write_bytes(key)
    assert identity.request().id != first
    usable(identity)


def test_a_damaged_file_is_told_with_what_to_do(identity: Identity, authority: Any) -> None:
    identity.take(granted(authority, identity))
    identity.file.write_text("nothing")
    with pytest.raises(EnrolmentError, match=r"region\.pem.*Move it away"):
        identity.request()
    with pytest.raises(ssl.SSLError):
        usable(identity)


def test_when_it_is_due(authority: Any) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert not module.due(certificate_of(authority, GATEWAY, key, days=31, begun_days=59))
    assert module.due(certificate_of(authority, GATEWAY, key, days=29, begun_days=61))
