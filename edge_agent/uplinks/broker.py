"""What every uplink over MQTT does: connect to the first broker that can be had, stay, and connect anew."""

import asyncio
import logging
import ssl
from abc import abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.config.models import TlsOptions, UplinkOptions
from edge_agent.config.site import lacks_certificate
from edge_agent.journal.journal import Journal
from edge_agent.uplinks.mqtt_connection import (
    Address,
    MqttConnection,
    MqttError,
    Received,
    Will,
    addresses_of,
)
from edge_agent.uplinks.uplink import Uplink, UplinkState

log = logging.getLogger(__name__)

TLS_FILES_EVERY_S = 30.0
"""How often to look whether the files of certificates are other ones."""
CERTIFICATE_EVERY_S = 2.0
"""How often to look whether there is a first certificate: somebody stands there and waits."""


class Renewing(Protocol):
    """Looks after a certificate that the region has given; loaded only for who is enrolled (`renewal.py`)."""

    response_topic: str

    def look(self) -> None:
        """Tell when the certificate ends, if its renewal is late. Raises nothing."""

    def answered(self, payload: bytes) -> None:
        """Something came on `response_topic`."""

    async def over(self, connection: MqttConnection) -> None:
        """Ask over `connection` when it is time, until a new certificate is installed. Raises MqttError."""


class RefusedError(Exception):
    """The broker did not take a message: which, and the broker's reason."""


class _NoCertificateError(Exception):
    """There is nothing to connect with; the message says where it comes from."""


class _OtherFilesError(Exception):
    """Certificates or keys on the disk are no longer those that the connection was made with."""


class BrokerUplink(Uplink):
    """One uplink to one broker, or to the first of several that can be had."""

    def __init__(
        self,
        options: UplinkOptions,
        journal: Journal,
        told: Callable[[str, str, str], None],
        renewal: Renewing | None = None,
    ) -> None:
        """`told` as for Uplink; `renewal` looks after the certificate, if the region has given it."""
        super().__init__(options.id, journal, told)
        self._renewal = renewal
        self._connection_options = options
        self._addresses: Sequence[Address] = addresses_of(options)

    async def run(self) -> None:
        """Connect, deliver, and again, until cancelled; says goodbye to the broker then."""
        while True:
            pause = None
            if self._renewal is not None:
                self._renewal.look()
            try:
                await self._session()
            except* _NoCertificateError as errors:
                self._down(UplinkState.CONNECTING, "uplink_down", str(_first(errors)))
                pause = CERTIFICATE_EVERY_S
            except* MqttError as errors:
                self._down(UplinkState.CONNECTING, "uplink_down", str(_first(errors)))
            except* RefusedError as errors:
                self._down(UplinkState.REFUSED, "uplink_refused", str(_first(errors)))
            except* _OtherFilesError:
                log.info("uplink %s: certificates have changed; connecting anew", self.id)
                pause = 0.0
            except* (OSError, ssl.SSLError) as errors:
                text = f"a TLS file cannot be used: {_first(errors)}"
                self._down(UplinkState.CONNECTING, "uplink_down", text)
            await asyncio.sleep(self._pause() if pause is None else pause)

    @abstractmethod
    def _will(self) -> Will:
        """What the broker says when the connection that is made now breaks."""

    @abstractmethod
    def _farewell(self) -> bytes:
        """What is said in its place when the connection is closed in good order."""

    @abstractmethod
    def _tasks(self, connection: MqttConnection) -> Sequence[Coroutine[Any, Any, None]]:
        """What is done while the connection stands. They may raise MqttError and RefusedError, in groups."""

    def _acknowledged(self, mid: int, reason: ReasonCode) -> None:
        """The broker has, or refuses, the message with the id `mid`, if it was published at QoS 1."""

    def _received(self, message: Received) -> None:
        """A message came."""

    def _before_connect(self) -> None:
        """The socket stands, CONNECT follows. Called by another thread."""

    async def _session(self) -> None:
        """One connection, from open to lost. Raises (in groups) MqttError, RefusedError, OSError,
        _NoCertificateError, _OtherFilesError.
        """
        if lacks_certificate(self._connection_options):
            raise _NoCertificateError(
                "the region has given no certificate yet 尚无证书; run:"
                f" edge-agent enrol mqtt CONFIG --uplink {self.id}"
            )
        files = _changed_at(self._connection_options.tls)
        connection = await self._connected()
        try:
            self.statistics.connects += 1
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(connection.lost())
                tasks.create_task(self._until_other_files(files))
                if self._renewal is not None:
                    tasks.create_task(self._renew(self._renewal, connection))
                for work in self._tasks(connection):
                    tasks.create_task(work)
        finally:
            await connection.close(self._farewell())

    async def _connected(self) -> MqttConnection:
        """A connection to the first broker that can be had. Raises MqttError of all of them, OSError."""
        failures = []
        for address in self._addresses:
            connection = MqttConnection(
                self._connection_options,
                address,
                self._will(),
                self._acknowledged,
                self._hear,
                self._before_connect,
            )
            try:
                await connection.open()
            except MqttError as error:
                failures.append(str(error))
                await connection.close()
            except BaseException:
                await connection.close()
                raise
            else:
                return connection
        raise MqttError("; ".join(failures))

    def _hear(self, message: Received) -> None:
        if self._renewal is not None and message.topic == self._renewal.response_topic:
            if not message.retained:
                self._renewal.answered(message.payload)
        else:
            self._received(message)

    async def _renew(self, renewal: Renewing, connection: MqttConnection) -> None:
        await renewal.over(connection)
        raise _OtherFilesError

    async def _until_other_files(self, before: Mapping[Path, int]) -> None:
        """A certificate is renewed before the old one ends; a connection that stands would not notice."""
        while True:
            await asyncio.sleep(TLS_FILES_EVERY_S)
            if _changed_at(self._connection_options.tls) != before:
                raise _OtherFilesError


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a group, or of a group within it."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _changed_at(tls: TlsOptions | None) -> dict[Path, int]:
    """When each file of certificates and keys was changed last. Raises OSError."""
    files = (tls.ca, tls.certificate, tls.key) if tls is not None else ()
    return {file: file.stat().st_mtime_ns for file in files if file is not None}
