"""When certificates end."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from pydantic import BaseModel

from edge_agent.config.models import UplinkOptions
from edge_agent.config.site import Site, lacks_certificate, tag_sets
from edge_agent.doctor.finding import Finding, good, notice, wrong
from edge_agent.driver import load_driver
from edge_agent.words import Words

SOON = timedelta(days=30)
RENEW = Words("请尽快更换证书", "have it renewed; files that change are taken up without a restart")
REPLACE = Words("更换证书", "put a valid certificate in its place")
OWN_SOON = Words(
    "本网关自行生成新证书，须在对方信任它",
    "the gateway makes a new one by itself: have the other side trust that one",
)
OTHERS_SOON = Words(
    "对方须更换证书，随后在本网关接受", "the other side needs a new one, which is then accepted here"
)
ENROL = Words("运行 edge-agent enrol 申请证书", "ask for it: edge-agent enrol mqtt CONFIG")
_PEM = b"-----BEGIN CERTIFICATE-----"


def of_age(
    about: Words, name: str, certificate: x509.Certificate, renew: Words = RENEW, replace: Words = REPLACE
) -> list[Finding]:
    """Whether it is valid, and for how long still; `renew` and `replace` say what is to be done."""
    now = datetime.now(UTC)
    ends = certificate.not_valid_after_utc
    if now < certificate.not_valid_before_utc:
        begins = f"{certificate.not_valid_before_utc:%Y-%m-%d}"
        clock = Words("检查网关时钟", "look at the gateway's clock")
        return [wrong(about, f"{name} is not valid before {begins}", clock)]
    text = f"{name} ends on {ends:%Y-%m-%d}"
    if ends <= now:
        return [wrong(about, f"{name} has ended on {ends:%Y-%m-%d}", replace)]
    if ends - now < SOON:
        return [notice(about, f"{text}, in {(ends - now).days} days", renew)]
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
    yield from _of_drivers(site)


def _of_drivers(site: Site) -> Iterator[Finding]:
    """Of those that drivers keep themselves; several connections may depend on the same."""
    seen: set[Path] = set()
    for connection in site.connections:
        if not connection.enabled:
            continue
        about = Words(f"连接 {connection.id}", f"connection {connection.id}")
        try:
            found = load_driver(connection.driver)(connection, tag_sets(connection)).certificates()
        except OSError as error:
            yield wrong(
                about, f"{error.filename}: {error.strerror}", Words("检查路径和权限", "check path and rights")
            )
            continue
        for one in found:
            if one.path not in seen:
                seen.add(one.path)
                remedy = OWN_SOON if one.own else OTHERS_SOON
                yield from _of_file(about, one.path, remedy, remedy)


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


def _of_file(about: Words, path: Path, renew: Words = RENEW, replace: Words = REPLACE) -> Iterator[Finding]:
    if path.is_dir() or not path.exists():
        return  # where a driver keeps certificates, or will; files that must be there were looked for before
    try:
        content = path.read_bytes()
    except OSError as error:
        yield wrong(about, f"{path}: {error.strerror}", Words("放回该文件", "put the file in its place"))
        return
    try:
        certificates = _read(content)
    except ValueError as error:
        yield wrong(about, f"{path}: not a certificate that can be read: {error}", replace)
        return
    if certificates:
        # Of a file of authorities the first that ends is what matters.
        earliest = min(certificates, key=lambda one: one.not_valid_after_utc)
        yield from of_age(about, str(path), earliest, renew, replace)


def _read(content: bytes) -> list[x509.Certificate]:
    """None of a key, or of something else that has no end. Raises ValueError."""
    if _PEM in content:
        return x509.load_pem_x509_certificates(content)
    try:
        return [x509.load_der_x509_certificate(content)]
    except ValueError:
        return []
