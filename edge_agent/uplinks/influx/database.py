"""One InfluxDB as it is written to: blocking calls, and what each answer means.

`/api/v2/write` is what InfluxDB 1.8, 2.x and 3.x have in common. A call may last as long as the time limit,
so all of this belongs in a thread.
"""

import json
import re
import socket
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from edge_agent.config.models import InfluxdbUplinkOptions
from edge_agent.uplinks.influx.refusals import LinesRefusedError, RefusedError, named_lines

if TYPE_CHECKING:
    from influxdb_client.rest import ApiException

LONGEST_SAID = 500
"""Characters of an answer that are told on."""
LONGEST_WAIT_S = 3600.0
"""A database that asks to be left alone for longer is asked again after this."""


class UnreachableError(Exception):
    """No answer, or one that says later: `retry_after_s` if the database said when. For a technician."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Database:
    """Writes lines to the bucket or database of an uplink. Used by one thread at a time."""

    def __init__(self, options: InfluxdbUplinkOptions) -> None:
        # A second of loading and 20 MB: only who has such an uplink pays for the library.
        from influxdb_client.client.influxdb_client import InfluxDBClient
        from influxdb_client.client.write_api import SYNCHRONOUS
        from influxdb_client.domain.write_precision import WritePrecision
        from influxdb_client.rest import ApiException
        from urllib3.exceptions import HTTPError

        self._failures: tuple[type[Exception], ...] = (HTTPError, OSError)
        self._api_exception = ApiException
        ca = options.tls.ca
        # One context for all connections; PROTOCOL_TLS_CLIENT checks chain and name.
        context = ssl.create_default_context(cafile=ca) if options.url.startswith("https:") else None
        if context is not None:
            context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._client = InfluxDBClient(
            options.url,
            _credentials(options),
            org=options.org,
            timeout=round(options.timeout * 1000),
            enable_gzip=True,
            ssl_context=context,
        )
        writing = self._client.write_api(write_options=SYNCHRONOUS)
        bucket = options.bucket or options.database
        if options.retention_policy:
            bucket = f"{options.database}/{options.retention_policy}"
        self._write: Callable[[bytes], None] = lambda body: writing.write(
            bucket,
            options.org,
            body,
            write_precision=WritePrecision.MS,  # type: ignore[arg-type]  # its type is str
        )
        self._place = f'the bucket "{bucket}"' if options.bucket else f'the database "{bucket}"'

    def write(self, lines: Sequence[str]) -> None:
        """Write `lines`; when this returns, the database has them all.

        Raises UnreachableError, RefusedError, LinesRefusedError.
        """
        try:
            self._write("\n".join(lines).encode())
        except self._api_exception as error:
            if error.status == 0 or error.status is None:  # the client's own word for a failed TLS handshake
                raise UnreachableError(_plain_tls(str(error.reason))) from error
            raise self._meaning(error, lines) from error
        except self._failures as error:
            raise UnreachableError(_plain(error)) from error

    def close(self) -> None:
        """Close connections; safe twice."""
        self._client.close()  # type: ignore[no-untyped-call]  # it has no types

    def _meaning(self, answer: "ApiException", lines: Sequence[str]) -> Exception:
        said = _said(answer.body)
        status = answer.status
        told = f"HTTP {status}: {said[:LONGEST_SAID]}" if said else f"HTTP {status}"
        if status in (400, 413, 422):
            return LinesRefusedError(told, named_lines(answer.body, said, lines))
        if status == 401:
            return RefusedError(f"the database does not know the token or password ({told}); check it")
        if status == 403:
            return RefusedError(f"the token or user may not write to {self._place} ({told}); allow it")
        if status == 404:
            return RefusedError(f"{self._place} is not there ({told}); create it, or check url, org and name")
        if status == 429 or status >= 500:
            why = f"{_trouble(status, said)} ({told})"
            return UnreachableError(why, _retry_after(answer.headers.get("Retry-After")))
        return RefusedError(f"this is no InfluxDB, or a proxy is in the way ({told}); check url")


def _trouble(status: int, said: str) -> str:
    """What keeps a database from taking anything for a while, and what to do about it."""
    if status == 507 or "no space left" in said.lower():
        return "the disk of the database is full; make room there, or keep less in it"
    if status == 500:
        # 1.x says no more than "timeout" when its disk is full.
        return "the database has a fault of its own; see its log, and whether its disk is full"
    if status == 429:
        return "the database wants less at once; raise the limit that it has for this token or bucket"
    return "the database is busy or down"


def _credentials(options: InfluxdbUplinkOptions) -> str:
    """What InfluxDB 1.8 takes for a token is its user and password."""
    if options.token is not None:
        return options.token.get_secret_value()
    if options.username is not None and options.password is not None:
        return f"{options.username}:{options.password.get_secret_value()}"
    return ""


def _said(body: bytes | str | None) -> str:
    """The message in an answer: `error` in 1.x and 3.x, `message` in 2.x; never a page of HTML."""
    content = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
    try:
        answer = json.loads(content)
    except ValueError:
        return "" if "<" in content else content.strip()
    if not isinstance(answer, dict):
        return content.strip()
    return str(answer.get("message") or answer.get("error") or "")


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header, which has seconds or a date."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        seconds = (when - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT_S)


def _plain(error: Exception) -> str:
    """Why there was no answer, for a technician."""
    from urllib3 import exceptions

    reason: BaseException = error
    if isinstance(error, exceptions.MaxRetryError) and error.reason is not None:
        reason = error.reason
    if isinstance(reason, exceptions.SSLError):
        return _plain_tls(str(reason))
    if isinstance(reason, exceptions.NameResolutionError) or isinstance(reason.__cause__, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(reason, exceptions.NewConnectionError) and reason.__cause__ is not None:
        return str(reason.__cause__)
    if isinstance(reason, exceptions.TimeoutError):
        return "no answer within the time limit"
    if isinstance(reason, exceptions.ProtocolError):
        return "it hangs up without an answer 对方未应答就断开; check whether url has to say http or https"
    return str(reason)


def _plain_tls(reason: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        what = re.search(r"certificate verify failed: ([^(]*)", reason)
        return (
            f"its certificate is not trusted ({what[1].strip() if what else reason}); "
            "check tls.ca and the host's name"
        )
    return f"TLS failed ({reason})"
