"""Secured channels over asyncua's own server: who is believed, who is let in, and that nothing leaks."""

import asyncio
import logging
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from drivers.opcua import session
from drivers.opcua.certificates import self_signed, today
from drivers.opcua.pki import Pki
from edge_agent.driver import ConnectionFailed
from tests.drivers.contract import DriverContract
from tests.drivers.harness import Harness
from tests.drivers.opcua.conftest import StartServer
from tests.drivers.opcua.harness import OpcuaHarness, connection, driver_for
from tests.drivers.opcua.issuing import issue, some_key
from tests.drivers.opcua.life import Life
from tests.drivers.opcua.proxy import Proxy
from tests.drivers.opcua.server import ServerProcess, Settings
from tests.drivers.opcua.trusting import TAGS, failed, opening, refusal, trust

POLICIES = ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
ALL = tuple(f"{policy}_{mode}" for policy in POLICIES for mode in ("Sign", "SignAndEncrypt"))
USER = ("operator", "geheim-4711")


class TestSecuredContract(DriverContract):
    """The shared contract once more, over an encrypted channel."""

    def harness(self) -> Harness:
        pki = Pki()
        server = issue()
        pki.set_aside(server.parsed, "127.0.0.1:0")
        pki.accept(server.parsed.thumbprint)
        folder = server.write(pki.folder / "server")
        return OpcuaHarness(Settings(certificate=folder, security=ALL), security="strongest")


