"""A gateway gets its certificate from a region, uses it, and renews it: with a real broker of two doors."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.cli.enrol import enrol
from edge_agent.contract.enrolment import Gateway, check_request
from edge_agent.contract.messages import EnrolmentResponse, Event, Status, encode
from tests.field.agent_process import AgentProcess
from tests.field.certificates import Authority as ServerAuthority
from tests.field.mosquitto import Mosquitto
from tests.field.platform import Platform, Received
from tests.field.sparkplug.host import Host
from tests.ports import free_port
from tests.uplinks.enrolment import authority_module, certificate_of

LIMIT_S = 90.0
PLACE = "330300/91330300MA00DEM06A/gw-1"
ROOT = f"fta/v1/{PLACE}"
NAME = "CN=gw-1,OU=330300,O=91330300MA00DEM06A"

BROKER = """
per_listener_settings true
allow_anonymous true

listener {newcomers} 127.0.0.1
certfile {server}
keyfile {server_key}
allow_anonymous true
acl_file {folder}/newcomers.acl

listener {members} 127.0.0.1
certfile {server}
keyfile {server_key}
cafile {region}/ca.pem
crlfile {region}/crl.pem
require_certificate true
use_subject_as_username true
allow_anonymous false
acl_file {folder}/members.acl
"""
NEWCOMERS = """
pattern write fta/v1/%c/enrol/request
pattern read fta/v1/%c/enrol/response
"""
MEMBERS = f"""
user {NAME}
topic write {ROOT}/#
topic read {ROOT}/enrol/response
topic read {ROOT}/replay/request
topic write spBv1.0/works/+/gw-1/#
topic read spBv1.0/works/NCMD/gw-1
"""
CONFIGURATION = """
gateway: {{id: gw-1, region: "330300", enterprise: 91330300MA00DEM06A}}
register: register.csv
uplinks:
  - id: region
    type: mqtt
    host: 127.0.0.2  # where nobody is
    port: {members}
    fallback: [{{host: 127.0.0.1}}]
    tls: {{enrolled: true, ca: trusted.pem}}
  - id: scada
    type: sparkplug
    client_id: gw-1-scada
    group: works
    host: 127.0.0.1
    port: {members}
    tls: {{enrolled: true, ca: trusted.pem}}
"""


@dataclass
class Scene:
    folder: Path
    broker: Mosquitto
    newcomers: int
    members: int
    authority: Any
    serving: paho.Client
    server_ca: Path
    lives: list[timedelta]
    """Of the certificates that are issued, one after the other."""

    @property
    def identity(self) -> Path:
        return self.folder / "data" / "identity" / "region.pem"

    def connects(self, pem: Path) -> bool:
        """Whether the members' door lets in who shows this certificate and key."""
        client = paho.Client(CallbackAPIVersion.VERSION2, "probe")
        client.tls_set(str(self.server_ca), str(pem), str(pem))
        seen: list[bool] = []
        client.on_connect = lambda *told: seen.append(not told[3].is_failure)
        client.on_disconnect = lambda *_: seen.append(False)
        try:
            client.connect("127.0.0.1", self.members)
            while not seen:
                client.loop(0.1)
        except OSError:
            return False
        finally:
            client.disconnect()
        return seen[0]


