"""What is wrong is found and named with its remedy; what is right is said to be; no secret gets out."""

import asyncio
import json
import os
import re
import shutil
import ssl
import stat
import zipfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from edge_agent.cli.main import main
from edge_agent.config.site import Site, load_site
from edge_agent.doctor import certificates, host, kept, network
from edge_agent.doctor.bundle import write_bundle
from edge_agent.doctor.finding import Finding, Level
from edge_agent.statements.keys import signing_key
from edge_agent.states.history import Changes, History
from edge_agent.words import Words
from tests.field.certificates import Authority
from tests.ports import free_port

HEAD = """
gateway: {id: gw-1, region: "330300", enterprise: 91330300MA00DEM06A}
register: register.csv
"""
ABOUT = Words("证书", "certificate")


def write(folder: Path, more: str = "") -> Path:
    (folder / "register.csv").write_text("id,name,workshop\nA,冲床,甲\n", "utf-8")
    (folder / "agent.yaml").write_text(HEAD + more, "utf-8")
    return folder / "agent.yaml"


def site(folder: Path, more: str = "") -> Site:
    return load_site(write(folder, more))


def doctor(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["doctor", *map(str, arguments)], catch_exceptions=False)


def levels(findings: Iterable[Finding]) -> list[Level]:
    return [one.level for one in findings]


def test_a_wrong_configuration_is_told_and_the_rest_is_looked_at_all_the_same(tmp_path: Path) -> None:
    config = write(tmp_path, "uplinks: [{id: region, type: mqtt}]\n")
    done = doctor(config, "--json", "--bundle", tmp_path / "b.zip")
    assert done.exit_code == 1
    findings = json.loads(done.stdout)
    assert [one["about"] for one in findings if one["level"] == "wrong"] == ["configuration"]
    assert "agent.yaml:4" in findings[0]["text"]
    assert any(one["about"] == "versions" for one in findings)
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert archive.namelist() == ["findings.json"], "nobody knows what of it is secret"


@pytest.mark.parametrize(
    ("free", "level"), [(10**8, Level.WRONG), (10**9, Level.NOTICE), (10**10, Level.GOOD)]
)
def test_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: Level) -> None:
    where = site(tmp_path, "journal: {max_size: 2GB}\n")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free, total=2 * 10**10))
    assert levels(host.disk(where)) == [level]


def test_a_clock_that_was_never_set_is_wrong_and_this_one_is_asked_of_the_kernel() -> None:
    (finding,) = host.clock(1970)
    assert finding.level is Level.WRONG
    assert "1970" in finding.text
    (finding,) = host.clock(datetime.now(UTC).year)
    assert finding.level in (Level.GOOD, Level.NOTICE)


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="Windows has no such rights, and root may write everywhere"
)
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    where = site(tmp_path)
    tmp_path.chmod(0o500)
    try:
        assert Level.WRONG in levels(host.permissions(where))
    finally:
        tmp_path.chmod(0o700)


def test_a_key_that_others_may_read_is_told(tmp_path: Path) -> None:
    where = site(tmp_path)
    where.data_dir.mkdir()
    assert levels(kept.key(where)) == [Level.NOTICE]
    assert not (where.data_dir / "signing-key.pem").exists(), "looking makes none"
    public = signing_key(where.data_dir).public
    (finding,) = kept.key(where)
    assert public in finding.text
    assert Level.WRONG not in levels(host.permissions(where))
    file = where.data_dir / "signing-key.pem"
    file.chmod(file.stat().st_mode | stat.S_IROTH)
    assert os.name == "nt" or Level.WRONG in levels(host.permissions(where))
    file.write_text("no key")
    assert levels(kept.key(where)) == [Level.WRONG]


def test_damaged_files_are_told_and_left_as_they_are(tmp_path: Path) -> None:
    where = site(tmp_path)
    where.data_dir.mkdir()
    assert levels(kept.files(where)) == [Level.NOTICE, Level.NOTICE]
    History(where.data_dir / "history.db").close()
    journal = where.data_dir / "journal.db"
    journal.write_bytes(b"SQLite format 3\x00" + bytes(range(256)) * 40)
    before = journal.read_bytes()
    damaged, whole = kept.files(where)
    assert (damaged.level, whole.level) == (Level.WRONG, Level.GOOD)
    assert damaged.remedy is not None
    assert journal.read_bytes() == before


def test_an_agent_that_does_not_run_is_told_from_one_that_does(tmp_path: Path) -> None:
    where = site(tmp_path)
    where.data_dir.mkdir()
    assert levels(kept.alive(where)) == [Level.NOTICE]
    history = History(where.data_dir / "history.db")
    now = round(datetime.now(UTC).timestamp() * 1000)
    for age_s, level in ((0, Level.GOOD), (3600, Level.WRONG)):
        history.save(Changes(now - 1000 * age_s))
        assert levels(kept.alive(where)) == [level]
    history.close()


