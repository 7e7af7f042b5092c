"""Plays prepared publish responses over TCP, as an OPC UA server with many fast variables would send them.

It is no server: it answers each service with just enough for a client to subscribe (any NodeId exists,
nothing is looked up or sampled), and then sends messages whose bytes are prepared and in which only numbers,
times and values are filled in. So it costs next to nothing, where real servers at hand saturate a core at a
tenth of what it plays. Without message security.

    python -m benchmarks.opcua_player TAGS_PER_DEVICE

prints its port. On standard input `stop` ends the changes, `count` asks how many were sent.
"""

import asyncio
import json
import struct
import sys
import time
from collections import deque
from typing import Any

import numpy as np
import uvloop
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, struct_to_binary

from drivers.opcua.nodes import node_id

PER_MESSAGE = 1_000
_code: Any = StatusCodes.BadServiceUnsupported
_UNSUPPORTED = ua.StatusCode(_code)
_TICKS_1970 = 116_444_736_000_000_000
_MASK = 0x07  # value, status, source time
_INT32 = np.dtype(
    [("handle", "<u4"), ("layout", "<u2"), ("value", "<i4"), ("status", "<u4"), ("source", "<i8")]
)
_DOUBLE = np.dtype(
    [("handle", "<u4"), ("layout", "<u2"), ("value", "<f8"), ("status", "<u4"), ("source", "<i8")]
)
_BOOLEAN = np.dtype(
    [("handle", "<u4"), ("layout", "<u2"), ("value", "?"), ("status", "<u4"), ("source", "<i8")]
)
_KINDS = ((_INT32, 6), (_DOUBLE, 11), (_BOOLEAN, 1))


def kind_of(tag: int, tags: int) -> int:
    """Of each device's tags a fifth are counters, a tenth booleans, the rest floats; index into `_KINDS`."""
    return 0 if tag < tags / 5 else 2 if tag >= tags * 9 / 10 else 1


class Prepared:
    """The entries of one message: bytes in which numpy writes in place."""

    def __init__(self, handles: list[int], first: int, tags: int) -> None:
        runs: list[tuple[int, list[int]]] = []
        for offset, handle in enumerate(handles):
            kind = kind_of((first + offset) % tags, tags)
            if not runs or runs[-1][0] != kind:
                runs.append((kind, []))
            runs[-1][1].append(handle)
        self.count = len(handles)
        self.body = bytearray(sum(len(members) * _KINDS[kind][0].itemsize for kind, members in runs))
        self._runs: list[tuple[int, np.ndarray[Any, Any]]] = []
        at = 0
        for kind, members in runs:
            dtype, number = _KINDS[kind]
            entries = np.frombuffer(self.body, dtype, len(members), at)
            entries["handle"] = members
            entries["layout"] = _MASK | number << 8
            self._runs.append((kind, entries))
            at += entries.nbytes

    def fill(self, cycle: int, ticks: int) -> bytes:
        for kind, entries in self._runs:
            entries["source"] = ticks
            entries["value"] = cycle % 2 if kind == 2 else cycle + 0.25 if kind == 1 else cycle
        return bytes(self.body)


