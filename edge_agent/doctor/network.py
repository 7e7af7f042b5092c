"""What the agent has to reach: names, ports, and whether the other side's certificate is trusted.

Nobody signs in here: a broker would take a second client of the same name for the agent, and cut that off.
"""

import asyncio
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
from edge_agent.model.failure import system_text
from edge_agent.uplinks.mqtt_connection import addresses_of, tls_context
from edge_agent.uplinks.mqtt_failures import speaks_no_tls
from edge_agent.words import Words

LIMIT_S = 5.0
"""For a name, and for a connection."""
HANDSHAKE_S = 2.0
"""For a TLS handshake with somebody who may not know what that is, and be silent."""
USE_TLS = Words(
    "在配置中启用加密：tls，或 url 改为 https",
    "the configuration needs tls here; a database, https in its url",
)
NO_TLS = Words(
    "检查端口：TLS 端口通常是 8883（MQTT）或 443（https）",
    "look at the port: the one for TLS is 8883 as a rule, 443 for https",
)


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
    for address in addresses_of(options):
        yield Target(about, address.host, address.port, context)


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
        if target.tls is not None and speaks_no_tls(error):
            return [wrong(target.about, f"{place} ({address}): does not answer to TLS", NO_TLS)]
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
        if encryption is None and await _speaks_tls(target):
            return [
                wrong(
                    target.about, f"{place} ({address}): speaks TLS, and the configuration does not", USE_TLS
                )
            ]
        how = f"reached, {encryption.version()}" if encryption is not None else "reached, not encrypted"
        findings = [good(target.about, f"{place} ({address}): {how}")]
        if certificate is not None:
            shown = x509.load_der_x509_certificate(certificate)
            findings += of_age(target.about, f"the certificate of {place}", shown)
        return findings
    finally:
        writer.close()


async def _speaks_tls(target: Target) -> bool:
    """Whether a port that is to be used without TLS takes a handshake. Nothing is sent after it."""
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(HANDSHAKE_S):
            _, writer = await asyncio.open_connection(target.host, target.port, ssl=anyone)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _plain(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {LIMIT_S:g} s"
    return system_text(error)
