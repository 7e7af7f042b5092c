"""A page with TLS and sign-in, over HTTP: who gets what, and that no secret gets out."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge_agent.console.api import STATIC
from tests.console.guarded import SECRETS, TECHNICIAN, TOKEN, VIEWER, Guarded, apply, csrf, sign_in
from tests.console.waiting import until
from tests.house.documents import ROOT, blocks
from tests.ports import free_port

ROBOT = {"Authorization": f"Bearer {TOKEN}"}
FILES = [f"/static/{file.name}" for file in sorted(STATIC.iterdir())]


def paths(document: Any) -> list[str]:
    """Everything that can be read, of one machine, one connection and one definition."""
    found = [path for path, operations in document["paths"].items() if "get" in operations]
    values = {
        "connections/{id}": "connections/line-1",
        "{id}": "CNC-01",
        "{family}": "networked-rate",
        "{variant}": "live",
    }
    for name, value in values.items():
        found = [path.replace(name, value) for path in found]
    return [*(f"/api/v1{path}" for path in found), "/api/v1/openapi.json", "/metrics"]


def may_be_read(client: httpx.Client, path: str) -> bool:
    """What has no figures yet is not found, which only those hear who may read it."""
    status = client.get(path).status_code
    return status == 200 or (status == 404 and path.endswith(("/day", "/live")))


@pytest.fixture(scope="module")
def technician(guarded: Guarded) -> Iterator[httpx.Client]:
    with guarded.signed_in(TECHNICIAN) as client:
        yield client


@pytest.fixture(scope="module")
def document(technician: httpx.Client) -> Any:
    return technician.get("/api/v1/openapi.json").json()


def test_without_a_sign_in_there_is_the_form_and_nothing_else(guarded: Guarded, document: Any) -> None:
    asked = paths(document)
    assert len(asked) > 12
    with guarded.client() as nobody:
        for path in [*asked, "/api/v1/live", "/api/v1/nothing", "/nothing"]:
            response = nobody.get(path)
            if path == "/api/v1/session":
                assert response.json()["role"] == ""
            else:
                assert (response.status_code, response.json()) == (401, {"error": "sign in first"}), path
        for path in ["/", *FILES]:
            assert nobody.get(path).status_code == 200
        for path, operations in document["paths"].items():
            if "post" in operations and path != "/sign-in":
                assert nobody.post(f"/api/v1{path}", headers=csrf(nobody)).status_code == 401, path


def test_a_viewer_reads_everything_and_tries_out_nothing(guarded: Guarded, document: Any) -> None:
    with guarded.signed_in(VIEWER) as viewer:
        assert [path for path in paths(document) if not may_be_read(viewer, path)] == []
        refused = viewer.post("/api/v1/configuration/validate", headers=csrf(viewer))
        assert (refused.status_code, refused.json()) == (403, {"error": "this takes the role technician"})


def test_a_program_reads_with_its_token_and_tries_out_nothing(guarded: Guarded, document: Any) -> None:
    with guarded.client(headers=ROBOT) as robot:
        assert [path for path in paths(document) if not may_be_read(robot, path)] == []
        assert robot.post("/api/v1/configuration/validate").status_code == 403
        assert robot.get("/metrics", headers={"Authorization": "Bearer guess"}).status_code == 401


def test_a_technician_has_the_files_read_again(guarded: Guarded, technician: httpx.Client) -> None:
    file = guarded.folder / "agent.yaml"
    before = file.read_text()
    url = "/api/v1/configuration/validate"
    try:
        assert technician.post(url, headers=csrf(technician)).json()["changes"] == []
        file.write_text(before.replace("North hall", "South hall"))
        (change,) = technician.post(url, headers=csrf(technician)).json()["changes"]
        assert (change["field"], change["before"], change["after"], change["line"]) == (
            "gateway.name", "North hall", "South hall", 1,
        )  # fmt: skip
        file.write_text(before.replace("driver: modbus", "driver: modbux"))
        (mistake,) = technician.post(url, headers=csrf(technician)).json()["mistakes"]
        assert (mistake["line"], mistake["field"]) == (5, "connections[0].driver")
        assert 'did you mean "modbus"' in mistake["text"]
    finally:
        file.write_text(before)
    assert technician.get("/api/v1/overview").json()["gateway"]["name"] == "North hall"


def test_a_technician_applies_what_was_validated_and_nothing_else(
    guarded: Guarded, technician: httpx.Client
) -> None:
    file = guarded.folder / "agent.yaml"
    before = file.read_text()
    url = "/api/v1/configuration/validate"
    try:
        file.write_text(before.replace("North hall", "South hall").replace("id: third", "id: fourth"))
        digest = technician.post(url, headers=csrf(technician)).json()["digest"]
        assert apply(technician, "0" * 64).status_code == 409
        with guarded.signed_in(VIEWER) as viewer:
            assert apply(viewer, digest).status_code == 403
        changed = file.read_text()
        file.write_text(changed + "# a comment\n")
        assert apply(technician, digest).status_code == 409
        file.write_text(changed)
        done = apply(technician, digest).json()
        assert (done["taken"], done["digest"], done["sections"]) == (True, digest, ["gateway"])
        assert done["uplinks"] == {"added": ["fourth"], "removed": ["third"], "altered": []}

        def name_is_shown() -> bool:  # an overview is made every 0.8 s
            return bool(technician.get("/api/v1/overview").json()["gateway"]["name"] == "South hall")

        until(name_is_shown, 30)
        assert apply(technician, digest).status_code == 409, "once validated, once applied"
        log = guarded.process.log()
        assert "page: wang applied the files of the configuration: uplinks: +fourth -third; gateway" in log
        file.write_text(changed.replace("id: gw-01", "id: gw-02"))
        needs_restart = technician.post(url, headers=csrf(technician)).json()
        assert needs_restart["needs_restart"] == ["gateway.id"]
        kept = apply(technician, needs_restart["digest"]).json()
        assert (kept["taken"], kept["digest"], kept["mistakes"]) == (False, digest, [])
        assert kept["refusal"].startswith("gateway.id: changed only by a restart")
        file.write_text(before.replace("driver: modbus", "driver: modbux"))
        assert technician.post(url, headers=csrf(technician)).json()["digest"] == ""
        assert apply(technician, "").status_code == 409
    finally:
        file.write_text(before)
        guarded.take_over()


def test_the_cookie_is_for_this_browser_and_this_page_alone(guarded: Guarded) -> None:
    with guarded.client() as client:
        cookie = sign_in(client, *VIEWER).headers["set-cookie"]
        name, *attributes = cookie.split("; ")
        assert re.fullmatch(r"__Host-edge-agent=[\w-]{43}", name)
        assert {one.lower() for one in attributes} == {"httponly", "path=/", "samesite=strict", "secure"}
        assert client.get("/api/v1/session").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("token", [None, "", "0" * 64])
def test_a_foreign_page_can_neither_sign_in_nor_do_anything(guarded: Guarded, token: str | None) -> None:
    headers = {} if token is None else {"X-CSRF-Token": token}
    with guarded.client() as client:
        given = {"user": TECHNICIAN[0], "password": TECHNICIAN[1]}
        assert client.post("/api/v1/sign-in", json=given, headers=headers).status_code == 403
        sign_in(client, *TECHNICIAN)
        assert client.post("/api/v1/configuration/validate", headers=headers).status_code == 403
        assert client.post("/api/v1/sign-out", headers=headers).status_code == 403
        assert client.get("/api/v1/session").json()["user"] == TECHNICIAN[0]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "application/json", 400),
        (b'{"user": "wang"}', "application/json", 400),
        (b'{"user": 1, "password": []}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"user": "\\ud800", "password": "\\ud800"}', "application/json", 400),
        (b"user=wang&password=x", "application/x-www-form-urlencoded", 415),
        (b'"' + b"a" * 5000 + b'"', "application/json", 413),
    ],
)
def test_a_wrong_body_is_said_to_be_one(guarded: Guarded, body: bytes, kind: str, status: int) -> None:
    with guarded.client() as client:
        headers = {**csrf(client), "Content-Type": kind}
        response = client.post("/api/v1/sign-in", content=body, headers=headers)
        assert response.status_code == status, response.text


def test_live_updates_end_with_the_session(guarded: Guarded) -> None:
    with guarded.signed_in(VIEWER) as client, client.stream("GET", "/api/v1/live") as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: overview"
        out = client.post("/api/v1/sign-out", headers=csrf(client))
        assert out.json()["role"] == ""
        assert sum(1 for _ in islice(lines, 100)) < 100, "what would be told in half a minute"
        assert client.get("/api/v1/overview").status_code == 401


def test_who_guesses_has_to_wait_and_others_do_not(guarded: Guarded) -> None:
    elsewhere = httpx.HTTPTransport(verify=guarded.trust, local_address="127.0.0.9")
    with httpx.Client(base_url=guarded.url, transport=elsewhere, timeout=10) as guesser:
        statuses = [sign_in(guesser, f"user{number}", "x").status_code for number in range(11)]
        assert statuses == [401] * 10 + [429]
        refused = sign_in(guesser, *TECHNICIAN)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 30
    with guarded.signed_in(TECHNICIAN):
        pass


def test_no_secret_gets_out(guarded: Guarded, technician: httpx.Client, document: Any) -> None:
    """Every byte of every answer, page, file, line of the log and live update is searched."""
    told = [technician.get(path).content for path in ["/", *FILES, *paths(document), "/nothing"]]
    told.append(technician.post("/api/v1/configuration/validate", headers=csrf(technician)).content)
    told.append(sign_in(technician, *TECHNICIAN).content)
    with technician.stream("GET", "/api/v1/live") as stream:
        told.append(next(stream.iter_raw()))
    told.append(guarded.process.log().encode())
    everything = b"\n".join(told)
    assert b"file:mqtt.secret" in everything
    assert b"${PLANTED}" in everything
    for name, secret in SECRETS.items():
        assert secret.encode() not in everything, name
    for one in guarded.hashes:
        assert one.encode() not in everything
    assert technician.cookies["__Host-edge-agent"].encode() not in everything


def test_the_log_says_who_has_come_and_gone(technician: httpx.Client, guarded: Guarded) -> None:
    with guarded.signed_in(VIEWER) as viewer:
        sign_in(viewer, VIEWER[0], "wrong")
        viewer.post("/api/v1/sign-out", headers=csrf(viewer))
    lines = technician.get("/api/v1/logs", params={"part": "page", "text": "office"}).json()["lines"]
    assert [line["text"] for line in lines[:3]] == [
        "page: office signed out from 127.0.0.1",
        "page: sign-in failed for office from 127.0.0.1",
        "page: office (viewer) signed in from 127.0.0.1",
    ]
    about = technician.get("/api/v1/logs", params={"subject": "line-1"}).json()["lines"]
    assert about
    assert all("line-1" in line["subjects"] for line in about)


@pytest.mark.parametrize("query", ["level=loud", "part=nose"])
def test_a_filter_that_is_none_is_refused(technician: httpx.Client, query: str) -> None:
    assert technician.get(f"/api/v1/logs?{query}").status_code == 400


def test_there_is_no_page_without_tls(guarded: Guarded) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(guarded.url.replace("https", "http"), trust_env=False)


# Sign-in by a proxy.

NGINX = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp; fastcgi_temp_path {folder}/tmp;
    uwsgi_temp_path {folder}/tmp; scgi_temp_path {folder}/tmp;
    {documented}
    map $cookie_sso $groups_of {{ li "staff,maintenance"; default "staff"; }}
    server {{  # in the place of oauth2-proxy
        listen 127.0.0.1:{oauth2};
        location = /oauth2/auth {{
            if ($cookie_sso = "") {{ return 401; }}
            add_header X-Auth-Request-Email $cookie_sso@works.lan always;
            add_header X-Auth-Request-Groups $groups_of always;
            return 202;
        }}
    }}
}}
"""


