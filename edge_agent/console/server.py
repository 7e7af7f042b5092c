"""Serves the page on the agent's own event loop. Whatever happens here, acquisition and uplinks go on."""

import asyncio
import logging
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import uvicorn

from edge_agent.config.console import ConsoleOptions, ConsoleTlsOptions
from edge_agent.console.api import Api
from edge_agent.console.certificate import keep_current
from edge_agent.console.log_lines import LogLines
from edge_agent.console.service import Service
from edge_agent.console.snapshot import Running, Snapshots
from edge_agent.console.watch import Watch

log = logging.getLogger(__name__)

AGAIN_S = 10.0
"""Pause before another try, where the port is taken or the server has ended."""
CLOSE_LIMIT_S = 1
CONNECTIONS_LIMIT = 128


async def serve(agent: Running, options: ConsoleOptions, watch: Watch) -> None:
    """Serve until cancelled."""
    lines = LogLines(lambda: agent.site)

    def service() -> Service:
        return Service(lambda: agent.site, agent.reloader.outcome, lines)

    logging.getLogger().addHandler(lines)
    try:
        await _serve_again(Snapshots(agent, watch), options, service)
    finally:
        logging.getLogger().removeHandler(lines)


async def _serve_again(snapshots: Snapshots, options: ConsoleOptions, service: Callable[[], Service]) -> None:
    """Whenever it ends, begin again."""
    told = ""
    while True:
        try:
            with closing(_listen(options)) as listener:
                told = ""
                log.info("page on %s", options.url)
                await _serve_on(listener, Api(snapshots, options, service()), options.tls)
        except OSError as error:
            if str(error) != told:
                told = str(error)
                log.error("no page: cannot listen on %s: %s; tried again", options.listen, error)
        except Exception:
            log.exception("fault in the page; it is started again")
        await asyncio.sleep(AGAIN_S)


def _listen(options: ConsoleOptions) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in options.host else socket.AF_INET)
    try:
        if sys.platform == "win32":  # where the other would let anybody listen on the same port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((options.host, options.port))
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


async def _serve_on(listener: socket.socket, api: Api, tls: ConsoleTlsOptions | None) -> None:
    config = uvicorn.Config(
        api.application(),
        loop="none",
        http="h11",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS_LIMIT,
        timeout_graceful_shutdown=CLOSE_LIMIT_S,
    )
    config.load()
    beside: list[asyncio.Task[None]] = []
    if tls is not None:
        config.ssl = tls.context()
        beside.append(asyncio.create_task(keep_current(tls, config.ssl), name="page certificate"))
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="page")
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        api.close()
        for task in beside:
            task.cancel()
        await asyncio.gather(serving, *beside, return_exceptions=True)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the agent's business."""
        yield
