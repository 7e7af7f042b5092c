"""A real influxd as its own process, with nginx in front that speaks the newer way of writing for it.

Debian has InfluxDB 1.6. From 1.8 on it has `/api/v2/write` itself; here nginx maps that to `/write`.
"""

import base64
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from tests.ports import free_port

START_LIMIT_S = 30.0
USER, PASSWORD = "edge", "a password"

_INFLUXD = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{http}"
auth-enabled = {auth}
log-enabled = false
"""

_NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp; fastcgi_temp_path {folder}/tmp;
    uwsgi_temp_path {folder}/tmp; scgi_temp_path {folder}/tmp;
    client_max_body_size 25m;
    client_body_buffer_size 25m;
    map $arg_bucket $db {{ "~^(?<d>.+?)(%2F|/)" $d; default $arg_bucket; }}
    map $arg_bucket $rp {{ "~(%2F|/)(?<r>.+)$" $r; default ""; }}
    map $arg_precision $unit {{ us u; default $arg_precision; }}
    map $http_authorization $credentials {{ "Token {token}" "Basic {basic}"; default ""; }}
    server {{
        listen 127.0.0.1:{port}{tls};
        {certificate}
        location = /api/v2/write {{
            proxy_set_header Authorization $credentials;
            proxy_pass http://127.0.0.1:{http}/write?db=$db&rp=$rp&precision=$unit;
        }}
    }}
}}
"""


class Influxd:
    """A database that can be killed and started again on the same ports, keeping what it had promised."""

    def __init__(
        self, folder: Path, *, auth: bool = False, certificate: tuple[Path, Path] | None = None
    ) -> None:
        """`certificate` and its key: the way to write is https then."""
        self._folder = folder
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        self._http, self._port = free_port(), free_port()
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self._port}"
        """Where `/api/v2/write` is."""
        self._auth = auth
        token = f"{USER}:{PASSWORD}"
        files = certificate or ("", "")
        values = {
            "folder": folder,
            "rpc": free_port(),
            "http": self._http,
            "port": self._port,
            "auth": str(auth).lower(),
            "token": token,
            "basic": base64.b64encode(token.encode()).decode(),
            "tls": " ssl" if certificate else "",
            "certificate": f"ssl_certificate {files[0]}; ssl_certificate_key {files[1]};"
            if certificate
            else "",
        }
        (folder / "influxd.conf").write_text(_INFLUXD.format(**values))
        (folder / "nginx.conf").write_text(_NGINX.format(**values))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> "Influxd":
        """Start both, and wait until the database answers through nginx."""
        try:
            self._run("influxd", "-config", str(self._folder / "influxd.conf"))
            if "nginx" not in self._processes:
                log = str(self._folder / "nginx.log")
                self._run("nginx", "-e", log, "-p", str(self._folder), "-c", str(self._folder / "nginx.conf"))
            self._until_it_answers()
        except BaseException:
            self.stop(signal.SIGKILL, nginx=True)
            raise
        return self

    def _run(self, program: str, *arguments: str) -> None:
        found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
        assert found, f"{program} is not installed; `make test` installs it"
        with (self._folder / f"{program}.out").open("ab") as log:
            self._processes[program] = subprocess.Popen([found, *arguments], stdout=log, stderr=log)

    def _until_it_answers(self) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{self._http}/ping", timeout=1):
                    return
            except OSError:
                assert all(process.poll() is None for process in self._processes.values()), self.log()
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGTERM, *, nginx: bool = False) -> None:
        """End the database; nginx stays, and answers 502, unless it is to end as well."""
        for program in ("influxd", *(["nginx"] if nginx else [])):
            process = self._processes.pop(program, None)
            if process is not None:
                process.send_signal(how)
                process.wait(20)

    def query(self, text: str, database: str = "") -> list[dict[str, Any]]:
        """The rows of InfluxQL, each with its tags; raises AssertionError with the database's message."""
        form = urlencode({"q": text, "db": database, "epoch": "ms"}).encode()
        request = Request(f"http://127.0.0.1:{self._http}/query", form)
        if self._auth:
            basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            request.add_header("Authorization", f"Basic {basic}")
        with urlopen(request, timeout=20) as answer:  # noqa: S310 - loopback
            results: Sequence[dict[str, Any]] = json.load(answer)["results"]
        rows = []
        for result in results:
            assert "error" not in result, f"{text}: {result['error']}"
            for one in result.get("series", ()):
                rows += [
                    {**one.get("tags", {}), **dict(zip(one["columns"], values, strict=True))}
                    for values in one["values"]
                ]
        return rows

    def create(self, database: str = "plant", duration: str = "INF") -> None:
        if self._auth:
            self.query(f"CREATE USER {USER} WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES")
        self.query(f'CREATE DATABASE "{database}" WITH DURATION {duration} NAME "kept"')

    def count(self, measurement: str, database: str = "plant") -> int:
        """How many points a measurement has: those of the field that every point has."""
        rows = self.query(f'SELECT count(*) FROM "{measurement}"', database)  # noqa: S608 - our own words
        return max((value for row in rows for name, value in row.items() if name != "time"), default=0)

    def log(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted(self._folder.glob("*.[ol]*")))

    def __enter__(self) -> "Influxd":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGKILL, nginx=True)