def renewed_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have channels renewed after a third of a second, long before they end."""
    monkeypatch.setattr(session, "RENEW_AFTER", 0.0001)
    monkeypatch.setattr("drivers.opcua.driver.ATTENTION", 0.05)


def opened(server: ServerProcess, channels: int) -> bool:
    """Whether that many have been opened or renewed."""
    return bool(server.ask("requests")["OpenSecureChannelRequest"] >= channels)


def connects(port: int, **more: object) -> None:
    """The driver reads the value 1 with these options, at the first attempt."""

    async def body() -> None:
        options = connection(port, TAGS, **({"security": "strongest"} | more))
        async with Life(driver_for(options)) as life:
            await life.until(lambda: life.shows("A", "t", 1))
            assert not life.failures

    asyncio.run(body())


@pytest.mark.parametrize("endpoint", ALL)
def test_both_sides_have_to_trust_the_other(endpoint: str, start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(certificate=tmp_path, security=("NoSecurity", endpoint), trusts=tmp_path)
    server.ask("put", "A.t", 1)
    trust(server.port)
    told = refusal(server.port)
    assert "does not trust our certificate" in str(told)
    (ours,) = Pki().own()
    assert ours.certificate.thumbprint in told.remedy
    assert str(ours.path) in told.remedy
    (rejected,) = (tmp_path / "rejected").iterdir()
    rejected.rename(tmp_path / rejected.name)
    connects(server.port)


def test_the_strongest_is_taken_and_nothing_can_be_read_on_the_way(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(certificate=tmp_path, security=("NoSecurity", *ALL), user=USER)
    server.ask("put", "A.t", "secret-value", "String")
    trust(server.port)

    async def body() -> None:
        async with Proxy(server.port) as proxy:
            login = {"username": USER[0], "password": USER[1]}
            options = connection(proxy.port, TAGS, security="strongest", **login)
            async with Life(driver_for(options)) as life:
                await life.until(lambda: life.shows("A", "t", "secret-value"))
            assert proxy.sent.count(b"#Aes256_Sha256_RsaPss") == 1
            assert b"#Basic" not in proxy.sent
            assert b"#Aes128" not in proxy.sent
            for word in (*USER, "A.t"):
                assert word.encode() not in proxy.sent
            assert b"secret-value" not in proxy.received

    asyncio.run(body())
    assert "BadUserAccessDenied" in str(refusal(server.port, username=USER[0], password=USER[0]))


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"mode": "Sign"}, b"#Aes256_Sha256_RsaPss"),
        ({"security": "Basic256Sha256"}, b"#Basic256Sha256"),
        ({"security": "Aes128_Sha256_RsaOaep", "mode": "Sign"}, b"#Aes128_Sha256_RsaOaep"),
    ],
)
def test_another_one_is_taken_where_it_is_asked_for(
    more: dict[str, object], wanted: bytes, start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(certificate=tmp_path, security=ALL, user=USER)
    server.ask("put", "A.t", "plain-value", "String")
    trust(server.port)

    async def body() -> None:
        async with Proxy(server.port) as proxy:
            login = {"username": USER[0], "password": USER[1]}
            options = connection(proxy.port, TAGS, **({"security": "strongest"} | more), **login)
            async with Life(driver_for(options)) as life:
                await life.until(lambda: life.shows("A", "t", "plain-value"))
            assert proxy.sent.count(wanted) >= 1
            assert (b"plain-value" in proxy.received) == (more.get("mode") == "Sign")
            assert USER[1].encode() not in proxy.sent

    asyncio.run(body())


def test_nothing_falls_back_to_a_connection_without_security(start_server: StartServer) -> None:
    server = start_server()
    told = refusal(server.port)
    assert "it offers: None" in str(told)
    assert "security: none" in told.remedy
    assert server.ask("requests") == {"OpenSecureChannelRequest": 1, "GetEndpointsRequest": 1}


def test_what_the_server_offers_is_told_where_it_does_not_offer_what_is_asked_for(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(certificate=tmp_path, security=("NoSecurity", "Basic256Sha256_Sign"))
    told = refusal(server.port, security="Aes256_Sha256_RsaPss", mode="SignAndEncrypt")
    assert "no Aes256_Sha256_RsaPss SignAndEncrypt; it offers: Basic256Sha256 Sign, None" in str(told)
    assert "security: none" not in told.remedy


def test_a_list_of_endpoints_changed_on_its_way_is_noticed(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(certificate=tmp_path, security=ALL)
    trust(server.port)

    async def body() -> None:
        async with Proxy(server.port) as proxy:
            proxy.falsify = (b"#Aes256_Sha256_RsaPss", b"#Aes000_Sha000_RsaXxx")
            driver = driver_for(connection(proxy.port, TAGS, security="strongest"))
            with pytest.raises(ConnectionFailed, match=r"were changed on their way.*Aes256.*Aes128"):
                await driver.open()
            await driver.close()

    asyncio.run(body())
    assert "ActivateSessionRequest" not in server.ask("requests")


def test_every_reconnection_has_the_same_security(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(certificate=tmp_path, security=("NoSecurity", *ALL), user=USER)
    trust(server.port)
    Pki().own()

    async def body() -> None:
        async with Proxy(server.port) as proxy:
            login = {"username": USER[0], "password": USER[1]}
            options = connection(proxy.port, TAGS, security="strongest", **login)
            async with Life(driver_for(options)) as life:
                for number in range(1, 5):
                    server.ask("put", "A.t", number)
                    await life.until(partial(life.shows, "A", "t", number))
                    assert server.ask("connections") == 1
                    failures = len(life.failures)
                    server.kill()
                    await life.until(partial(failed, life, failures + 1))
                    server.start()
            secured = proxy.sent.count(b"#Aes256_Sha256_RsaPss")
            assert secured >= 4
            assert b"#Aes128" not in proxy.sent
            assert b"#Basic" not in proxy.sent
            assert all(word.encode() not in proxy.sent for word in (*USER, "A.t"))

    asyncio.run(body())


def test_a_certificate_that_is_exchanged_is_asked_about_again(
    start_server: StartServer, tmp_path: Path
) -> None:
    old, new = issue("old"), issue("new", key=some_key(1))
    server = start_server(certificate=old.write(tmp_path), security=ALL, user=USER)
    server.ask("put", "A.t", 1)
    trust(server.port)

    async def body() -> None:
        login = {"username": USER[0], "password": USER[1]}
        options = connection(server.port, TAGS, security="strongest", **login)
        async with Life(driver_for(options)) as life:
            await life.until(lambda: life.shows("A", "t", 1))
            server.kill()
            new.write(tmp_path)
            server.start()
            server.ask("put", "A.t", 2)
            await life.until(lambda: any("another certificate" in str(each) for each in life.failures))
            told = life.failures[-1]
            assert old.parsed.thumbprint in str(told)
            assert new.parsed.thumbprint in str(told)
            assert set(server.ask("requests")) == {"OpenSecureChannelRequest", "GetEndpointsRequest"}
            Pki().accept(new.parsed.thumbprint)
            await life.until(lambda: life.shows("A", "t", 2))

    asyncio.run(body())


def test_a_stolen_certificate_is_of_no_use_without_its_key(start_server: StartServer, tmp_path: Path) -> None:
    real = issue()
    Pki().set_aside(real.parsed, "127.0.0.1:1")
    Pki().accept(real.parsed.thumbprint)
    real._replace(key=some_key(1)).write(tmp_path)
    server = start_server(certificate=tmp_path, security=ALL, user=USER)
    with pytest.raises(ConnectionFailed):
        asyncio.run(opening(server.port, username=USER[0], password=USER[1], timeout="3s"))
    assert set(server.ask("requests")) == {"OpenSecureChannelRequest", "GetEndpointsRequest"}


def test_a_trust_that_is_withdrawn_ends_a_standing_connection(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed_often(monkeypatch)
    server = start_server(certificate=tmp_path, security=ALL)
    server.ask("put", "A.t", 1)
    trust(server.port)

    async def body() -> None:
        async with Life(driver_for(connection(server.port, TAGS, security="strongest"))) as life:
            await life.until(lambda: life.shows("A", "t", 1))
            before = server.ask("requests")["OpenSecureChannelRequest"]
            for number in range(2, 5):
                # each renewal has new keys, which both sides begin to use
                wanted = before + number - 1
                await life.until(partial(opened, server, wanted))
                server.ask("put", "A.t", number)
                await life.until(partial(life.shows, "A", "t", number))
            assert not life.failures
            (entry,) = Pki().trusted()
            Pki().remove(entry.certificate.thumbprint)
            await life.until(lambda: bool(life.failures))
            assert "nobody has accepted" in str(life.failures[0])

    asyncio.run(body())


def test_an_own_certificate_that_ends_soon_is_followed_by_a_new_one_without_a_gap(
    start_server: StartServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The server trusts the old one only; it is used until the new one is accepted there."""
    renewed_often(monkeypatch)
    caplog.set_level(logging.WARNING)
    server = start_server(certificate=tmp_path, security=ALL, trusts=tmp_path)
    server.ask("put", "A.t", 1)
    trust(server.port)
    own = Pki().folder / "own"
    made = self_signed("gateway", today(), timedelta(days=100))
    own.mkdir()
    (own / "old.der").write_bytes(made.certificate)
    (own / "old.pem").write_bytes(made.key)
    (tmp_path / "old.der").write_bytes(made.certificate)

    async def body() -> None:
        async with Life(driver_for(connection(server.port, TAGS, security="strongest"))) as life:
            await life.until(lambda: life.shows("A", "t", 1))
            assert len(Pki().own()) == 1
            monkeypatch.setattr("drivers.opcua.pki.RENEW_BEFORE", timedelta(days=120))
            await life.until(lambda: bool(life.failures))
            assert "our certificate was renewed" in str(life.failures[0])
            await life.until(lambda: life.shows("A", "t", 1))
            new, old = Pki().own()
            assert old.certificate.der == made.certificate
            assert new.certificate.valid_until - today() > timedelta(days=1800)
            assert new.certificate.thumbprint in caplog.text
            (rejected,) = (tmp_path / "rejected").iterdir()
            assert rejected.read_bytes() == new.certificate.der
            rejected.rename(tmp_path / "new.der")
            (tmp_path / "old.der").unlink()
            server.kill()
            server.start()
            server.ask("put", "A.t", 2)
            await life.until(lambda: life.shows("A", "t", 2))

    asyncio.run(body())


