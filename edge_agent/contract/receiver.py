"""The platform's half of the road: clean messages of many gateways, each once, in order."""

import asyncio
import logging
import math
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.contract.compression import unpacked
from edge_agent.contract.digests import class_of
from edge_agent.contract.ledger import READY_LIMIT, Held, Ledger, Verdict
from edge_agent.contract.messages import (
    AnyMessage,
    Bundle,
    ClassDigest,
    Digest,
    Event,
    Numbered,
    Replay,
    ReplayEnd,
    ReplayRequest,
    Status,
    Telemetry,
    decode,
    encode,
)
from edge_agent.contract.proofs import Finding, Proof, Range
from edge_agent.contract.signatures import Signed, flaw
from edge_agent.contract.topics import READINGS_TOPIC, REPLAY_REQUEST, REPLAY_RESPONSE

log = logging.getLogger(__name__)

_VERSIONS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
SESSION_EXPIRY_S = 7 * 86_400
"""How long the broker keeps messages for a receiver that is away."""
KEEPALIVE_S = 30
LOOK_EVERY_S = 1.0
_NUMBERS_LOST = "numbers_lost"
_GAPS = (_NUMBERS_LOST, "thinned", "journal_damaged")
"""Events that say which numbers do not come."""
_STARTS = (_NUMBERS_LOST, "journal_damaged")
"""Events from which on a gateway may count anew for its next digest."""
AT_ONCE = 500
"""Messages that are accounted for in one transaction at most."""
REQUEST_LIMIT = 1000
"""Numbers asked for in one request at most."""
RECONNECT_S = (1, 60)


