"""What the agent writes, read by two libraries that others wrote: sparkplug-payload (npm) and pysparkplug."""

import base64
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge_agent.model.batch import Value
from edge_agent.model.link import LinkLevel
from edge_agent.uplinks.sparkplug.node import Node
from edge_agent.uplinks.sparkplug.payloads import death
from edge_agent.uplinks.sparkplug.plant import Plant
from edge_agent.uplinks.sparkplug.schema import Payload
from edge_agent.uplinks.sparkplug.session import Session
from edge_agent.uplinks.sparkplug.told import told_by
from edge_agent.uplinks.sparkplug.topics import SparkplugTopics
from tests.npm import NODE, npm_package
from tests.uplinks.sparkplug.lives import SAID_AT, batch, figures, state

HERE = Path(__file__).parent
PYSPARKPLUG = ("pysparkplug==0.6.1", "paho-mqtt==1.6.1")
INSTALL_LIMIT_S = 300.0

SCALARS: dict[str, Value] = {
    "whole": -42,
    "small": -(1 << 63),
    "large": (1 << 64) - 1,
    "real": 0.1,
    "yes": True,
    "no": False,
    "text": "主轴 spindle",
    "empty": "",
    "unheard": None,
}
ARRAYS: dict[str, Value] = {
    "wholes": [1, -2, 3],
    "reals": [0.5, -1.25],
    "bits": [True, False, True, True, False, False, False, True, True],
    "texts": ["甲", "b", ""],
}
LATER: dict[str, Value] = {"whole": 43, "real": -0.5, "yes": False, "text": "Ω", "wholes": [9]}
TYPES = {
    "whole": "Int64", "small": "Int64", "large": "UInt64", "real": "Double", "yes": "Boolean",
    "no": "Boolean", "text": "String", "empty": "String", "unheard": "Double",
}  # fmt: skip


@dataclass
class Sent:
    verb: str
    content: bytes


@pytest.fixture(scope="module")
def sent() -> list[Sent]:
    """All kinds of messages that there are."""
    found: list[Sent] = []
    values = {**SCALARS, **ARRAYS}
    node = Node(Plant({"version": "1"}, {"M": dict.fromkeys(values, "Cel")}, ["indicators/a/b/enterprise"]))
    session = Session(
        node,
        SparkplugTopics("G", "N"),
        255,
        lambda topic, content: found.append(Sent(topic.split("/")[2], content)),
    )
    for record in (batch("M", values), state("M", LinkLevel.LIVE)):
        told = told_by(record)
        assert told is not None
        node.take(told)
    session.begin()
    for record in (
        batch("M", LATER, SAID_AT + 1000),
        figures(3, 4, "a/b"),
        state("M", LinkLevel.REGISTERED, at=SAID_AT + 2000),
    ):
        told = told_by(record)
        assert told is not None
        session.news(told)
    told = told_by(batch("M", {"whole": 1}, SAID_AT - 1000))
    assert told is not None
    session.history(told)
    found.append(Sent("NDEATH", death(255, SAID_AT)))
    assert [one.verb for one in found] == [
        "NBIRTH", "DBIRTH", "DDATA", "NDATA", "DDATA", "DDEATH", "DBIRTH", "DDATA", "NDEATH",
    ]  # fmt: skip
    return found


