"""An agent whose page has TLS and a sign-in, with secrets planted wherever a configuration may have some."""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from edge_agent.console.passwords import hashed
from tests.console.waiting import until
from tests.field.agent_process import AgentProcess
from tests.field.certificates import Authority
from tests.ports import free_port

TECHNICIAN, VIEWER = ("wang", "gear box seven lathe"), ("office", "coolant hose nine drill")
TOKEN = "t0k3n-of-prometheus-0123456789abcdef"  # noqa: S105 - of nobody
SECRETS = {
    "file": "secret-in-a-file-5Xq",
    "environment": "secret-of-the-environment-8Zr",
    "plain": "secret-in-the-open-2Lk",
    "token": TOKEN,
    "technician": TECHNICIAN[1],
    "viewer": VIEWER[1],
}
REGISTER = "id,name,workshop\nCNC-01,Lathe,Hall 1\nCNC-02,Mill,Hall 1\n"
CONFIGURATION = """\
gateway: {{id: gw-01, region: "330300", enterprise: 91350100M000100Y43, name: North hall}}
register: register.csv
connections:
  - id: line-1
    driver: modbus
    host: 127.0.0.1
    port: {closed}
    equipment:
      - id: CNC-01
        unit: 1
        tags: [{{id: status, table: holding, address: 0, type: uint16}}]
uplinks:
  - {{id: region, type: mqtt, host: localhost, client_id: a, username: gw, password: "file:mqtt.secret"{at}}}
  - {{id: second, type: mqtt, host: localhost, client_id: b, username: gw, password: "${{PLANTED}}"{at}}}
  - {{id: third, type: mqtt, host: localhost, client_id: c, username: gw, password: {plain}{at}}}
console:
  listen: 127.0.0.1:{port}
  tls: {{certificate: page.pem, key: page.key}}
  sign_in:
    users:
      - {{name: wang, role: technician, password: "{technician}"}}
      - {{name: office, password: "{viewer}"}}
    token: file:token
    proxy:
      addresses: [127.0.0.2]
      groups: {{maintenance: technician, office: viewer}}
"""


@dataclass
class Guarded:
    """The page of a running agent, and what is needed to get in."""

    url: str
    folder: Path
    authority: Authority
    process: AgentProcess
    hashes: list[str]
    trust: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        self.trust = ssl.create_default_context(cafile=str(self.authority.ca))

    def client(self, **options: Any) -> httpx.Client:
        """A browser that nobody has signed in with yet."""
        # A connection for each request: the page may end one that is kept just when the next is sent.
        limits = httpx.Limits(max_keepalive_connections=0)
        return httpx.Client(
            base_url=self.url, verify=self.trust, trust_env=False, timeout=20, limits=limits, **options
        )

    def take_over(self) -> None:
        """Have the agent run on its files, whatever they are, and the page with it."""
        said = len(self.process.log())
        with self.client() as client:
            assert sign_in(client, *TECHNICIAN).status_code == 200
            found = client.post("/api/v1/configuration/validate", headers=csrf(client)).json()
            with suppress(httpx.TransportError):  # the page itself was changed
                apply(client, found["digest"])
        # The page of before may still answer while it goes away.
        until(lambda: taken_over(self.process.log()[said:]), 30, self.process.log)
        until(self.answers, 30, self.process.log)

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return client.get("/").status_code == 200
        except httpx.TransportError:
            return False

    @contextmanager
    def signed_in(self, who: tuple[str, str]) -> Iterator[httpx.Client]:
        with self.client() as client:
            assert sign_in(client, *who).status_code == 200
            yield client


def taken_over(log: str) -> bool:
    """Whether the agent runs on another configuration now, or on the same, and has begun its page again if
    that is to be another one."""
    done = re.search(r"configuration changed: (?P<what>.*)|the configuration is the one that runs", log)
    if done is None:
        return False
    return "console" not in (done["what"] or "") or "page on https" in log[done.end() :]


def csrf(client: httpx.Client) -> dict[str, str]:
    """The header that everything but GET must have."""
    return {"X-CSRF-Token": client.get("/api/v1/session").json()["csrf"]}


def sign_in(client: httpx.Client, user: str, password: str) -> httpx.Response:
    given = {"user": user, "password": password}
    return client.post("/api/v1/sign-in", json=given, headers=csrf(client))


def apply(client: httpx.Client, digest: str) -> httpx.Response:
    return client.post("/api/v1/configuration/apply", json={"digest": digest}, headers=csrf(client))


def start(folder: Path) -> Guarded:
    authority = Authority(folder)
    authority.issue("page")
    hashes = [hashed(password) for _, password in (TECHNICIAN, VIEWER)]
    port, closed = free_port(), free_port()
    (folder / "register.csv").write_text(REGISTER)
    (folder / "mqtt.secret").write_text(SECRETS["file"] + "\n")
    (folder / "token").write_text(TOKEN + "\n")
    (folder / "agent.yaml").write_text(
        CONFIGURATION.format(
            port=port,
            closed=closed,
            at=f", port: {closed}",
            plain=SECRETS["plain"],
            technician=hashes[0],
            viewer=hashes[1],
        )
    )
    process = AgentProcess(folder / "agent.yaml", folder, PLANTED=SECRETS["environment"])
    process.start()
    guarded = Guarded(f"https://127.0.0.1:{port}", folder, authority, process, hashes)

    until(guarded.answers, 30, process.log)
    return guarded
