"""When certificates end."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from pydantic import BaseModel

from edge_agent.config.models import UplinkOptions
from edge_agent.config.site import Site, lacks_certificate
from edge_agent.doctor.finding import Finding, good, notice, wrong
from edge_agent.words import Words

SOON = timedelta(days=30)
RENEW = Words("请尽快更换证书", "have it renewed; files that change are taken up without a restart")
REPLACE = Words("更换证书", "put a valid certificate in its place")
ENROL = Words("运行 edge-agent enrol 申请证书", "ask for it: edge-agent enrol mqtt CONFIG")
_PEM = b"-----BEGIN CERTIFICATE-----"


def of_age(about: Words, name: str, certificate: x509.Certificate) -> list[Finding]:
    """Whether it is valid, and for how long still."""
    now = datetime.now(UTC)
    ends = certificate.not_valid_after_utc
    if now < certificate.not_valid_before_utc:
        begins = f"{certificate.not_valid_before_utc:%Y-%m-%d}"
        clock = Words("检查网关时钟", "look at the gateway's clock")
        return [wrong(about, f"{name} is not valid before {begins}", clock)]
    text = f"{name} ends on {ends:%Y-%m-%d}"
    if ends <= now:
        return [wrong(about, f"{name} has ended on {ends:%Y-%m-%d}", REPLACE)]
    if ends - now < SOON:
        return [notice(about, f"{text}, in {(ends - now).days} days", RENEW)]
    return [good(about, text)]


def configured(site: Site) -> Iterator[Finding]:
    """Of every certificate that the configuration names as a file, wherever that is."""
    owners: Sequence[tuple[Words, BaseModel]] = [
        *((Words(f"上行 {one.id}", f"uplink {one.id}"), one) for one in site.uplinks),
        *((Words(f"连接 {one.id}", f"connection {one.id}"), one) for one in site.connections),
        *([(Words("网页", "page"), site.console)] if site.console is not None else []),
    ]
    for about, owner in owners:
        if isinstance(owner, UplinkOptions) and lacks_certificate(owner):
            yield wrong(about, "the region has given no certificate yet", ENROL)
            continue
        for path in dict.fromkeys(_paths(owner)):
            yield from _of_file(about, path)


def _paths(value: Any) -> Iterator[Path]:
    """All paths in an options model, however deep."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _paths(getattr(value, name))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _paths(one)


def _of_file(about: Words, path: Path) -> Iterator[Finding]:
    try:
        content = path.read_bytes()
    except OSError as error:
        yield wrong(about, f"{path}: {error.strerror}", Words("放回该文件", "put the file in its place"))
        return
    if _PEM not in content:
        return  # a key, or something else that has no end
    try:
        certificates = x509.load_pem_x509_certificates(content)
    except ValueError as error:
        yield wrong(about, f"{path}: not a certificate that can be read: {error}", REPLACE)
        return
    # Of a file of authorities the first that ends is what matters.
    yield from of_age(about, str(path), min(certificates, key=lambda one: one.not_valid_after_utc))