def test_a_user_certificate(start_server: StartServer, tmp_path: Path) -> None:
    user, stranger = issue("operator", key=some_key(1)), issue("stranger", key=some_key(2))
    server = start_server(
        certificate=issue().write(tmp_path / "server"),
        security=("NoSecurity", *ALL),
        user_certificate=user.der,
    )
    server.ask("put", "A.t", 1)
    trust(server.port)

    def login(folder: Path) -> dict[str, object]:
        return {"user_certificate": folder / "certificate.der", "user_key": folder / "key.pem"}

    good = login(user.write(tmp_path / "user"))
    connects(server.port, **good)
    connects(server.port, security="none", **good)
    assert "BadUserAccessDenied" in str(refusal(server.port, **login(stranger.write(tmp_path / "stranger"))))
    key = tmp_path / "user" / "key.pem"
    key.write_text("nothing")
    assert str(key) in str(refusal(server.port, **good))
    told = refusal(server.port)
    assert "it offers: Certificate" in str(told)
    assert "user_certificate" in told.remedy


def test_a_folder_that_cannot_be_used(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(certificate=tmp_path, security=ALL)
    (tmp_path / "file").touch()
    told = refusal(server.port, pki=tmp_path / "file")
    assert str(tmp_path / "file") in str(told)
    assert "pki" in told.remedy
