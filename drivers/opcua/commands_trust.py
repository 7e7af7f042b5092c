"""`discover` and `trust`: what a server offers, and which servers are believed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from asyncua import ua

from drivers.opcua.certificates import Certificate
from drivers.opcua.channel import Discovered
from drivers.opcua.channel import discover as ask
from drivers.opcua.commands_access import run, server_access
from drivers.opcua.options import ServerAccess
from drivers.opcua.pki import Pki
from drivers.opcua.policies import choose, policy_name, usable
from drivers.opcua.secure import folder_failed
from drivers.opcua.verification import accept_command, folder_option, origin
from edge_agent.driver import ConnectionFailed


@click.command()
@server_access
def discover(access: ServerAccess) -> None:
    """What a server offers to whom: endpoints, logins, and its certificate. 查看服务器的端点与证书。

    Nothing is sent but the question. A certificate that is not trusted is set aside, so that
    `edge-agent opcua trust accept` can accept it.
    """
    discovered = run(ask(access.endpoint, access.timeout, servers=True))
    pki = Pki(access.pki)
    endpoints = usable(discovered.endpoints)
    for line in _about_server(access.endpoint, endpoints):
        click.echo(line)
    try:
        chosen = choose(endpoints, access) if access.security != "none" else None
    except ConnectionFailed as error:
        chosen = None
        click.echo(f"\nnone of these is used 均不可用: {error.remedy}")
    _show_endpoints(endpoints, chosen)
    for certificate in _certificates(endpoints):
        with _readable(pki):
            known = pki.is_trusted(certificate) or pki.authority_of(certificate) is not None
            if not known:
                pki.set_aside(certificate, origin(access.endpoint))
        click.echo(f"\nserver certificate 服务器证书: {'trusted 已信任' if known else 'NOT trusted 未信任'}")
        _show(certificate)
        if not known:
            click.echo("  if the server itself shows the same thumbprint 核对指纹一致后:")
            click.echo(f"    {accept_command(pki, certificate)}")
    _show_others(access.endpoint, discovered, endpoints)


_pki = click.option(
    "--pki",
    callback=lambda _context, _parameter, folder: Pki(folder),
    type=click.Path(path_type=Path),
    help="Folder of the certificates, as in the configuration.",
)


@click.group(invoke_without_command=True)
@click.pass_context
def trust(context: click.Context) -> None:
    """Which servers' certificates are trusted. 管理受信任的服务器证书。

    \b
      edge-agent opcua trust                       own, trusted and rejected ones
      edge-agent opcua trust accept 8ACFA76C…      one that was rejected; compare it at the server first
      edge-agent opcua trust remove 8ACFA76C…      take it back

    The certificates of a service lie in its own folder: --pki /var/lib/edge-agent/pki/opcua.
    """
    if context.invoked_subcommand is None:
        context.invoke(list_, pki=Pki())


@trust.command("list")
@_pki
def list_(pki: Pki) -> None:
    """Own, trusted and rejected certificates. 列出本机、已信任和被拒绝的证书。"""
    with _readable(pki):
        own, trusted, rejected = pki.own_if_any(), pki.trusted(), pki.rejected()
    click.echo(f"folder 目录: {pki.folder}")
    click.echo(
        f"\nown certificate, to be accepted at servers 本机证书（需在服务器上信任）: {len(own) or 'none 无'}"
    )
    for identity in own:
        _show(identity.certificate)
        click.echo(f"    file 文件     {identity.path}")
    for title, entries in (
        ("trusted servers 已信任的服务器", trusted),
        ("rejected servers 被拒绝的服务器", rejected),
    ):
        click.echo(f"\n{title}: {len(entries) or 'none 无'}")
        for entry in entries:
            _show(entry.certificate, entry.origin)


@trust.command()
@click.argument("fingerprint")
@_pki
def accept(pki: Pki, fingerprint: str) -> None:
    """Trust a rejected certificate from now on. 信任一个被拒绝的证书。

    FINGERPRINT is the thumbprint (SHA-1) or the SHA-256, whole; colons and blanks do not matter.
    """
    with _readable(pki):
        entry = pki.accept(fingerprint)
    click.echo("trusted from now on 已信任:")
    _show(entry.certificate, entry.origin)


@trust.command()
@click.argument("fingerprint")
@_pki
def remove(pki: Pki, fingerprint: str) -> None:
    """Trust a certificate no longer. 不再信任一个证书。

    The next connection is refused; one that stands is ended within the hour.
    """
    with _readable(pki):
        entry = pki.remove(fingerprint)
    click.echo("no longer trusted 已取消信任:")
    _show(entry.certificate, entry.origin)


@contextmanager
def _readable(pki: Pki) -> Iterator[None]:
    try:
        yield
    except LookupError as error:
        raise click.ClickException(f"{error}; see edge-agent opcua trust list{folder_option(pki)}") from None
    except OSError as error:
        failure = folder_failed(pki, error)
        raise click.ClickException(f"{failure}. {failure.remedy}") from None


def _show(certificate: Certificate, seen_at: str = "") -> None:
    click.echo(f"  {certificate.subject}")
    click.echo(f"    thumbprint    {certificate.thumbprint}")
    click.echo(f"    SHA-256       {certificate.sha256}")
    click.echo(f"    valid 有效期  {certificate.validity}")
    click.echo(f"    hosts 主机    {', '.join(certificate.hosts) or '-'}")
    click.echo(f"    application   {', '.join(certificate.uris) or '-'}")
    if seen_at:
        click.echo(f"    seen at 来自  {seen_at}")


def _about_server(url: str, endpoints: Sequence[ua.EndpointDescription]) -> list[str]:
    servers = {each.Server.ApplicationUri: each.Server for each in endpoints}
    return [url, *(f"  {one.ApplicationName.Text or ''} ({uri})" for uri, one in servers.items())]


def _show_endpoints(
    endpoints: Sequence[ua.EndpointDescription], chosen: ua.EndpointDescription | None
) -> None:
    click.echo(f"\n  {'policy':<22} {'mode':<16} login 登录")
    for endpoint in endpoints:
        policy = policy_name(endpoint.SecurityPolicyUri)
        kinds = ", ".join(dict.fromkeys(token.TokenType.name for token in endpoint.UserIdentityTokens))
        mark = "  <- used 使用" if endpoint is chosen else ""
        click.echo(f"  {policy:<22} {endpoint.SecurityMode.name.rstrip('_'):<16} {kinds}{mark}")


def _certificates(endpoints: Sequence[ua.EndpointDescription]) -> list[Certificate]:
    certificates: dict[Certificate, None] = {}
    for endpoint in endpoints:
        try:
            certificates[Certificate.parse(endpoint.ServerCertificate or b"")] = None
        except ValueError:
            continue
    return list(certificates)


def _show_others(url: str, discovered: Discovered, endpoints: Sequence[ua.EndpointDescription]) -> None:
    own = {each.Server.ApplicationUri for each in endpoints}
    others = [server for server in discovered.servers if server.ApplicationUri not in own]
    if others:
        click.echo(f"\nother servers that {url} knows 其他已知服务器:")
    for server in others:
        click.echo(f"  {server.ApplicationName.Text or ''} ({server.ApplicationUri})")
        for discovery_url in server.DiscoveryUrls or ():
            click.echo(f"    {discovery_url}")
