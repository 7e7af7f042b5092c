"""What systemd, and whoever else watches over the agent, is told: by its progress, never by a timer alone."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

from edge_agent.agent import Agent
from edge_agent.cli.health import HEALTH_FILE, Health

log = logging.getLogger("edge_agent")

STALLED_S = 60.0
"""How late a loop may be before it counts as stuck: a busy gateway is slow, and not stuck."""
TELL_EVERY_S = 15.0


class Notifier:
    """systemd's protocol sd_notify(3): a datagram for each message. Tells nobody if nobody asked."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog_s = _watchdog_s(environment) if address else None
        """Within this time the watchdog wants to hear something; None if there is none."""

    def tell(self, *lines: str) -> None:
        """For instance `tell("READY=1", "STATUS=...")`. What cannot be sent now is not sent."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
                to.setblocking(False)
                to.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.warning("the service manager cannot be told: %s", error)

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Tell that the configuration is read anew, and that this is over. Who fails at it is not ready."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        yield
        self.tell("READY=1")


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    wanted = environment.get("WATCHDOG_USEC", "")
    return int(wanted) / 1e6 if ours and wanted.isdigit() else None


class Watching:
    """Tells that the agent is well as long as every loop of acquisition and of keeping goes on."""

    def __init__(self, agent: Agent, notifier: Notifier) -> None:
        self._agent = agent
        self._notifier = notifier
        self._file = agent.site.data_dir / HEALTH_FILE
        self._stuck: list[str] = []

    async def run(self) -> None:
        """From the agent's start on; cancelled before its stop."""
        watchdog_s = self._notifier.watchdog_s
        every_s = TELL_EVERY_S if watchdog_s is None else min(TELL_EVERY_S, watchdog_s / 3)
        self._notifier.tell("READY=1")
        try:
            while True:
                self.tell()
                await asyncio.sleep(every_s)
        finally:
            self._notifier.tell("STOPPING=1", "STATUS=stopping 正在停止")
            self._file.unlink(missing_ok=True)

    def tell(self) -> None:
        """Say how the agent is now; the watchdog is fed only if nothing is stuck."""
        live, connected = self._agent.live()
        stuck = [one.name for one in self._agent.progress() if one.late_s() > STALLED_S]
        if stuck and stuck != self._stuck:
            log.critical("stuck: %s; the watchdog is not fed 停滞，不再喂看门狗", ", ".join(stuck))
        self._stuck = stuck
        if stuck:
            self._notifier.tell(f"STATUS=stuck 停滞: {', '.join(stuck)}")
        else:
            self._notifier.tell("WATCHDOG=1", f"STATUS={live}/{connected} machines live 台设备在线")
        self._write(Health(time.monotonic(), live, connected, stuck))

    def _write(self, health: Health) -> None:
        draft = self._file.with_name(f"{HEALTH_FILE}.new")
        try:
            draft.write_bytes(msgspec.json.encode(health))
            draft.replace(self._file)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._file, error)
