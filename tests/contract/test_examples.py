"""The two subscribers of `examples/`, as processes, on what a gateway sends."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.contract.compression import packed
from edge_agent.contract.messages import bundle, decode, encode
from tests.contract.test_receiver import ROOT, Gateway, event, reading
from tests.field.mosquitto import Mosquitto
from tests.house.test_docs import examples
from tests.npm import NODE, npm_package

EXAMPLES = Path(__file__).parents[2] / "examples"


def javascript(port: int, folder: Path) -> list[str]:
    shutil.copy(EXAMPLES / "subscriber.js", folder)
    (folder / "node_modules").symlink_to(npm_package("mqtt", "5.14.1") / "node_modules")
    return [str(NODE), str(folder / "subscriber.js"), f"mqtt://127.0.0.1:{port}"]


def python(port: int, folder: Path) -> list[str]:
    return [sys.executable, str(EXAMPLES / "subscriber.py"), "127.0.0.1", str(port)]


@pytest.mark.parametrize("command", [python, javascript], ids=lambda one: one.__name__)
def test_rates_once_and_a_gap_filled(tmp_path: Path, command: object) -> None:
    assert callable(command)
    statement = json.loads(examples()["indicator"])

    def indicator(seq: int) -> bytes:
        return encode(decode(json.dumps({**statement, "seq": seq}).encode()))

    (tmp_path / "subscriber").mkdir()
    with Mosquitto(tmp_path / "broker") as broker:
        played = Gateway(broker.port)
        topic = f"indicator/{statement['definition']['id']}"
        played.send(indicator(1), topic, retain=True)
        arguments = command(broker.port, tmp_path / "subscriber")
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                figure = statement["figures"][0]
                rate = f"{figure['rate']:.1%}"
                counts = f"{figure['numerator']}/{figure['denominator']}"
                wanted = f"{ROOT} {statement['definition']['id']} {figure['scope']['id']} {counts} {rate}\n"
                assert process.stdout.readline() == wanted, "the retained one"
                for _ in statement["figures"][1:]:
                    process.stdout.readline()
                played.kept = {6: event(6)}
                for seq in (5, 5):
                    played.send(indicator(seq), topic)
                played.events([7])
                for _ in statement["figures"]:
                    line = process.stdout.readline()
                    assert "gap" not in line, line
                assert process.stdout.readline().split() == [ROOT, "gap", "6", "6"], "5 came once"
                (request,) = played.asked()
                assert (request.first, request.last) == (6, 6)
                # From a narrow line: 8 to 10 in one message, compressed.
                played.send(packed(bundle([reading(seq) for seq in (8, 9, 10)])), "telemetry")
                played.send(packed(indicator(11)), topic)
                assert process.stdout.readline() == wanted
                assert len(played.requests) == 1, "once for each gap"
            finally:
                process.terminate()
                played.close()
