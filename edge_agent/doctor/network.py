"""What the agent has to reach: names, ports, and whether the other side's certificate is trusted.

Nobody signs in here: a broker would take a second client of the same name for the agent, and cut that off.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography import x509

from edge_agent.config.models import AnyUplinkOptions, InfluxdbUplinkOptions
from edge_agent.config.site import Site
from edge_agent.doctor.certificates import of_age
from edge_agent.doctor.finding import Finding, good, wrong
from edge_agent.uplinks.mqtt_connection import tls_context
from edge_agent.words import Words

LIMIT_S = 5.0
"""For a name, and for a connection."""


@dataclass(frozen=True, slots=True)
class Target:
    """A port that an uplink goes to; `tls` verifies the other side, None where nothing is encrypted."""

    about: Words
    host: str
    port: int
    tls: ssl.SSLContext | None = None


async def uplinks(site: Site) -> AsyncIterator[Finding]:
    """The brokers and databases of all uplinks, each by itself."""
    for options in site.uplinks:
        try:
            targets = list(_targets(options))
        except (OSError, ssl.SSLError) as error:
            yield wrong(
                _about(options),
                f"its certificates cannot be used: {error}",
                Words("检查 tls 下的文件", "look at the files under tls"),
            )
            continue
        for target in targets:
            for finding in await _reached(target):
                yield finding


def _about(options: AnyUplinkOptions) -> Words:
    return Words(f"上行 {options.id}", f"uplink {options.id}")


def _targets(options: AnyUplinkOptions) -> Iterator[Target]:
    """Raises OSError, ssl.SSLError."""
    about = _about(options)
    if isinstance(options, InfluxdbUplinkOptions):
        url = urlsplit(options.url)
        encrypted = url.scheme == "https"
        context = ssl.create_default_context(cafile=options.tls.ca) if encrypted else None
        yield Target(about, url.hostname or "", url.port or (443 if encrypted else 80), context)
        return
    if options.proxy is not None:
        # What is behind it only the agent reaches, with the proxy's own password.
        yield Target(about, options.proxy.host, options.proxy.port)
        return
    context = tls_context(options.tls) if options.tls is not None else None
    yield Target(about, options.host, options.port, context)
    for broker in options.fallback:
        yield Target(about, broker.host, broker.port or options.port, context)


async def _reached(target: Target) -> Sequence[Finding]:
    place = f"{target.host}:{target.port}"
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LIMIT_S):
            addresses = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as error:
        return [
            wrong(
                target.about,
                f"{target.host}: no address is known for this name ({_plain(error)})",
                Words("检查名称与 DNS 设置", "look at the name, and at the gateway's DNS settings"),
            )
        ]
    address = ", ".join(dict.fromkeys(str(one[4][0]) for one in addresses))
    try:
        async with asyncio.timeout(LIMIT_S):
            _, writer = await asyncio.open_connection(target.host, target.port, ssl=target.tls)
    except ssl.SSLCertVerificationError as error:
        return [
            wrong(
                target.about,
                f"{place}: its certificate is not trusted: {error.verify_message}",
                Words(
                    "把签发机构的证书放在 tls.ca；检查名称与网关时钟",
                    "name its authority under tls.ca; look at the host name and at the gateway's clock",
                ),
            )
        ]
    except (OSError, TimeoutError) as error:
        return [
            wrong(
                target.about,
                f"{place} ({address}): {_plain(error)}",
                Words(
                    "检查地址、端口、防火墙与路由", "look at address and port, and at firewalls on the way"
                ),
            )
        ]
    try:
        encryption = writer.get_extra_info("ssl_object")
        certificate = encryption.getpeercert(binary_form=True) if encryption is not None else None
        how = f"reached, {encryption.version()}" if encryption is not None else "reached, not encrypted"
        findings = [good(target.about, f"{place} ({address}): {how}")]
        if certificate is not None:
            shown = x509.load_der_x509_certificate(certificate)
            findings += of_age(target.about, f"the certificate of {place}", shown)
        return findings
    finally:
        writer.close()


def _plain(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {LIMIT_S:g} s"
    # asyncio says of a refused connection only that the call failed.
    code = error.errno if isinstance(error, OSError) and not isinstance(error, socket.gaierror) else None
    return os.strerror(code) if code else getattr(error, "strerror", None) or str(error)