Version = Literal["5", "3.1.1"]


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to subscribe. `tls` is a context that verifies the broker; without it the line is plain."""

    host: str
    port: int = 1883
    client_id: str = ""
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None
    version: Version = "5"


@dataclass(frozen=True, slots=True)
class Rules:
    """How a receiver goes about what is missing, in seconds."""

    levels: int = 5
    """Topic levels of a root: `fta/v1/{region}/{enterprise}/{gateway}` has five."""
    in_order: bool = True
    """Nothing is handed over before what was numbered before it; but what overtakes a backlog of readings
    is handed over at once. Off for one of several workers."""
    patience: float = 5.0
    """A hole that is as old as this is asked for."""
    ask_again: float = 30.0
    give_up: float = 300.0
    """A hole that is as old as this is told as lost, and passed over; it is asked for first."""
    replay: bool = True
    """Whether to ask gateways for what is missing."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Public keys of gateways by the root of their topics, in hex: nothing is taken that another one signed.
    Of a gateway that is not in it, the key of its first signature is taken, and a change is told."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message. `retained`: the broker's copy of a current value, which may have come before as news."""

    gateway: str
    """The root of its topics."""
    topic: str
    """Below the root."""
    message: AnyMessage
    payload: bytes
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """What is not as it should be, and that a day is complete.

    `kind`: `invalid` (cannot be read), `forged` (not what the gateway signed) and `conflict` are about
    messages that are not handed over, `gap` and `lost` about numbers; `key_changed`: the gateway signs with
    another key from now on. `digest_agrees`, `digest_differs` (one of each class) and `digest_unproven` are
    about the numbers of a day.
    """

    kind: str
    gateway: str
    topic: str = ""
    text: str = ""
    first: int = 0
    last: int = 0
    payload: bytes = b""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Of a digest: `day`; where it differs `class`, and what is `expected` and `found`: `count`, `first`,
    `last` and `sum`, or None for nothing; `missing`: how many numbers of the day were given up."""


Item = Delivery | Notice


@dataclass(slots=True)
class _Hole:
    """What is known of one missing number range since it was first seen."""

    since: float
    asked: float | None = None
    late: bool = False
    """It was given up before, and a digest shows that it is missed."""


class Receiver:
    """Receives from one broker, until the iteration is left.

    A message is acknowledged to the broker when it is in the ledger, and leaves that when the next item is
    asked for: with a ledger in a file, neither a receiver nor a broker that is killed loses one. What was
    handed over last before a kill may come once more.
    """

    def __init__(
        self,
        broker: Broker,
        subscribe: str = "fta/v1/+/+/+/#",
        ledger: Path | None = None,
        rules: Rules = Rules(),
    ) -> None:
        """`subscribe` may be a shared subscription, `$share/{group}/fta/v1/#`, with `in_order` off; its
        workers share the file `ledger`, and each has a client_id of its own. Raises sqlite3.Error."""
        self._broker = broker
        self._subscribe = subscribe
        self._rules = rules
        self._ledger = Ledger(ledger, broker.client_id)
        self._arrived: asyncio.Queue[paho.MQTTMessage] = asyncio.Queue()
        self._failure: asyncio.Future[None] | None = None
        self._holes: dict[tuple[str, Range], _Hole] = {}
        self._newest: dict[str, int] = {}
        """By gateway, the newest number that it says it has given."""
        self._blocked: dict[tuple[str, str], float] = {}
        """By gateway and class, since when what has overtaken readings waits for something of its class."""
        self._found: list[Notice] = []
        """What digests have said, and is not told yet."""
        self._looked = time.monotonic()

    @asynccontextmanager
    async def items(self) -> AsyncIterator[AsyncIterator[Item]]:
        """Connect, and give the items one after the other.

        Raises ConnectionError if the broker refuses the connection or the subscription; a broker that is
        away is waited for.
        """
        loop = asyncio.get_running_loop()
        self._failure = loop.create_future()
        client = self._client(loop)
        client.loop_start()
        try:
            yield self._items(client)
        finally:
            client.disconnect()
            await asyncio.to_thread(client.loop_stop)
            self._failure.cancel()
            self._ledger.close()

    def _client(self, loop: asyncio.AbstractEventLoop) -> paho.Client:
        broker = self._broker
        session: dict[str, Any] = {"clean_session": not broker.client_id} if broker.version == "3.1.1" else {}
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id,
            protocol=_VERSIONS[broker.version],
            manual_ack=True,
            **session,
        )
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        client.reconnect_delay_set(*RECONNECT_S)

        def fail(text: str) -> None:
            if self._failure is not None and not self._failure.done():
                self._failure.set_exception(ConnectionError(text))

        def connected(
            _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
        ) -> None:
            if reason.is_failure:
                loop.call_soon_threadsafe(fail, f"the broker refuses the connection: {reason}")
            else:
                client.subscribe(self._subscribe, qos=1)

        def subscribed(
            _client: paho.Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: object
        ) -> None:
            if any(reason.is_failure for reason in reasons):
                loop.call_soon_threadsafe(fail, f"the broker refuses {self._subscribe}: {reasons[0]}")

        def arrived(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
            loop.call_soon_threadsafe(self._arrived.put_nowait, message)

        client.on_connect = connected
        client.on_subscribe = subscribed
        client.on_message = arrived
        if broker.version == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own
            properties.SessionExpiryInterval = SESSION_EXPIRY_S if broker.client_id else 0
            session = {"clean_start": not broker.client_id, "properties": properties}
        else:
            session = {}
        client.connect_async(broker.host, broker.port, KEEPALIVE_S, **session)
        return client

    async def _items(self, client: paho.Client) -> AsyncIterator[Item]:
        for held in await asyncio.to_thread(self._ready):
            async for item in self._hand_over(held):
                yield item
        while True:
            messages = await self._next_messages()
            for item in await asyncio.to_thread(self._account_for, messages):
                yield item
            for message in messages:
                client.ack(message.mid, message.qos)
            ready = await asyncio.to_thread(self._ready)
            for held in ready:
                async for item in self._hand_over(held):
                    yield item
            if len(ready) < READY_LIMIT:  # whoever is told that a day is complete has all of it
                found, self._found = self._found, []
                for notice in found:
                    yield notice
            if time.monotonic() - self._looked >= LOOK_EVERY_S:
                self._looked = time.monotonic()
                notices, requests = await asyncio.to_thread(self._look_for_holes)
                for topic, request in requests:
                    client.publish(topic, request, qos=1)
                for notice in notices:
                    yield notice

    async def _next_messages(self) -> list[paho.MQTTMessage]:
        """What has arrived, after a moment's wait for it. Raises what ended the connection for good."""
        failure = self._failure
        if failure is not None and failure.done():
            failure.result()
        messages: list[paho.MQTTMessage] = []
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                messages.append(await self._arrived.get())
        except TimeoutError:
            return []
        while len(messages) < AT_ONCE and not self._arrived.empty():
            messages.append(self._arrived.get_nowait())
        return messages

    def _ready(self) -> list[Held]:
        return self._ledger.ready(in_order=self._rules.in_order)

    async def _hand_over(self, held: Held) -> AsyncIterator[Item]:
        yield Delivery(held.gateway, held.topic, decode(held.payload), held.payload)
        await asyncio.to_thread(self._ledger.handed_over, held)

    # In a thread, as the ledger is on a disk.

    def _account_for(self, messages: list[paho.MQTTMessage]) -> list[Item]:
        """Put what is numbered into the ledger; returns what is not, and what is wrong."""
        items: list[Item] = []
        gateways: set[str] = set()
        with self._ledger.together():
            for message in messages:
                levels = message.topic.split("/")
                gateway = "/".join(levels[: self._rules.levels])
                topic = "/".join(levels[self._rules.levels :])
                sent = bytes(message.payload)
                try:
                    payload = unpacked(sent)
                except ValueError as error:
                    items.append(Notice("invalid", gateway, topic, str(error), payload=sent))
                    continue
                items += self._account_for_sent(gateway, topic, payload, retained=message.retain)
                gateways.add(gateway)
            for gateway in sorted(gateways):
                self._settle(gateway)
        return items

    def _settle(self, gateway: str) -> None:
        """Find what the digests say of the days that are complete."""
        self._found += [_told(gateway, finding) for finding in self._ledger.settle(gateway)]

    def _account_for_sent(self, gateway: str, topic: str, payload: bytes, *, retained: bool) -> list[Item]:
        try:
            return self._account_for_one(gateway, topic, payload, retained=retained)
        except OverflowError:  # no file takes numbers from 2^63 on, and no gateway gets there
            return [Notice("invalid", gateway, topic, "a number is too large", payload=payload)]

    def _account_for_one(
        self, gateway: str, topic: str, payload: bytes, *, retained: bool, again: bool = False
    ) -> list[Item]:
        """`again`: it was asked for, and says nothing of how far the gateway is."""
        if topic == REPLAY_REQUEST:
            return []  # what this or another receiver asks for
        try:
            message = decode(payload)
        except msgspec.MsgspecError as error:
            return [self._invalid(gateway, topic, payload, str(error))]
        if isinstance(message, Bundle):
            return self._account_for_bundle(gateway, topic, message)
        if topic == REPLAY_RESPONSE:
            return self._answer(gateway, message)
        if isinstance(message, Status):
            self._follow(gateway, message)
        told: list[Item] = []
        if isinstance(message, Signed):
            wrong = flaw(message, payload) or self._not_its_key(gateway, message.key)
            if wrong:
                # Its number stays missing: the gateway is asked for what it really gave it to.
                return [Notice("forged", gateway, topic, wrong, payload=payload)]
            told = self._follow_key(gateway, topic, message.key)
        if retained or not isinstance(message, Numbered):
            return [*told, Delivery(gateway, topic, message, payload, retained)]
        if not isinstance(message.seq, int):
            return [Notice("invalid", gateway, topic, "it has no seq", payload=payload)]
        if isinstance(message, Event) and {"first", "last"} <= message.detail.keys():
            self._excuse(gateway, message)
        if not again and (isinstance(message, Telemetry | Digest) or _tells_of_gap(message)):
            self._ledger.reach(gateway, message.seq, overtakes=isinstance(message, Telemetry))
        held = Held(
            gateway,
            message.seq,
            topic,
            payload,
            class_of(message).value,
            message.after if isinstance(message.after, int) else 0,
            isinstance(message, Digest) or (isinstance(message, Event) and message.kind in _STARTS),
        )
        verdict = self._ledger.take(held)
        if verdict is Verdict.NEW and isinstance(message, Digest):
            self._ledger.claimed(gateway, message)
        if verdict is Verdict.CONFLICT:
            text = f"number {message.seq} came before with other content"
            return [*told, Notice("conflict", gateway, topic, text, message.seq, message.seq, payload)]
        return told

    def _account_for_bundle(self, gateway: str, topic: str, bundle: Bundle) -> list[Item]:
        items: list[Item] = []
        for one in bundle.messages:
            payload = bytes(one)
            try:
                equipment = msgspec.json.decode(payload, type=_Equipment).equipment
            except msgspec.MsgspecError as error:
                items.append(self._invalid(gateway, topic, payload, str(error)))
            else:
                of_equipment = f"{READINGS_TOPIC}{equipment}"
                items += self._account_for_sent(gateway, of_equipment, payload, retained=False)
        return items

    def _follow(self, gateway: str, status: Status) -> None:
        if status.online:
            self._ledger.report(gateway, status.acknowledged_seq, status.last_seq, status.live_after)
            self._newest[gateway] = status.last_seq
        else:
            self._ledger.away(gateway)

    def _not_its_key(self, gateway: str, key: str) -> str:
        """Why a good signature does not count; empty if it does."""
        pinned = self._rules.keys.get(gateway, key)
        return (
            "" if key == pinned else f"signed with {key}, and not with the key that is known of the gateway"
        )

    def _follow_key(self, gateway: str, topic: str, key: str) -> list[Item]:
        before = self._ledger.key_of(gateway)
        if key == before:
            return []
        self._ledger.set_key(gateway, key)
        if before is None:
            return []
        return [Notice("key_changed", gateway, topic, f"was {before}, is {key}")]

    def _invalid(self, gateway: str, topic: str, payload: bytes, error: str) -> Notice:
        """A message that cannot be read still has its number, if that can be read."""
        try:
            seq = msgspec.json.decode(payload, type=_Seq).seq
        except msgspec.MsgspecError:
            return Notice("invalid", gateway, topic, error, payload=payload)
        self._ledger.excuse(gateway, seq, seq)
        return Notice("invalid", gateway, topic, error, seq, seq, payload)

    def _answer(self, gateway: str, answer: AnyMessage) -> list[Item]:
        if isinstance(answer, Replay):
            return self._account_for_one(
                gateway, answer.topic, bytes(answer.message), retained=False, again=True
            )
        items: list[Item] = []
        if isinstance(answer, ReplayEnd):
            for gone in answer.gone:
                self._ledger.excuse(gateway, gone.first, gone.last)
                items.append(Notice("lost", gateway, "", gone.reason, gone.first, gone.last))
            self._ask_for_the_rest(gateway, answer)
        return items

    def _ask_for_the_rest(self, gateway: str, answer: ReplayEnd) -> None:
        """A gateway that answers a part of a request will answer the next part, too."""
        for (of, (first, last)), hole in self._holes.items():
            if of == gateway and first <= answer.last + 1 <= last:
                hole.since = time.monotonic() - self._rules.patience
                hole.asked = -math.inf

    def _excuse(self, gateway: str, event: Event) -> None:
        """Numbers that the gateway itself says will not come.

        What it keeps of them was sent before this event. If more are missing than it says, one was lost on
        its way: then it is asked for, and the answer says of each number what it is.
        """
        first, last = event.detail["first"], event.detail["last"]
        count = event.detail.get("count")
        if not _tells_of_gap(event) or not (isinstance(first, int) and isinstance(last, int)):
            return
        if event.kind == _NUMBERS_LOST:
            self._ledger.never_given(gateway, first, last)
            return
        if isinstance(count, int):
            holes = self._ledger.missing(gateway, last)
            missing = sum(max(0, min(last, high) - max(first, low) + 1) for low, high in holes)
            if missing > count:
                return
        self._ledger.excuse(gateway, first, last)

    def _look_for_holes(self) -> tuple[list[Notice], list[tuple[str, bytes]]]:
        """What to tell of holes, and what to ask for: topic and payload."""
        rules, now = self._rules, time.monotonic()
        notices: list[Notice] = []
        requests: list[tuple[str, bytes]] = []
        seen: dict[tuple[str, Range], _Hole] = {}
        given_up: set[str] = set()
        with self._ledger.together():
            for gateway in self._ledger.gateways():
                for first, last, new in (*self._gaps(gateway, now), *self._given_up(gateway, now)):
                    hole = self._known(gateway, first, last) or new
                    age = now - hole.since
                    if hole.asked is not None and age >= rules.give_up:
                        self._ledger.excuse(gateway, first, last, ask=not hole.late)
                        given_up.add(gateway)
                        if not hole.late:
                            text = "it did not come in time"
                            notices.append(Notice("lost", gateway, "", text, first, last))
                        continue
                    due = hole.asked is None or now - hole.asked >= rules.ask_again
                    if due and (hole.late or age >= rules.patience):
                        if hole.asked is None and not hole.late:
                            # Who takes items slowly looks seldom: there is time for an answer all the same.
                            hole.since = now - rules.patience
                            notices.append(Notice("gap", gateway, "", "", first, last))
                        hole.asked = now
                        if rules.replay:
                            until = min(last, first + REQUEST_LIMIT - 1)
                            request = ReplayRequest(id=uuid.uuid4().hex, first=first, last=until)
                            requests.append((f"{gateway}/{REPLAY_REQUEST}", encode(request)))
                    seen[gateway, (first, last)] = hole
            for gateway in sorted(given_up):
                self._settle(gateway)
        self._holes = seen
        return notices, requests

    def _gaps(self, gateway: str, now: float) -> Iterator[tuple[int, int, _Hole]]:
        """The holes, without what is still on its way, each as it is if it is new."""
        on_its_way = self._ledger.on_its_way(gateway)
        for hole in self._ledger.missing(gateway, self._newest.get(gateway, 0)):
            first, last = hole
            for low, high in on_its_way:
                if first <= last and first < low:
                    yield first, min(last, low - 1), _Hole(now)
                first = max(first, high + 1)
            if first <= last:
                yield first, last, _Hole(now)
        yield from self._lost_amid_a_backlog(gateway, on_its_way, now)

    def _lost_amid_a_backlog(
        self, gateway: str, on_its_way: Sequence[Range], now: float
    ) -> Iterator[tuple[int, int, _Hole]]:
        """What should have overtaken readings, too, before what did. Each names the one before it alone, so
        the patience is for all of a class together. Where nothing is on its way, it is a hole as any."""
        waited_for = [
            (seq, record_class)
            for seq, record_class in self._ledger.waited_for(gateway)
            if any(low <= seq <= high for low, high in on_its_way)
        ]
        blocked = {(gateway, record_class) for _, record_class in waited_for}
        for key in [key for key in self._blocked if key[0] == gateway and key not in blocked]:
            del self._blocked[key]
        for seq, record_class in waited_for:
            yield seq, seq, _Hole(self._blocked.setdefault((gateway, record_class), now))

    def _given_up(self, gateway: str, now: float) -> Iterator[tuple[int, int, _Hole]]:
        """What may still come, and would make a digest agree: asked for at once."""
        for first, last in self._ledger.to_ask_again(gateway) if self._rules.replay else ():
            yield first, last, _Hole(now, late=True)

    def _known(self, gateway: str, first: int, last: int) -> _Hole | None:
        """The hole that this one is, or is what is left of."""
        for (of, (low, high)), hole in self._holes.items():
            if of == gateway and low <= first and last <= high:
                return hole
        return None


