"""`edge-agent enrol`: the gateway's certificate for a broker, from the region."""

import asyncio
import sys
from pathlib import Path
from typing import NoReturn

import click
from cryptography import x509

from edge_agent.cli.run import load_or_exit
from edge_agent.config.models import UplinkOptions
from edge_agent.config.site import Site
from edge_agent.contract.enrolment import EnrolmentError, fingerprint
from edge_agent.contract.messages import EnrolmentRequest, encode
from edge_agent.signals import stop_on_signal
from edge_agent.statements.keys import KeyFileError, signing_key
from edge_agent.uplinks.identity import Identity, RefusedRequestError, due, identity_of
from edge_agent.uplinks.newcomer import enrol as ask
from edge_agent.uplinks.newcomer import newcomer

EXIT_FAILED = 1
EXIT_CONFIG = 2

_config = click.argument("config", type=click.Path(exists=True, path_type=Path))
_uplink = click.option("--uplink", help="Its id; needed if several have `enrolled: true`.")


@click.group()
def enrol() -> None:
    """Get the gateway's certificate from the region (申请证书): the key is made here and never leaves.

    CONFIG is the agent's configuration; an uplink of it has `tls: {enrolled: true}`. The agent may run
    meanwhile, and takes a new certificate up by itself. Be the user that it runs as.
    """


@enrol.command()
@_config
@_uplink
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="The folder to write into; default: this one.",
)
def request(config: Path, uplink: str | None, output: Path) -> None:
    """Write the request into two files, to be carried to the region: GATEWAY.request.json, and GATEWAY.csr
    alone for tools that know no more. Made again it is for the same key.

    Exit status: 0 written, 1 a file cannot be used, 2 wrong configuration.
    """
    _, identity = _chosen(config, uplink)
    try:
        message = identity.request()
        output.mkdir(parents=True, exist_ok=True)
        for name, content in (("request.json", encode(message)), ("csr", message.csr.encode())):
            file = output / f"{identity.gateway.id}.{name}"
            file.write_bytes(content)
            click.echo(f"已写入 written: {file}")
    except (EnrolmentError, OSError) as error:
        _fail(str(error))
    _show(identity, message)


@enrol.command()
@_config
@click.argument("certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_uplink
def install(config: Path, certificate: Path, uplink: str | None) -> None:
    """Install CERTIFICATE (PEM), which the region has made of the request.

    It may have the certificates between it and the authority after it. What does not fit changes nothing.

    Exit status: 0 installed, 1 it does not fit, 2 wrong configuration.
    """
    _, identity = _chosen(config, uplink)
    try:
        installed = identity.install(certificate.read_bytes())
    except (EnrolmentError, OSError) as error:
        _fail(f"{certificate}: {error}")
    _installed(identity, installed)


@enrol.command()
@_config
@_uplink
@click.option("--host", help="Where newcomers are let in, if not where the uplink leads to.")
@click.option("--port", type=click.IntRange(1, 65535), help="As --host.")
def mqtt(config: Path, uplink: str | None, host: str | None, port: int | None) -> None:
    """Send the request over MQTT, wait for the certificate, and install it.

    The broker's certificate is verified; the gateway shows none. Ctrl-C stops; run again, it goes on with
    the same key.

    Exit status: 0 installed, 1 refused or a file cannot be used, 2 wrong configuration, 130 stopped.
    """
    options, identity = _chosen(config, uplink)
    try:
        _show(identity, identity.request())
        present = identity.present()
        if present is not None and not due(present):
            _installed(identity, present)
            click.echo(
                "现有证书仍有效 This certificate is not yet due for renewal; another one is asked for."
            )
        done = asyncio.run(_until_stopped(newcomer(options, identity, host, port), identity))
    except RefusedRequestError as error:
        _fail(f"申请被拒 the region refuses: {error}")
    except (EnrolmentError, OSError) as error:
        _fail(str(error))
    if done is None:
        click.echo("已停止，可再次运行继续 Stopped; run it again to go on with the same key.", err=True)
        sys.exit(130)
    _installed(identity, done)


async def _until_stopped(options: UplinkOptions, identity: Identity) -> x509.Certificate | None:
    stop = asyncio.create_task(stop_on_signal().wait())
    work = asyncio.create_task(ask(options, identity, click.echo))
    await asyncio.wait((stop, work), return_when=asyncio.FIRST_COMPLETED)
    for task in (stop, work):
        if not task.done():
            task.cancel()
    await asyncio.gather(stop, work, return_exceptions=True)
    return None if work.cancelled() else work.result()


def _chosen(config: Path, uplink: str | None) -> tuple[UplinkOptions, Identity]:
    """The uplink that was asked for, or the only one. Exits if there is none, or several."""
    site = load_or_exit(config)
    found = _identities(site)
    if uplink is not None:
        found = {name: one for name, one in found.items() if name == uplink}
    if len(found) != 1:
        which = f"uplink {uplink}" if uplink is not None else "an uplink"
        if found:
            text = f"several uplinks have tls.enrolled 请用 --uplink 指定: {', '.join(found)}"
        else:
            text = f"{which} with tls: {{enrolled: true}} is not in the configuration 配置中没有此上行"
        click.echo(text, err=True)
        sys.exit(EXIT_CONFIG)
    return next(iter(found.values()))


def _identities(site: Site) -> dict[str, tuple[UplinkOptions, Identity]]:
    try:
        site.data_dir.mkdir(parents=True, exist_ok=True)
        key = signing_key(site.data_dir)
    except (OSError, KeyFileError) as error:
        _fail(str(error))
    found: dict[str, tuple[UplinkOptions, Identity]] = {}
    for options in site.uplinks:
        if isinstance(options, UplinkOptions):
            identity = identity_of(site.gateway, options, key)
            if identity is not None:
                found[options.id] = (options, identity)
    return found


def _show(identity: Identity, message: EnrolmentRequest) -> None:
    click.echo(f"网关 gateway: {identity.gateway}")
    click.echo(f"签名公钥 signing key: {message.key}")
    click.echo(f"指纹，请电话核对 fingerprint, to compare by telephone: {fingerprint(message.id)}")


def _installed(identity: Identity, certificate: x509.Certificate) -> None:
    ends = f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    click.echo(f"证书已安装 certificate installed: {identity.file}")
    click.echo(f"  有效期至 valid until: {ends}, 序列号 serial number: {certificate.serial_number:x}")


def _fail(text: str) -> NoReturn:
    click.echo(text, err=True)
    sys.exit(EXIT_FAILED)