def lines(command: list[str], given: list[str], **environment: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        command,
        input="\n".join(given) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def by_name(message: dict[str, Any]) -> dict[str, Any]:
    return {metric["name"]: metric for metric in message["metrics"]}


class TestNpm:
    """The library of the Sparkplug project's own reference clients. Numbers of 64 bits come as text."""

    @pytest.fixture
    def read(self, sent: list[Sent]) -> list[dict[str, Any]]:
        package = npm_package("sparkplug-payload", "1.0.3")
        given = [base64_of(self.with_datatypes(one.content, sent)) for one in sent]
        return lines([str(NODE), str(HERE / "decode.cjs")], given, NODE_PATH=str(package / "node_modules"))

    def with_datatypes(self, content: bytes, sent: list[Sent]) -> bytes:
        """This library reads no value without a datatype, which data leave out: it is put in from the births,
        as a host does. A birth stays as it is."""
        types = {
            metric.alias: metric.datatype
            for one in sent
            if one.verb.endswith("BIRTH")
            for metric in Payload.FromString(one.content).metrics
            if metric.HasField("alias")
        }
        payload = Payload.FromString(content)
        if all(metric.HasField("datatype") for metric in payload.metrics):
            return content
        for metric in payload.metrics:
            metric.datatype = types[metric.alias]
        return bytes(payload.SerializeToString())

    def test_births(self, read: list[dict[str, Any]]) -> None:
        node, device = by_name(read[0]), by_name(read[1])
        assert (node["bdSeq"]["type"], str(node["bdSeq"]["value"])) == ("Int64", "255")
        assert node["Node Control/Rebirth"]["value"] is False
        assert (int(read[0]["seq"]), int(read[1]["seq"])) == (0, 1)
        for name, value in SCALARS.items():
            metric = device[f"tags/{name}"]
            assert metric["type"] == TYPES[name]
            if isinstance(value, int) and not isinstance(value, bool):
                assert int(metric["value"]) == value, name
            else:
                assert metric["value"] == value, name
            assert metric["properties"]["engUnit"] == {"type": "String", "value": "Cel"}
        assert int(device["state_since"]["value"]) == SAID_AT

    def test_data(self, read: list[dict[str, Any]]) -> None:
        names = {metric["alias"]: metric["name"] for metric in read[1]["metrics"]}
        told = {names[one["alias"]]: one for one in read[2]["metrics"]}
        assert "name" not in read[2]["metrics"][0]
        assert int(told["tags/whole"]["value"]) == 43
        assert told["tags/real"]["value"] == -0.5
        assert told["tags/yes"]["value"] is False
        assert told["tags/text"]["value"] == "Ω"
        assert {int(one["timestamp"]) for one in told.values()} == {SAID_AT + 1000}
        (old,) = read[7]["metrics"]
        assert old["isHistorical"] is True

    def test_deaths(self, read: list[dict[str, Any]]) -> None:
        assert "metrics" not in read[5] or read[5]["metrics"] == []
        assert int(read[5]["seq"]) == 5
        (only,) = read[8]["metrics"]
        assert (only["name"], str(only["value"])) == ("bdSeq", "255")
        assert "seq" not in read[8]


def pysparkplug() -> Path:
    """The library with what it needs, which is older than what the agent has, in a folder of its own."""
    folder = Path(__file__).parents[3] / ".tools" / "python" / PYSPARKPLUG[0]
    if (folder / "pysparkplug").is_dir():
        return folder
    half = folder.with_name(f"{folder.name}.{os.getpid()}")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(half), *PYSPARKPLUG]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S)
    if done.returncode:
        shutil.rmtree(half, ignore_errors=True)
        pytest.skip(f"pip could not install {' '.join(PYSPARKPLUG)}: {done.stderr}")
    half.rename(folder)
    return folder


class TestPysparkplug:
    """It knows arrays, and takes names and datatypes of data from the births by itself."""

    @pytest.fixture
    def read(self, sent: list[Sent]) -> list[dict[str, Any]]:
        given = [f"{one.verb} {base64_of(one.content)}" for one in sent]
        # Without the packages of this environment, so that only its own are found.
        command = [sys.executable, "-S", str(HERE / "decode.py")]
        return lines(command, given, PYTHONPATH=str(pysparkplug()))

    def test_births(self, read: list[dict[str, Any]]) -> None:
        assert by_name(read[0])["bdSeq"]["value"] == 255
        device = by_name(read[1])
        for name, value in {**SCALARS, **ARRAYS}.items():
            metric = device[f"tags/{name}"]
            assert metric["value"] == value, name
            assert metric["null"] == (value is None)
            if name in TYPES:
                assert metric["type"] == TYPES[name].upper()

    def test_data(self, read: list[dict[str, Any]]) -> None:
        device, node = by_name(read[2]), by_name(read[3])
        assert {name: one["value"] for name, one in device.items()} == {
            f"tags/{name}": value for name, value in LATER.items()
        }
        assert {name.rpartition("/")[2]: one["value"] for name, one in node.items()} == {
            "numerator": 3, "denominator": 4, "rate": 0.75, "unknown": 0, "reason": "",
        }  # fmt: skip
        assert not any(one["historical"] for one in (*device.values(), *node.values()))
        (old,) = read[7]["metrics"]
        assert (old["name"], old["value"], old["historical"]) == ("tags/whole", 1, True)

    def test_numbers(self, read: list[dict[str, Any]]) -> None:
        assert [one["seq"] for one in read[:8]] == list(range(8))
