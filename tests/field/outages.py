"""Outage after outage, and nothing lost: a broker that is killed, comes back empty, refuses, or lies behind a
bad line, while the agent is killed at any moment.

    python -m tests.field.outages --rounds 200 --seed 7

The seed says what happens when. The same seed has the same outages in the same order and of the same length;
what the processes are doing at those moments is up to the machine. A run has to end within the hour in which
counters go on and the journal keeps what was delivered: that is some 800 rounds.
"""

import asyncio
import contextlib
import random
import signal
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from operator import attrgetter
from pathlib import Path
from unittest import mock

import click

from edge_agent.config.shipped import shipped
from edge_agent.contract import receiver as receiver_module
from edge_agent.contract.messages import AnyMessage, Digest, Numbered, Status, decode
from edge_agent.contract.proofs import Proof
from edge_agent.contract.receiver import Broker, Delivery, Item, Notice, Receiver, Rules, Version
from edge_agent.contract.topics import RecordClass
from edge_agent.journal.cipher import Cipher, cipher_of, make_key
from edge_agent.journal.store import Store
from edge_agent.model.clock import CLOCK
from edge_agent.simulator.stage import Ports, copy_configuration, workshop
from edge_agent.simulator.story import Story
from tests.field.agent_process import AgentProcess
from tests.field.line import Line
from tests.field.mosquitto import Mosquitto
from tests.field.nats import Nats
from tests.field.test_end_to_end import check_totals, compare
from tests.ports import demo_ports

RULES = Rules(patience=1.0, ask_again=2.0, give_up=600.0)
RECOVERY_S = 60.0
"""Within this the receiver hears of something new after an outage."""
LOOK_EVERY_S = 0.02

_PLATFORM = "user platform\ntopic readwrite #\n"
ALLOWED = f"topic readwrite #\n{_PLATFORM}"
REFUSALS = (
    f"topic read #\n{_PLATFORM}",  # everything, status and answers to requests too
    f"topic readwrite #\ntopic deny fta/v1/+/+/+/telemetry/#\n{_PLATFORM}",
    f"topic readwrite #\ntopic deny fta/v1/+/+/+/state/#\n{_PLATFORM}",
)


class Kind(StrEnum):
    """What happens to the broker, or to the line to it."""

    NOTHING = "nothing"
    STOPPED = "broker stopped"
    KILLED = "broker killed"
    EMPTY = "broker killed, and back empty"
    REFUSES = "broker refuses"
    SLOW = "line slow"
    STILL = "line stands still"
    STILL_AND_CUT = "line stands still, then is cut"
    CUT = "line cut again and again"


@dataclass(frozen=True, slots=True)
class Round:
    """One outage; times in seconds.

    `kill` is when the agent is killed, from the beginning of the outage; None: it is not. It may lie after
    the outage, when what has gathered is being sent. `agent_away` is how long it stays away then; `choice`
    is which refusal.
    """

    kind: Kind
    lasts: float
    kill: float | None
    agent_away: float
    choice: int
    rest: float
    """What is waited for afterwards; 0 goes on to the next outage at once."""

    def __str__(self) -> str:
        kill = f"agent killed at {self.kill:.2f} s" if self.kill is not None else "agent lives"
        return f"{self.kind}, {self.lasts:.2f} s, {kill}"


