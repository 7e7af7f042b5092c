"""Whether the certificate that a server shows may be believed, and what to do if not."""

import ipaddress
import os
import shlex
from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from drivers.opcua.certificates import Certificate, today
from drivers.opcua.pki import Entry, Pki, default_folder
from drivers.opcua.policies import MIN_KEY_BITS
from edge_agent.driver import ConnectionFailed, UsedCertificate
from edge_agent.model.failure import FailureKind
from edge_agent.model.state import UnknownCause

ENDS_SOON = timedelta(days=30)


def verify(pki: Pki, shown: bytes | None, endpoint: str, application_uri: str | None) -> Certificate:
    """The server's certificate out of `shown`, once OPC 10000-4, 6.1.3 is satisfied.

    Believed is what was accepted one by one, or issued by a trusted authority for the host in `endpoint`.
    Anything else is set aside for `edge-agent opcua trust`. Reads and writes files. Raises ConnectionFailed.
    """
    try:
        certificate = Certificate.parse(shown or b"")
    except ValueError as error:
        raise _refused(
            f"{endpoint} shows no certificate that can be read: {error}",
            "have the server make a certificate for itself",
        ) from error
    host = urlsplit(endpoint).hostname or ""
    if not pki.is_trusted(certificate):
        if pki.authority_of(certificate) is None:
            raise unknown(pki, certificate, endpoint)
        _check_issued(certificate, endpoint, host)
    _check(certificate, endpoint, application_uri, today())
    return certificate


def used(pki: Pki, endpoints: Iterable[str]) -> list[UsedCertificate]:
    """Whose end would end connections to `endpoints`. Makes none. Raises OSError.

    Of the own ones those that still serve: a server may have accepted one only. Of a server's those that were
    seen there, the one that ends last, and those of whom nobody knows whose they are.
    """
    own, now = pki.own_if_any(), today()
    serving = [one for one in own if one.certificate.valid_until > now] or own[:1]
    ends_last: dict[str, Entry] = {}
    others = pki.authorities()
    for entry in pki.trusted():
        before = ends_last.get(entry.origin)
        if not entry.origin:
            others.append(entry)
        elif before is None or before.certificate.valid_until < entry.certificate.valid_until:
            ends_last[entry.origin] = entry
    theirs = [ends_last[where] for where in map(origin, endpoints) if where in ends_last]
    return [
        *(UsedCertificate(one.path, own=True) for one in serving),
        *(UsedCertificate(one.path, own=False) for one in (*theirs, *others)),
    ]


def unknown(pki: Pki, certificate: Certificate, endpoint: str) -> ConnectionFailed:
    """Set the certificate aside, and say how it gets accepted."""
    where = origin(endpoint)
    pki.set_aside(certificate, where)
    before = [entry for entry in pki.trusted() if entry.origin == where]
    what = (
        f"shows another certificate than the one accepted before ({before[0].certificate.thumbprint})"
        if before
        else "shows a certificate that nobody has accepted here"
    )
    return _refused(
        f"{endpoint} {what}: {certificate.subject}, thumbprint {certificate.thumbprint}, "
        f"valid {certificate.validity}. Nothing was sent to it",
        f"if the server itself shows the same thumbprint: {accept_command(pki, certificate)}",
    )


def accept_command(pki: Pki, certificate: Certificate) -> str:
    return f"edge-agent opcua trust accept {certificate.thumbprint}{folder_option(pki)}"


def folder_option(pki: Pki) -> str:
    """What a technician has to add on the command line to reach this folder, whoever he is logged in as."""
    of_user = pki.folder == default_folder() and "STATE_DIRECTORY" not in os.environ
    return "" if of_user else f" --pki {shlex.quote(str(pki.folder))}"


def ends_soon(certificate: Certificate) -> bool:
    return certificate.valid_until - today() < ENDS_SOON


def origin(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    return f"{parts.hostname}:{parts.port}"


def _check(certificate: Certificate, endpoint: str, application_uri: str | None, now: datetime) -> None:
    if not certificate.valid_from <= now < certificate.valid_until:
        what = "is not valid yet" if now < certificate.valid_from else "has expired"
        raise _refused(
            f"the certificate of {endpoint} {what}: valid {certificate.validity}, this gateway's clock says "
            f"{now:%Y-%m-%d %H:%M} UTC",
            "if the clock is right, have the server make a new certificate, and accept that",
        )
    if application_uri not in certificate.uris:
        raise _refused(
            f"the certificate of {endpoint} is made for {', '.join(certificate.uris) or 'no application'}, "
            f"but the server calls itself {application_uri or 'nothing'}",
            "set the server's application URI as in its certificate, or have it make a new certificate",
        )
    if certificate.rsa_bits < MIN_KEY_BITS:
        raise _refused(
            f"the certificate of {endpoint} has a key too weak for any security policy in use: "
            f"{certificate.rsa_bits or 'no'} bits of RSA",
            f"have the server make a certificate with at least {MIN_KEY_BITS} bits",
        )


def _check_issued(certificate: Certificate, endpoint: str, host: str) -> None:
    """An authority issues certificates for many: this one must be meant for this server."""
    if host.lower() not in {_normal(name) for name in certificate.hosts}:
        raise _refused(
            f"the certificate of {endpoint} is issued for {', '.join(certificate.hosts) or 'no host'} "
            f"and not for {host}",
            "use one of those names in the endpoint, or have a certificate issued with this one",
        )
    if not certificate.serves():
        raise _refused(
            f"the certificate of {endpoint} is not meant for a server",
            "have one issued with the extended key usage serverAuth",
        )


def _normal(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.lower()


def _refused(message: str, remedy: str) -> ConnectionFailed:
    return ConnectionFailed(UnknownCause.REFUSED, message, remedy, FailureKind.NOT_TRUSTED)
