"""When the page is loaded, when it cannot listen, and how it ends."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from edge_agent.agent import Agent
from edge_agent.config.site import load_site
from edge_agent.console import server
from tests.config.plant import write_site
from tests.ports import free_port

HEAD = """\
gateway: {id: gw-01, region: "330300", enterprise: 91350100M000100Y43}
register: register.csv
"""


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
        listener.listen()
        yield listener


def port_of(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def agent_on(folder: Path, port: int) -> Agent:
    return Agent(load_site(write_site(folder, f"{HEAD}console: {{listen: 127.0.0.1:{port}}}\n")))


def test_nothing_of_it_is_loaded_where_there_is_none() -> None:
    script = "import edge_agent.cli.main, edge_agent.agent, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "edge_agent.console.watch" in loaded
    assert {"starlette", "uvicorn", "argon2", "prometheus_client", "edge_agent.console.server"}.isdisjoint(
        loaded
    )


def test_what_prometheus_needs_is_not_loaded_before_it_asks() -> None:
    script = "import edge_agent.console.server, sys; print('prometheus_client' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "False\n"


def test_the_agent_goes_on_without_a_page_until_its_port_is_free(
    tmp_path: Path, taken: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "AGAIN_S", 0.1)
    port = port_of(taken)

    async def main() -> int:
        agent = agent_on(tmp_path, port)
        await agent.start()
        try:
            while "cannot listen" not in caplog.text:
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)
            assert caplog.text.count("cannot listen") == 1
            taken.close()
            async with httpx.AsyncClient(trust_env=False) as client:
                while True:
                    try:
                        return (await client.get(f"http://127.0.0.1:{port}/api/v1/overview")).status_code
                    except httpx.TransportError:
                        await asyncio.sleep(0.05)
        finally:
            await agent.stop(0)

    assert asyncio.run(asyncio.wait_for(main(), 60)) == 200


def test_a_browser_that_follows_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CLOSE_LIMIT_S", 60)  # what would cut it off if it did not end by itself
    port = free_port()

    async def main() -> float:
        agent = agent_on(tmp_path, port)
        await agent.start()
        loop = asyncio.get_running_loop()
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            while True:
                try:
                    async with client.stream("GET", f"http://127.0.0.1:{port}/api/v1/live") as stream:
                        lines = stream.aiter_lines()
                        assert await anext(lines) == "event: overview"
                        began = loop.time()
                        await agent.stop(0)
                        return loop.time() - began
                except httpx.ConnectError:
                    await asyncio.sleep(0.05)

    assert asyncio.run(asyncio.wait_for(main(), 90)) < 20