@pytest.fixture
def proxied(guarded: Guarded, tmp_path: Path) -> Iterator[httpx.Client]:
    """nginx as docs/console.md has it, before the agent; only addresses and certificates are others."""
    (documented,) = blocks(ROOT / "docs" / "console.md", "nginx")
    port, oauth2 = free_port(), free_port()
    certificate, key = guarded.authority.issue("gateway")
    here = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/etc/nginx/gateway.pem": str(certificate),
        "/etc/nginx/gateway.key": str(key),
        "http://127.0.0.1:4180": f"http://127.0.0.1:{oauth2}",
        "proxy_pass http://127.0.0.1:8080;": f"proxy_pass {guarded.url}; proxy_bind 127.0.0.2;",
    }
    for there, instead in here.items():
        assert there in documented
        documented = documented.replace(there, instead)
    (tmp_path / "nginx.conf").write_text(NGINX.format(folder=tmp_path, documented=documented, oauth2=oauth2))
    program = shutil.which("nginx")
    assert program is not None, "the tests need Debian's package nginx: scripts/debian-tools"
    files = ["-e", str(tmp_path / "nginx.log"), "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    process = subprocess.Popen([program, *files])
    try:
        with httpx.Client(
            base_url=f"https://127.0.0.1:{port}", verify=guarded.trust, trust_env=False, timeout=10
        ) as client:

            def answers() -> bool:
                try:
                    return client.get("/").status_code > 0
                except httpx.TransportError:
                    return False

            until(answers, 30, (tmp_path / "nginx.log").read_text)
            yield client
    finally:
        process.terminate()
        process.wait()


def test_a_proxy_signs_people_in(proxied: httpx.Client, guarded: Guarded) -> None:
    out = proxied.get("/")
    assert out.status_code == 302
    assert out.headers["location"].endswith("/oauth2/sign_in?rd=/")
    proxied.cookies.set("sso", "li")
    session = proxied.get("/api/v1/session").json()
    assert (session["user"], session["role"]) == ("li@works.lan", "technician")
    assert proxied.post("/api/v1/configuration/validate").status_code == 403
    assert proxied.post("/api/v1/configuration/validate", headers=csrf(proxied)).status_code == 200
    with proxied.stream("GET", "/api/v1/live") as stream:
        assert next(stream.iter_lines()) == "event: overview"
    # What somebody writes into the headers themselves counts for nothing, with and without the proxy.
    forged = {"X-Forwarded-User": "boss", "X-Forwarded-Groups": "maintenance"}
    proxied.cookies.set("sso", "zhao")
    assert proxied.get("/api/v1/overview", headers=forged).status_code == 401
    with guarded.client() as direct:
        assert direct.get("/api/v1/overview", headers=forged).status_code == 401
