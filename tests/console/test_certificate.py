"""The page's certificate is exchanged while it is in use."""

import asyncio
import shutil
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from edge_agent.config.console import ConsoleTlsOptions
from edge_agent.console import certificate
from edge_agent.console.certificate import keep_current
from tests.field.certificates import Authority


async def number_shown(port: int, trust: ssl.SSLContext) -> int:
    """The serial number of what a browser sees."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await reader.read()
    return x509.load_der_x509_certificate(shown).serial_number


def number_in(file: Path) -> int:
    return x509.load_pem_x509_certificate(file.read_bytes()).serial_number


def test_browsers_see_a_renewed_certificate_and_never_half_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(certificate, "LOOK_EVERY_S", 0.02)
    caplog.set_level("INFO")
    authority = Authority(tmp_path)
    tls = ConsoleTlsOptions.model_validate(
        dict(zip(("certificate", "key"), authority.issue("page"), strict=True))
    )
    first = number_in(tls.certificate)
    renewed, renewed_key = authority.issue("renewed")
    trust = ssl.create_default_context(cafile=str(authority.ca))

    async def said(text: str) -> None:
        while text not in caplog.text:
            await asyncio.sleep(0.01)

    async def main() -> None:
        context = tls.context()
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        keeping = asyncio.create_task(keep_current(tls, context))
        await asyncio.sleep(0)  # it has seen the files as they are
        async with server:
            assert await number_shown(port, trust) == first
            shutil.copy(renewed, tls.certificate)
            await said("the one before stays")
            assert await number_shown(port, trust) == first
            shutil.copy(renewed_key, tls.key)
            await said("the renewed certificate from now on")
            assert await number_shown(port, trust) == number_in(renewed) != first
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    asyncio.run(asyncio.wait_for(main(), 20))