@pytest.mark.parametrize(
    ("begins", "ends", "level"),
    [(-2, 400, Level.GOOD), (-2, 20, Level.NOTICE), (-2, -1, Level.WRONG), (1, 400, Level.WRONG)],
)
def test_when_a_certificate_ends(begins: int, ends: int, level: Level) -> None:
    now = datetime.now(UTC)
    certificate = SimpleNamespace(
        not_valid_before_utc=now + timedelta(days=begins), not_valid_after_utc=now + timedelta(days=ends)
    )
    assert levels(certificates.of_age(ABOUT, "it", certificate)) == [level]  # type: ignore[arg-type]  # as far as it is looked at


def test_certificates_are_found_wherever_the_configuration_names_them(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    client, key = authority.issue("agent", expired=True)
    where = site(
        tmp_path,
        f"uplinks: [{{id: region, type: mqtt, host: b, tls: {{ca: {authority.ca}, certificate: {client},"
        f" key: {key}}}}}]\n",
    )
    found = {one.text.split()[0]: one.level for one in certificates.configured(where)}
    assert found == {str(authority.ca): Level.NOTICE, str(client): Level.WRONG}


def test_certificates_that_a_driver_keeps_are_looked_at_once(tmp_path: Path) -> None:
    pki = tmp_path / "pki"
    connections = "".join(
        f"  - {{id: c{number}, driver: opcua, endpoint: 'opc.tcp://127.0.0.1:4840/{number}', pki: pki,"
        f" equipment: [{{id: {name}, tags: [{{id: a, node: 'ns=2;s=a'}}]}}]}}\n"
        for number, name in enumerate("AB")
    )
    config = write(tmp_path, f"connections:\n{connections}")
    (tmp_path / "register.csv").write_text("id,name,workshop\nA,冲床,甲\nB,冲床,甲\n", "utf-8")
    where = load_site(config)
    assert list(certificates.configured(where)) == [], "the folder is made at the first connection"
    own, trusted = pki / "own", pki / "trusted"
    own.mkdir(parents=True)
    trusted.mkdir()
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("old", expired=True)
    pem = x509.load_pem_x509_certificate(certificate.read_bytes())
    (trusted / "machine.der").write_bytes(pem.public_bytes(Encoding.DER))
    (trusted / "key.txt").write_bytes(key.read_bytes())
    (finding,) = certificates.configured(where)
    assert (finding.level, finding.about.en) == (Level.WRONG, "connection c0")
    assert f"{trusted / 'machine.der'} has ended" in finding.text
    assert finding.remedy == certificates.OTHERS_SOON


@asynccontextmanager
async def tls_server(certificate: Path, key: Path) -> AsyncIterator[int]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def test_brokers_that_are_not_reached_or_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "HANDSHAKE_S", 30.0)  # all who have TLS answer, late or not
    monkeypatch.setattr(network, "LIMIT_S", 30.0)
    authority = Authority(tmp_path / "ca")
    Authority(tmp_path / "other")

    async def main() -> dict[str, list[tuple[Level, str]]]:
        async with tls_server(*authority.issue("broker")) as port:
            where = site(
                tmp_path,
                "uplinks:\n"
                f"  - {{id: trusted, type: mqtt, host: 127.0.0.1, port: {port}, tls: {{ca: ca/ca.pem}}}}\n"
                f"  - {{id: strange, type: mqtt, host: localhost, port: {port}, tls: {{ca: other/ca.pem}}}}\n"
                f"  - {{id: closed, type: mqtt, host: 127.0.0.1, port: {free_port()}}}\n"
                "  - {id: nameless, type: mqtt, host: broker.invalid}\n"
                f"  - {{id: plain, type: mqtt, client_id: p, host: 127.0.0.1, port: {port}}}\n"
                f"  - {{id: db, type: influxdb, url: 'http://127.0.0.1:{port}', database: d}}\n",
            )
            found: dict[str, list[tuple[Level, str]]] = {}
            async for one in network.uplinks(where):
                found.setdefault(one.about.en.split()[1], []).append((one.level, one.text))
            return found

    found = asyncio.run(main())
    reached, age = found["trusted"]
    assert reached[0] is Level.GOOD
    assert "TLSv1.3" in reached[1]
    assert age[0] is Level.NOTICE, "it ends tomorrow"
    for name, text in (
        ("strange", "not trusted"),
        ("closed", "refused"),
        ("nameless", "no address"),
        ("plain", "speaks TLS"),
        ("db", "speaks TLS"),
    ):
        ((level, said),) = found[name]
        assert level is Level.WRONG
        assert text in said