def _told(gateway: str, finding: Finding) -> Notice:
    """A finding for people and programs."""
    day = finding.day
    detail: dict[str, Any] = {"day": finding.day}
    match finding.proof:
        case Proof.AGREES:
            text = f"{day}: everything is there"
        case Proof.UNPROVEN:
            text = f"{day}: not seen from its beginning" if finding.day else "no digest is of these numbers"
        case Proof.DIFFERS:
            text = (
                f"{day}: {finding.record_class}: {_counts(finding.expected)} expected,"
                f" {_counts(finding.found)} found; {finding.missing} numbers of the day were given up"
            )
            detail |= {
                "class": finding.record_class,
                "expected": finding.expected,
                "found": finding.found,
                "missing": finding.missing,
            }
    return Notice(finding.proof.value, gateway, "", text, finding.first, finding.last, detail=detail)


def _counts(one: ClassDigest | None) -> str:
    return "none" if one is None else f"{one.count} with sum {one.sum[:8]}…"


def _tells_of_gap(message: AnyMessage) -> bool:
    return isinstance(message, Event) and message.kind in _GAPS


class _Seq(msgspec.Struct):
    seq: int


class _Equipment(msgspec.Struct, tag_field="schema", tag="fta.telemetry/1"):
    """Of telemetry alone: nothing else has a place in a bundle."""

    equipment: str


def tls_context(ca: Path | None, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """A context that verifies the broker. Raises OSError, ssl.SSLError."""
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


def summary(item: Item) -> dict[str, Any]:
    """An item as one JSON object: a message as it came, or a notice."""
    if isinstance(item, Notice):
        told = {
            "notice": item.kind,
            "gateway": item.gateway,
            "topic": item.topic,
            "text": item.text,
            "first": item.first,
            "last": item.last,
        }
        return {**told, "detail": item.detail} if item.detail else told
    return {
        "gateway": item.gateway,
        "topic": item.topic,
        "retained": item.retained,
        "message": msgspec.Raw(item.payload),
    }
