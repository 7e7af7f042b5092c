"""`edge-agent receive`, as a process over a real mosquitto."""

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import to_builtins

from edge_agent.contract.digests import counted, hash_of
from edge_agent.contract.messages import Digest, encode, number
from tests.contract.test_receiver import ROOT, Gateway, event, status
from tests.field.mosquitto import Mosquitto

COMMAND = [sys.executable, "-m", "edge_agent", "receive", "--host", "127.0.0.1"]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_it_prints_each_message_once(tmp_path: Path, version: str) -> None:
    with Mosquitto(tmp_path / "broker") as broker:
        played = Gateway(broker.port)
        played.send(status(), "status", retain=True)
        played.kept = {2: event(2)}
        command = [*COMMAND, "--port", str(broker.port), "--mqtt", version, "--count", "4"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert (first["topic"], first["retained"]) == ("status", True)
        for seq in (1, 1, 3):
            played.send(event(seq))
        with process.stdout:
            lines = [json.loads(line) for line in process.stdout]
        assert process.wait(20) == 0
        played.close()
    assert [line["message"]["seq"] for line in lines if "message" in line] == [1, 2, 3]
    assert [(x["notice"], x["first"], x["last"]) for x in lines if "notice" in x] == [("gap", 2, 2)]


def test_it_writes_a_database(tmp_path: Path) -> None:
    target = tmp_path / "messages.db"
    with closing(sqlite3.connect(target)) as db:  # of a version whose notices had no detail
        db.execute("CREATE TABLE notices (kind TEXT, gateway TEXT, topic TEXT, first, last, text TEXT)")
    with Mosquitto(tmp_path / "broker") as broker:
        played = Gateway(broker.port)
        played.send(status(), "status", retain=True)
        played.send(event(1), "state/A", retain=True)
        command = [*COMMAND, "--port", str(broker.port), "--sqlite", str(target)]
        process = subprocess.Popen(command)
        until_there(process, target, "SELECT 1 FROM (SELECT count(*) AS n FROM newest) WHERE n = 2")
        played.events([5, 6])
        counts = counted("events", 5, 6, [hash_of(event(5)), hash_of(b"another")])
        digest = Digest(time=0, day="2026-11-27", timezone="UTC", first=5, last=6, classes=[counts])
        played.send(number(encode(digest), 7), "digest")
        until_there(process, target, "SELECT 1 FROM notices")
        process.terminate()
        assert process.wait(20) == 0
        played.close()
    assert rows(target, "SELECT gateway, seq, topic, schema FROM messages ORDER BY seq") == [
        (ROOT, 5, "event", "fta.event/1"),
        (ROOT, 6, "event", "fta.event/1"),
        (ROOT, 7, "digest", "fta.digest/1"),
    ]
    ((message,),) = rows(target, "SELECT message FROM messages WHERE seq = 5")
    assert message == event(5).decode(), "word for word"
    ((kind, first, last, detail),) = rows(target, "SELECT kind, first, last, detail FROM notices")
    assert (kind, first, last) == ("digest_differs", 5, 6)
    found = json.loads(str(detail))
    assert (found["class"], found["expected"], found["found"]["count"]) == ("events", to_builtins(counts), 2)


def until_there(process: subprocess.Popen[bytes], path: Path, query: str) -> None:
    """Wait until `query` finds something in what the process writes."""
    deadline = time.monotonic() + 30
    while not rows(path, query):
        assert process.poll() is None, "it ended"
        assert time.monotonic() < deadline, query
        time.sleep(0.1)


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    db = sqlite3.connect(path)
    try:
        return db.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []  # not made yet
    finally:
        db.close()


def test_a_broker_that_refuses_is_told(tmp_path: Path) -> None:
    with Mosquitto(tmp_path / "broker", "allow_anonymous false") as broker:
        done = subprocess.run(
            [*COMMAND, "--port", str(broker.port)], capture_output=True, text=True, timeout=30
        )
    assert done.returncode == 1
    assert "the broker refuses the connection" in done.stderr