@contextmanager
def running(folder: Path) -> Iterator[Scene]:
    module = authority_module()
    authority = module.make(folder / "region")
    server = ServerAuthority(folder / "server")
    certificate, key = server.issue("broker")
    newcomers, members = free_port(), free_port()
    (folder / "newcomers.acl").write_text(NEWCOMERS)
    (folder / "members.acl").write_text(MEMBERS)
    (folder / "trusted.pem").write_bytes(server.ca.read_bytes() + (folder / "region/ca.pem").read_bytes())
    (folder / "agent.yaml").write_text(CONFIGURATION.format(members=members))
    (folder / "register.csv").write_text("id,name,workshop\nA,冲床,甲\n", "utf-8")
    doors = BROKER.format(
        newcomers=newcomers,
        members=members,
        server=certificate,
        server_key=key,
        region=folder / "region",
        folder=folder,
    )
    lives = [timedelta(days=1), timedelta(seconds=100), timedelta(days=1)]
    issue = authority.issue

    def of_this_life(request: Any, now: Any) -> x509.Certificate:
        authority.life = lives.pop(0)
        issued: x509.Certificate = issue(request, now)
        return issued

    authority.issue = of_this_life
    with Mosquitto(folder / "broker", doors) as broker:
        serving = module.client(authority)
        serving.connect("127.0.0.1", broker.port)
        serving.loop_start()
        try:
            yield Scene(folder, broker, newcomers, members, authority, serving, server.ca, lives)
        finally:
            serving.disconnect()
            serving.loop_stop()


