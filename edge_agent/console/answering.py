"""Answers as JSON, and why there is none."""

from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from edge_agent.console.views import Problem

BODY_LIMIT = 4096
"""Bytes; nobody has more to say here."""

T = TypeVar("T")


class ProblemError(Exception):
    """Why there is no answer, with the status that says so. `wait_s`: when it is worth another try."""

    def __init__(self, status: int, text: str, wait_s: int = 0) -> None:
        super().__init__(text)
        self.status = status
        self.wait_s = wait_s


def encode(value: object) -> bytes:
    return msgspec.json.encode(value)


def as_json(value: object, status: int = 200) -> Response:
    return Response(encode(value), status, {"Cache-Control": "no-store"}, "application/json")


def problem(text: str, status: int, wait_s: int = 0) -> Response:
    response = as_json(Problem(text), status)
    if wait_s:
        response.headers["Retry-After"] = str(wait_s)
    return response


async def body_of(request: Request, wanted: type[T]) -> T:
    """What was sent along, as JSON. Raises ProblemError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ProblemError(415, "expected a body of type application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise ProblemError(413, f"expected at most {BODY_LIMIT} bytes")
    try:
        return msgspec.json.decode(bytes(body), type=wanted)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProblemError(400, f"the body is wrong: {error}") from None