def plan(rounds: int, seed: int, kinds_there_are: Sequence[Kind] = tuple(Kind)) -> list[Round]:
    """Every kind comes about as often as any other; three of four rounds kill the agent."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    kinds: list[Kind] = []
    while len(kinds) < rounds:
        kinds += draw.sample(kinds_there_are, len(kinds_there_are))
    made = []
    for kind in kinds[:rounds]:
        lasts = draw.uniform(0.3, 2.5)
        kill = draw.uniform(0, lasts + 2) if kind is Kind.NOTHING or draw.random() < 0.7 else None
        rest = draw.choice((0.0, 0.5))
        made.append(Round(kind, lasts, kill, draw.uniform(0, 1), draw.randrange(len(REFUSALS)), rest))
    return made


@dataclass
class Listener:
    """The receiver in a thread of its own, and what it handed over."""

    payloads: list[bytes] = field(default_factory=list)
    """Of numbered messages, as they were handed over."""
    seqs: list[int] = field(default_factory=list)
    digests: int = 0
    notices: list[Notice] = field(default_factory=list)
    last_seq: int = 0
    """What the gateway said last that it has given."""
    since_ms: int = 0
    """Since when it is connected, as it said with that."""
    failure: BaseException | None = None

    async def _listen(self, broker: Broker, ledger: Path, end: threading.Event) -> None:
        async with Receiver(broker, "fta/v1/+/+/+/#", ledger, RULES).items() as items:
            nothing = asyncio.create_task(asyncio.to_thread(end.wait))
            taking = asyncio.create_task(self._take(items))
            await asyncio.wait([nothing, taking], return_when=asyncio.FIRST_COMPLETED)
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            end.set()
            if not taking.cancelled():
                taking.result()

    async def _take(self, items: AsyncIterator[Item]) -> None:
        async for item in items:
            if isinstance(item, Notice):
                self.notices.append(item)
            elif isinstance(item, Delivery):
                self._note(item.message, item.payload, retained=item.retained)

    def _note(self, message: AnyMessage, payload: bytes, *, retained: bool) -> None:
        if isinstance(message, Status) and message.online and not retained:
            self.last_seq, self.since_ms = message.last_seq, message.since
        elif isinstance(message, Numbered) and not retained:
            assert isinstance(message.seq, int)
            self.payloads.append(payload)
            self.digests += isinstance(message, Digest)
            self.seqs.append(message.seq)

    def is_through(self) -> bool:
        """Whether no number is missing, and no digest waits for its proof."""
        return len(self.seqs) >= max(self.seqs) and self.agreed() >= self.digests

    def agreed(self) -> int:
        return sum(notice.kind == Proof.AGREES for notice in self.notices)

    @contextmanager
    def listening(self, port: int, folder: Path, version: Version) -> Iterator[None]:
        broker = Broker("127.0.0.1", port, "platform", "platform", version=version)
        end = threading.Event()

        def run() -> None:
            try:
                asyncio.run(self._listen(broker, folder / "ledger.db", end))
            except BaseException as error:
                self.failure = error

        thread = threading.Thread(target=run, name="receiver")
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join(20)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    rounds: int
    messages: int
    compared: int
    """Readings compared with the simulator's log."""
    asked: int
    """Holes that the receiver asked for."""
    kills: int
    days: int
    """Digests that what the receiver had agreed with."""
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.rounds} rounds, {self.kills} kills of the agent, {self.messages} messages each exactly "
            f"once, {self.compared} readings as the machines showed them, {self.asked} holes asked for, "
            f"{self.days} digests agree, {self.seconds:.0f} s"
        )


