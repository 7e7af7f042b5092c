"""A server that answers as newer databases do where Debian's cannot: busy, or naming lines their way."""

import gzip
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Written:
    """One request: its lines, the query and the headers."""

    lines: list[str]
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int = 204
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class Answering:
    """Calls `answer` for each write, in the order in which they come; `written` has them all."""

    def __init__(self, answer: Callable[[Written], Answer]) -> None:
        self.written: list[Written] = []
        bench = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                parts = urlsplit(self.path)
                one = Written(body.decode().split("\n"), parse_qs(parts.query), dict(self.headers.items()))
                bench.written.append(one)
                said = answer(one)
                content = said.body.encode()
                self.send_response(said.status)
                for name, value in (*said.headers, ("Content-Length", str(len(content)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Nothing on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> "Answering":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