def test_a_port_without_tls_is_fine_for_who_asks_for_none_and_told_to_who_does(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)  # as a broker does that is greeted in another protocol
        writer.close()

    async def main() -> list[tuple[Level, str]]:
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            where = site(
                tmp_path,
                "uplinks:\n"
                f"  - {{id: plain, type: mqtt, client_id: p, host: 127.0.0.1, port: {port}}}\n"
                f"  - {{id: tls, type: mqtt, host: localhost, port: {port}, tls: {{ca: {authority.ca}}}}}\n",
            )
            return [(one.level, one.text) async for one in network.uplinks(where)]

    (plain, plain_said), (tls, tls_said) = asyncio.run(main())
    assert (plain, tls) == (Level.GOOD, Level.WRONG)
    assert "not encrypted" in plain_said
    assert "does not answer to TLS" in tls_said


def test_connections_are_tried_and_failures_have_their_remedies(tmp_path: Path) -> None:
    config = write(
        tmp_path,
        f"connections: [{{id: bus, driver: modbus, host: 127.0.0.1, port: {free_port()}, timeout: 300ms,"
        " equipment: [{id: A, unit: 1, tags: [{id: s, table: holding, address: 0}]}]}]\n",
    )
    done = doctor(config, "--json")
    (bus,) = [one for one in json.loads(done.stdout) if one["about"] == "connection bus"]
    assert bus["level"] == "wrong"
    assert bus["remedy"]
    done = doctor(config, "--json", "--no-connect")
    assert [one for one in json.loads(done.stdout) if one["about"] == "connection bus"] == []
    assert "connection bus" in doctor(config).output


def test_no_secret_gets_into_the_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = {"BROKER": "s3cret-of-broker", "HOST": "host-from-environment", "SHORT": "pass"}
    planted |= {"SIGNS": 's3cret"with\\signs'}
    (tmp_path / "token").write_text("s3cret-in-file\n")
    for name, value in planted.items():
        monkeypatch.setenv(f"PLANTED_{name}", value)
    # What a service's log might say of them.
    said = "; ".join([*planted.values(), "s3cret-in-file", "http://user:s3cret-of-proxy@proxy/"])
    said += "; user=u, password=pass; bypass"
    program = tmp_path / "bin" / "journalctl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    config = write(
        tmp_path,
        "uplinks:\n"
        "  - {id: region, type: mqtt, host: '${PLANTED_HOST}', username: u, password: '${PLANTED_BROKER}'}\n"
        "  - {id: db, type: influxdb, url: 'http://127.0.0.1:1', bucket: b, org: o, token: 'file:token'}\n"
        "  - {id: one, type: mqtt, client_id: '${PLANTED_SIGNS}', host: a.invalid, username: u,"
        " password: '${PLANTED_SHORT}'}\n",
    )
    bundle = tmp_path / "b.zip"
    done = doctor(config, "--bundle", bundle)
    assert "b.zip" in done.output
    with zipfile.ZipFile(bundle) as archive:
        assert {"findings.json", "configuration.txt", "log.txt"} == set(archive.namelist())
        everything = b"".join(archive.read(name) for name in archive.namelist()).decode()
    assert "uplinks[region].username: u" in everything
    assert "http://***@proxy/" in everything
    for said in (everything, done.output):
        for secret in (*planted.values(), "s3cret"):
            assert secret not in re.sub("password|bypass", "", said)
    assert "password=${PLANTED_SHORT}; bypass" in everything, "no part of a word is hidden"


def test_findings_hide_what_json_would_write_in_another_way(tmp_path: Path) -> None:
    (tmp_path / "token").write_text('s3cret"with\\signs')
    where = site(
        tmp_path,
        "uplinks: [{id: db, type: influxdb, url: 'http://a', bucket: b, org: o, token: file:token}]\n",
    )
    write_bundle(tmp_path / "b.zip", where, [{"text": 's3cret"with\\signs is refused'}])
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert json.loads(archive.read("findings.json")) == [{"text": "file:token is refused"}]


def test_a_bundle_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    done = doctor(write(tmp_path), "--no-connect", "--bundle", tmp_path / "no" / "b.zip")
    assert done.exit_code == 1
    assert "cannot be written: No such file or directory" in done.output


def test_a_real_certificate_is_read(tmp_path: Path) -> None:
    certificate, _ = Authority(tmp_path).issue("x")
    shown = x509.load_pem_x509_certificate(certificate.read_bytes())
    (finding,) = certificates.of_age(ABOUT, "it", shown)
    assert finding.level is Level.NOTICE