class Scene:
    def __init__(
        self, folder: Path, broker: Mosquitto, line: Line, agent: AgentProcess, listener: Listener
    ) -> None:
        self._acl = folder / "acl"
        self.broker, self.line, self.agent, self.listener = broker, line, agent, listener
        self.ends: list[int] = []
        """Exit statuses of the agents that were killed."""

    def play(self, one: Round) -> None:
        killer = threading.Thread(target=self._kill, args=(one,))
        killer.start()
        try:
            self._outage(one)
        finally:
            killer.join()
        assert set(self.ends) <= {-signal.SIGKILL}, f"an agent ended by itself:\n{self.agent.log()[-3000:]}"
        time.sleep(one.rest)

    def _kill(self, one: Round) -> None:
        if one.kill is not None:
            time.sleep(one.kill)
            self._end_agent()
            time.sleep(one.agent_away)
            self.agent.start()

    def _end_agent(self) -> None:
        self.ends.append(self.agent.stop(signal.SIGKILL))

    def _outage(self, one: Round) -> None:
        match one.kind:
            case Kind.NOTHING:
                time.sleep(one.lasts)
            case Kind.STOPPED | Kind.KILLED | Kind.EMPTY:
                self.broker.stop(signal.SIGTERM if one.kind is Kind.STOPPED else signal.SIGKILL)
                if one.kind is Kind.EMPTY:
                    self.broker.forget()
                time.sleep(one.lasts)
                self.broker.start()
            case Kind.REFUSES:
                self._rule(REFUSALS[one.choice])
                time.sleep(one.lasts)
                self._rule(ALLOWED)
            case Kind.SLOW | Kind.STILL | Kind.STILL_AND_CUT:
                self.line.bytes_per_second = 3000 if one.kind is Kind.SLOW else 0
                time.sleep(one.lasts)
                if one.kind is Kind.STILL_AND_CUT:
                    self.line.cut()
                self.line.bytes_per_second = None
            case Kind.CUT:
                until = time.monotonic() + one.lasts
                while time.monotonic() < until:
                    self.line.cut()
                    time.sleep(one.lasts / 5)

    def _rule(self, rules: str) -> None:
        self._acl.write_text(rules)
        self.broker.read_again()

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Raises AssertionError if it does not come true in time."""
        deadline = time.monotonic() + RECOVERY_S
        while not condition():
            assert self.listener.failure is None, repr(self.listener.failure)
            assert time.monotonic() < deadline, (
                f"{what}: not within {RECOVERY_S:.0f} s; {len(self.listener.seqs)} messages, newest "
                f"{self.listener.seqs[-1:]}, notices {self.listener.notices[-5:]}\n{self.agent.log()[-3000:]}"
            )
            time.sleep(LOOK_EVERY_S)

    def something_arrives(self) -> None:
        newest = max(self.listener.seqs)
        self.wait(lambda: max(self.listener.seqs) > newest, f"something after {newest}")

    def everything_arrives(self) -> None:
        """Another agent begins, says how far its predecessors had come, and all of that comes."""
        self._end_agent()
        now_ms = CLOCK.now_ms()
        self.agent.start()
        self.wait(lambda: self.listener.since_ms >= now_ms, "the last agent connects")
        last = self.listener.last_seq
        assert last > 0
        self.wait(lambda: len(self.listener.seqs) >= last, f"everything up to {last}")


def run(
    folder: Path,
    rounds: list[Round],
    say: Callable[[str], None],
    version: Version = "5",
    *,
    encrypted: bool = False,
    narrow: bool = False,
) -> Result:
    """`version` 5 is played with mosquitto, 3.1.1 with nats-server; `encrypted`: the journal has a key;
    `narrow`: messages are compressed, and readings travel together.

    Raises AssertionError if a number is missing, comes twice, or a reading is not what was shown.
    """
    began = time.monotonic()
    story = Story(CLOCK.now_ms())
    listener = Listener()
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(receiver_module, "RECONNECT_S", (1, 1)))
        (folder / "acl").write_text(ALLOWED)
        broker = stack.enter_context(
            Mosquitto(folder / "broker", f"acl_file {folder / 'acl'}")
            if version == "5"
            else Nats(folder / "broker")
        )
        line = stack.enter_context(Line(broker.port))
        ports = replace(demo_ports(), broker=line.port)
        configuration = configure(folder / "demo", ports, version, narrow=narrow)
        key_file = give_key(configuration) if encrypted else None
        plant = workshop(ports, story.seed, story.since_ms)
        plant.start()
        stack.callback(plant.end)
        stack.enter_context(listener.listening(broker.port, folder, version))
        agent = stack.enter_context(AgentProcess(configuration, folder, module="tests.field.hasty_agent"))
        scene = Scene(folder, broker, line, agent, listener)
        scene.wait(lambda: len(listener.seqs) > 20, "the first messages")
        for index, one in enumerate(rounds, 1):
            say(f"{index}/{len(rounds)} {one}; {len(listener.seqs)} messages so far")
            scene.play(one)
            if one.rest:
                scene.something_arrives()
        scene.everything_arrives()
        agent.stop(signal.SIGTERM)
        # What is urgent has overtaken the last readings, which may still be on their way to the receiver.
        scene.wait(listener.is_through, "what was said last, and all before it")
    compared = check(listener, configuration / "data", story, cipher_of(key_file))
    asked = sum(notice.kind == "gap" for notice in listener.notices)
    elapsed = time.monotonic() - began
    return Result(
        len(rounds), len(listener.seqs), compared, asked, len(scene.ends), listener.agreed(), elapsed
    )


def configure(folder: Path, ports: Ports, version: Version, *, narrow: bool = False) -> Path:
    """The demo, read twice as often."""
    copy_configuration(shipped("demo"), folder, ports)
    file = folder / "agent.yaml"
    options = [f'version: "{version}"', *(["compression: zlib", "gather: 500ms"] if narrow else [])]
    text = file.read_text("utf-8").replace('version: "3.1.1"', "\n    ".join(options), 1)
    file.write_text(text.replace("period: 1s", "period: 500ms"), "utf-8")
    return folder


def give_key(configuration: Path) -> Path:
    """A key for the journal that has not begun yet; returns its file."""
    path = configuration / "journal.key"
    make_key(path)
    with (configuration / "agent.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\njournal: {{key_file: {path.name}}}\n")
    return path


def check(listener: Listener, data: Path, story: Story, cipher: Cipher) -> int:
    """Returns how many readings were compared."""
    wrong = [notice for notice in listener.notices if notice.kind not in {"gap", Proof.AGREES}]
    assert not wrong, wrong
    # What is urgent overtakes a backlog of readings.
    arrived = sorted(zip(listener.seqs, listener.payloads, strict=True))
    seqs = [seq for seq, _ in arrived]
    assert seqs == list(range(1, len(seqs) + 1)), "a number is missing or twice"
    store = Store(data / "journal.db", {"region": frozenset(RecordClass)}, cipher=cipher)
    try:
        kept, gone = store.again("region", 1, seqs[-1])
    finally:
        store.close()
    assert not gone, gone
    for entry, (_, payload) in zip(kept, arrived, strict=True):
        assert entry.payload(attrgetter("body")) == payload
    messages = [decode(payload) for _, payload in arrived]
    told = [(one.day, one.first, one.last) for one in messages if isinstance(one, Digest)]
    agreed = [(n.detail["day"], n.first, n.last) for n in listener.notices if n.kind == Proof.AGREES]
    assert sorted(agreed) == told, "each day is proven, once"
    check_totals(messages)
    return sum(compare(message, story) for message in messages)


@click.command()
@click.option("--rounds", default=200, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for journal and logs.")
@click.option("--mqtt", type=click.Choice(["5", "3.1.1"]), default="5", show_default=True)
@click.option("--encrypted", is_flag=True, help="With an encrypted journal.")
@click.option("--narrow", is_flag=True, help="With messages compressed, and readings together.")
def main(rounds: int, seed: int, keep: Path | None, mqtt: Version, encrypted: bool, narrow: bool) -> None:
    """Play outages, and count what arrived: over mosquitto and MQTT 5, or nats-server and MQTT 3.1.1."""
    # A broker of MQTT 3.1.1 has no way to refuse a message and stay connected.
    kinds = [kind for kind in Kind if mqtt == "5" or kind is not Kind.REFUSES]
    with contextlib.ExitStack() as stack:
        if keep is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        else:
            folder = keep.absolute()
            folder.mkdir(parents=True)
        result = run(folder, plan(rounds, seed, kinds), click.echo, mqtt, encrypted=encrypted, narrow=narrow)
        click.echo(f"seed {seed}: {result}")


if __name__ == "__main__":
    main()