class Player(asyncio.Protocol):
    sent = 0
    playing = True

    def __init__(self, tags: int) -> None:
        self._tags = tags
        self._buffer = bytearray()
        self._sequence = 0
        self._handles: list[int] = []
        self._interval = 1.0
        self._requests: deque[tuple[int, int]] = deque()
        self._ready: deque[bytes] = deque()
        self._messages = 0
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= 8:
            (size,) = struct.unpack_from("<I", self._buffer, 4)
            if len(self._buffer) < size:
                return
            message, self._buffer = bytes(self._buffer[:size]), self._buffer[size:]
            self._take(message)

    def _take(self, message: bytes) -> None:
        kind = message[:3]
        if kind == b"HEL":
            limits = struct.pack("<IIIII", 0, 1 << 20, 1 << 20, 0, 0)
            self._transport.write(b"ACKF" + struct.pack("<I", 8 + len(limits)) + limits)
        elif kind == b"OPN":
            body = Buffer(message[12:])
            header = struct_from_binary(ua.AsymmetricAlgorithmHeader, body)
            _, request_id = struct.unpack("<II", body.read(8))
            self._answer(self._open(body), request_id, opening=struct_to_binary(header))
        elif kind == b"MSG":
            body = Buffer(message[24:])
            (request_id,) = struct.unpack_from("<I", message, 20)
            self._serve(nodeid_from_binary(body.copy()).Identifier, body, request_id)

    def _open(self, body: Buffer) -> Any:
        struct_from_binary(ua.OpenSecureChannelRequest, body)
        response = ua.OpenSecureChannelResponse()
        token = response.Parameters.SecurityToken
        token.ChannelId = token.TokenId = 1
        token.RevisedLifetime = 3_600_000
        return response

    def _serve(self, service: Any, body: Buffer, request_id: int) -> None:
        ids = ObjectIds
        response: Any
        if service == ids.PublishRequest_Encoding_DefaultBinary:
            (handle,) = struct.unpack_from("<I", bytes(body), _handle_at(bytes(body)))
            self._requests.append((request_id, handle))
            self._send_ready()
            return
        if service == ids.CreateSessionRequest_Encoding_DefaultBinary:
            response = ua.CreateSessionResponse()
            response.Parameters.SessionId = node_id(1, 1)
            response.Parameters.AuthenticationToken = node_id(2, 1)
            response.Parameters.RevisedSessionTimeout = 60_000.0
            response.Parameters.ServerNonce = bytes(32)
            endpoint = ua.EndpointDescription()
            endpoint.EndpointUrl = "opc.tcp://127.0.0.1"
            endpoint.SecurityMode = ua.MessageSecurityMode.None_
            endpoint.SecurityPolicyUri = "http://opcfoundation.org/UA/SecurityPolicy#None"
            endpoint.UserIdentityTokens = [ua.UserTokenPolicy(PolicyId="anonymous")]
            response.Parameters.ServerEndpoints = [endpoint]
        elif service == ids.ActivateSessionRequest_Encoding_DefaultBinary:
            response = ua.ActivateSessionResponse()
        elif service == ids.ReadRequest_Encoding_DefaultBinary:
            request = struct_from_binary(ua.ReadRequest, body)
            response = ua.ReadResponse()
            response.Results = [ua.DataValue(ua.Variant(None)) for _ in request.Parameters.NodesToRead]
        elif service == ids.CreateSubscriptionRequest_Encoding_DefaultBinary:
            asked = struct_from_binary(ua.CreateSubscriptionRequest, body).Parameters
            response = ua.CreateSubscriptionResponse()
            response.Parameters.SubscriptionId = 1
            response.Parameters.RevisedPublishingInterval = asked.RequestedPublishingInterval
            response.Parameters.RevisedMaxKeepAliveCount = asked.RequestedMaxKeepAliveCount
            response.Parameters.RevisedLifetimeCount = asked.RequestedLifetimeCount
            self._interval = asked.RequestedPublishingInterval / 1000
        elif service == ids.CreateMonitoredItemsRequest_Encoding_DefaultBinary:
            items = struct_from_binary(ua.CreateMonitoredItemsRequest, body).Parameters.ItemsToCreate
            response = ua.CreateMonitoredItemsResponse()
            for item in items:
                self._handles.append(item.RequestedParameters.ClientHandle)
                result = ua.MonitoredItemCreateResult()
                result.MonitoredItemId = len(self._handles)
                result.RevisedSamplingInterval = self._interval * 1000
                result.RevisedQueueSize = item.RequestedParameters.QueueSize
                response.Results.append(result)
        else:
            response = ua.ServiceFault()
            response.ResponseHeader.ServiceResult = _UNSUPPORTED
        self._answer(response, request_id)

    def _answer(self, response: Any, request_id: int, opening: bytes | None = None) -> None:
        self._write(struct_to_binary(response), request_id, opening)

    def _write(self, body: bytes, request_id: int, opening: bytes | None = None) -> None:
        self._sequence += 1
        security = opening if opening is not None else struct.pack("<I", 1)
        head = (b"MSGF" if opening is None else b"OPNF") + struct.pack(
            "<II", 20 + len(security) + len(body), 1
        )
        self._transport.write(head + security + struct.pack("<II", self._sequence, request_id) + body)

    def _send_ready(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._play())
        while self._ready and self._requests:
            request_id, handle = self._requests.popleft()
            header = b"\x01\x00" + struct.pack("<HqII", 829, _ticks(), handle, 0) + bytes(8)
            self._write(header + self._ready.popleft(), request_id)

    async def _play(self) -> None:
        """Each tag changes once an interval; the messages are spread over it."""
        messages = [
            Prepared(self._handles[first : first + PER_MESSAGE], first, self._tags)
            for first in range(0, len(self._handles), PER_MESSAGE)
        ]
        start = time.monotonic()
        cycle = 0
        while Player.playing:
            for number, prepared in enumerate(messages):
                await asyncio.sleep(
                    start + (cycle + number / len(messages)) * self._interval - time.monotonic()
                )
                ticks = _ticks()
                entries = prepared.fill(cycle, ticks)
                self._messages += 1
                self._ready.append(_message(self._messages, prepared.count, entries, ticks))
                Player.sent += prepared.count
                self._send_ready()
            cycle += 1


def _handle_at(body: bytes) -> int:
    """Where the request handle stands: after type, authentication token and time."""
    buffer = Buffer(body)
    nodeid_from_binary(buffer)
    nodeid_from_binary(buffer)
    return int(buffer.cur_pos) + 8


def _ticks() -> int:
    return time.time_ns() // 100 + _TICKS_1970


def _message(number: int, count: int, entries: bytes, ticks: int) -> bytes:
    """A publish response from the subscription's id on."""
    notification = struct.pack("<i", count) + entries + struct.pack("<i", -1)
    return (
        struct.pack("<Ii?IqI", 1, 0, False, number, ticks, 1)
        + b"\x01\x00"
        + struct.pack("<HBi", 811, 1, len(notification))
        + notification
        + struct.pack("<ii", 0, 0)
    )


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Player(int(sys.argv[1])), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line.strip() == "stop":
            Player.playing = False
        else:
            print(json.dumps({"sent": Player.sent}), flush=True)


if __name__ == "__main__":
    try:
        uvloop.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
