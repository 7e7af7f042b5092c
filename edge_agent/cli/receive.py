"""`edge-agent receive`: the platform's half, as a command."""

import asyncio
import json
import re
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from edge_agent.contract.messages import Numbered
from edge_agent.contract.receiver import (
    Broker,
    Delivery,
    Item,
    Notice,
    Receiver,
    Rules,
    Version,
    summary,
    tls_context,
)
from edge_agent.signals import stop_on_signal

EXIT_FAILED = 1

_TABLES = """
CREATE TABLE IF NOT EXISTS messages (
    gateway TEXT NOT NULL, seq INTEGER NOT NULL, topic TEXT NOT NULL, schema TEXT NOT NULL,
    message TEXT NOT NULL, PRIMARY KEY (gateway, seq)
);
CREATE TABLE IF NOT EXISTS newest (
    gateway TEXT NOT NULL, topic TEXT NOT NULL, message TEXT NOT NULL, PRIMARY KEY (gateway, topic)
);
CREATE TABLE IF NOT EXISTS notices (
    kind TEXT NOT NULL, gateway TEXT NOT NULL, topic TEXT NOT NULL, first INTEGER, last INTEGER,
    text TEXT NOT NULL, detail TEXT NOT NULL DEFAULT ''
);
"""
_DETAIL = "ALTER TABLE notices ADD COLUMN detail TEXT NOT NULL DEFAULT ''"
"""For a file from before notices had one."""


def _keys(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    keys = {}
    for text in given:
        root, equals, key = text.rpartition("=")
        if not (root and equals and re.fullmatch("[0-9a-f]{64}", key)):
            raise click.BadParameter(f"{text}: expected the root of its topics, =, and 64 digits in hex")
        keys[root] = key
    return keys


@click.command()
@click.option("--host", required=True, help="The broker.")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: 8883 with --tls or --ca, 1883 without.")
@click.option("--topic", default="fta/v1/#", show_default=True, help="What to subscribe to.")
@click.option("--levels", default=5, show_default=True, help="Topic levels of a gateway's root.")
@click.option("--tls", is_flag=True, help="Encrypt, and verify the broker by the system's authorities.")
@click.option(
    "--ca", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Verify it by these."
)
@click.option(
    "--mqtt", type=click.Choice(["5", "3.1.1"]), default="5", show_default=True, help="Version of MQTT."
)
@click.option("--username")
@click.option("--password", envvar="MQTT_PASSWORD", help="Better in the environment: MQTT_PASSWORD.")
@click.option(
    "--client-id", default="", help="A name: the broker then keeps messages for up to 7 days of absence."
)
@click.option(
    "--ledger",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file in which numbers and messages are kept over restarts.",
)
@click.option(
    "--sqlite",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write into this SQLite file, and print nothing.",
)
@click.option("--worker", is_flag=True, help="One of several: no order, and --topic may be $share/GROUP/….")
@click.option("--no-replay", is_flag=True, help="Do not ask gateways for what is missing.")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="ROOT=KEY",
    callback=_keys,
    help="The key that the gateway of these topics signs with, in hex; may be given several times.",
)
@click.option("--count", type=click.IntRange(1), help="End after so many messages.")
def receive(
    host: str,
    port: int | None,
    topic: str,
    levels: int,
    tls: bool,
    ca: Path | None,
    mqtt: Version,
    username: str | None,
    password: str | None,
    client_id: str,
    ledger: Path | None,
    sqlite: Path | None,
    worker: bool,
    no_replay: bool,
    keys: dict[str, str],
    count: int | None,
) -> None:
    """Receive what gateways send: each message once, in order, and what is missing asked for.

    Figures are checked against their signatures; of a gateway without --key, the first key that it signs with
    is trusted, and a change is told.

    Prints one JSON object a line: gateway, topic, message; or notice, for what is not as it should be, and
    for each day of which the gateway's digest shows that everything is here. Ctrl-C ends it.

    \b
      edge-agent receive --host broker.example.cn --tls --username platform
      edge-agent receive --host 127.0.0.1 --client-id p1 --ledger p1.db --sqlite messages.db

    Exit status: 0 ended, 1 the broker refuses, or a file cannot be used.
    """
    encrypted = tls or ca is not None
    try:
        context = tls_context(ca) if encrypted else None
        port = port or (8883 if encrypted else 1883)
        address = Broker(host, port, client_id, username, password, context, mqtt)
        rules = Rules(levels=levels, in_order=not worker, replay=not no_replay, keys=keys)
        receiver = Receiver(address, topic, ledger, rules)
        write = _to_sqlite(sqlite) if sqlite is not None else _print
        asyncio.run(_receive(receiver, write, count))
    except (OSError, sqlite3.Error) as error:
        click.echo(f"无法接收 cannot receive: {error}", err=True)
        sys.exit(EXIT_FAILED)


async def _receive(receiver: Receiver, write: Callable[[Item], None], count: int | None) -> None:
    stop = asyncio.create_task(stop_on_signal().wait())
    async with receiver.items() as items:
        left = count
        while left != 0:
            coming = asyncio.ensure_future(anext(items))
            await asyncio.wait((coming, stop), return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)
                return
            write(coming.result())
            if left is not None and isinstance(coming.result(), Delivery):
                left -= 1
        stop.cancel()


def _print(item: Item) -> None:
    click.echo(msgspec.json.encode(summary(item)).decode())


def _to_sqlite(path: Path) -> Callable[[Item], None]:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(_TABLES)
    if not any(row[1] == "detail" for row in db.execute("PRAGMA table_info(notices)")):
        db.execute(_DETAIL)

    def write(item: Item) -> None:
        if isinstance(item, Notice):
            detail = msgspec.json.encode(item.detail).decode() if item.detail else ""
            notice = (item.kind, item.gateway, item.topic, item.first, item.last, item.text, detail)
            db.execute("INSERT INTO notices VALUES (?, ?, ?, ?, ?, ?, ?)", notice)
            return
        text = item.payload.decode()
        if isinstance(item.message, Numbered) and not item.retained:
            schema = json.loads(text)["schema"]
            # What was handed over just before a kill comes once more; it is the same.
            row = (item.gateway, item.message.seq, item.topic, schema, text)
            db.execute("INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?, ?)", row)
        else:
            db.execute("INSERT OR REPLACE INTO newest VALUES (?, ?, ?)", (item.gateway, item.topic, text))

    return write