class Enrolling:
    """`edge-agent enrol mqtt`, and what it prints."""

    def __init__(self, scene: Scene) -> None:
        command = [sys.executable, "-m", "edge_agent", "enrol", "mqtt", str(scene.folder / "agent.yaml")]
        self._process = subprocess.Popen(
            [*command, "--uplink", "region", "--port", str(scene.newcomers)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.lines: list[str] = []
        self._limit = threading.Timer(LIMIT_S, self._process.kill)
        self._limit.start()

    def until(self, text: str) -> str:
        """The next line with `text` in it."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line)
            if text in line:
                return line
        raise AssertionError("".join(self.lines))

    def ended(self, how: signal.Signals | None = None) -> int:
        if how is not None:
            self._process.send_signal(how)
        assert self._process.stdout is not None
        self.lines += self._process.stdout.readlines()
        return self._process.wait(20)

    def __enter__(self) -> "Enrolling":
        return self

    def __exit__(self, *_: object) -> None:
        self._limit.cancel()
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def enrolled_by_file(scene: Scene, uplink: str) -> None:
    """Its certificate, carried there and back."""
    config, stick = str(scene.folder / "agent.yaml"), scene.folder / "stick"
    run = CliRunner()
    asked = run.invoke(enrol, ["request", config, "--uplink", uplink, "--output", str(stick)])
    assert asked.exit_code == 0, asked.output
    payload = (stick / "gw-1.request.json").read_bytes()
    expected = scene.folder / "region" / "expected.txt"
    expected.write_text(f"{PLACE} {check_request(payload).fingerprint}\n")
    (stick / "gw-1.pem").write_text(scene.authority.answer(payload).certificate)
    expected.write_text("")
    installed = run.invoke(enrol, ["install", config, str(stick / "gw-1.pem"), "--uplink", uplink])
    assert installed.exit_code == 0, installed.output


def events(received: list[Received], kind: str) -> list[Event]:
    return [r.message for r in received if isinstance(r.message, Event) and r.message.kind == kind]


def births(received: list[Received]) -> set[int]:
    """When connections began."""
    return {r.message.since for r in received if isinstance(r.message, Status) and r.message.online}


def hostile(scene: Scene, request_id: str, csr: x509.CertificateSigningRequest) -> dict[str, bytes]:
    """Answers that nobody may install, by what is told of them."""

    def answer(certificate: x509.Certificate) -> bytes:
        pem = certificate.public_bytes(Encoding.PEM).decode()
        return encode(EnrolmentResponse(id=request_id, time=1, certificate=pem))

    other = ec.generate_private_key(ec.SECP256R1())
    ca = scene.authority
    ours, key = Gateway("330300", "91330300MA00DEM06A", "gw-1"), csr.public_key()
    stranger = authority_module().make(scene.folder / "stranger")
    return {
        "cannot be read as an answer": b"\xff garbage",
        "10,000,000 bytes": b" " * 10_000_000,
        "for another key": answer(certificate_of(ca, ours, other.public_key())),
        "ended on": answer(certificate_of(ca, ours, key, days=-1)),
        "gw-2": answer(certificate_of(ca, Gateway(ours.region, ours.enterprise, "gw-2"), key)),
        "leads to none": answer(certificate_of(stranger, ours, key)),
        "cannot be read as a certificate": encode(
            EnrolmentResponse(id=request_id, time=1, certificate="-----BEGIN CERTIFICATE-----\nx")
        ),
    }


def test_from_the_first_request_to_the_end_of_the_old_certificate(tmp_path: Path) -> None:
    with (
        running(tmp_path) as s,
        Platform(s.broker.port, f"{ROOT}/event") as platform,
        Platform(s.broker.port, f"{ROOT}/status", client_id="presence") as presence,
        Platform(s.broker.port, f"{ROOT}/enrol/request", client_id="requests") as requests,
        Host(s.broker.port) as host,
        AgentProcess(tmp_path / "agent.yaml", tmp_path) as agent,
    ):
        assert agent.process is not None
        # Sparkplug goes through the members' door, too.
        enrolled_by_file(s, "scada")
        deadline = time.monotonic() + 60
        while not host.heard("NBIRTH"):
            assert time.monotonic() < deadline, agent.log()
            time.sleep(0.02)
        assert f"as gw-1-scada (p5, c1, k30, u'{NAME}')" in s.broker.log()
        # Nobody expects it yet; what strangers answer changes nothing.
        with Enrolling(s) as enrolling:
            told = enrolling.until("fingerprint")
            enrolling.until("waiting")
            (request, *_) = requests.wait_for(lambda r: len(r) > 0)
            checked = check_request(request.payload)
            digits = checked.fingerprint
            assert digits in told
            for reason, payload in hostile(s, checked.message.id, checked.csr).items():
                s.serving.publish(f"{ROOT}/enrol/response", payload, qos=1)
                assert "of no use" in enrolling.until(reason)
            assert {one.name for one in s.identity.parent.iterdir()} == {"region.next.key", "scada.pem"}
            assert "no connection to 127.0.0.2" in "".join(enrolling.lines), "the second broker was asked"
            assert enrolling.ended(signal.SIGINT) == 130
            assert "Stopped" in enrolling.lines[-1]
        assert "no certificate yet" in agent.log()

        # The region has compared the digits by telephone.
        (tmp_path / "region" / "expected.txt").write_text(f"{PLACE} {digits}\n")
        agent.process.send_signal(signal.SIGSTOP)
        with Enrolling(s) as enrolling:
            assert enrolling.ended() == 0, enrolling.lines
            assert digits in "".join(enrolling.lines), "the same key as before"
            assert "certificate installed" in "".join(enrolling.lines)
        first = tmp_path / "first.pem"
        first.write_bytes(s.identity.read_bytes())
        agent.process.send_signal(signal.SIGCONT)

        # The agent takes it up, and as its end is near it asks for another one by itself.
        received = platform.wait_for(lambda r: len(events(r, "certificate_renewed")) == 1)
        presence.wait_for(lambda r: len(births(r)) == 2)
        assert s.lives == []
        (renewed,) = events(received, "certificate_renewed")
        before, now = (x509.load_pem_x509_certificate(one.read_bytes()) for one in (first, s.identity))
        assert renewed.subject == "region"
        assert renewed.detail["ends"] == round(now.not_valid_after_utc.timestamp() * 1000)
        assert before.public_key() != now.public_key(), "with a new key"
        assert {one.name for one in s.identity.parent.iterdir()} == {"region.pem", "scada.pem"}
        assert s.identity.stat().st_mode & 0o777 == 0o600
        down = [one.subject for one in events(received, "uplink_down")]
        assert down.count("region") == 1, "told once, kept, and delivered"

        # The old one lets nobody in any more.
        assert s.connects(first)
        s.authority.revoke(before)
        s.broker.read_again()
        deadline = time.monotonic() + 30
        while s.connects(first):
            assert time.monotonic() < deadline, s.broker.log()
        assert s.connects(s.identity)
        assert agent.stop() == 0
