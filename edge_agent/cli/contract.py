"""`edge-agent contract`: the wire contract with the region, for who receives."""

import json
import sys
from pathlib import Path

import click
import msgspec

from edge_agent.contract.messages import Numbered, decode
from edge_agent.contract.specification import asyncapi, json_schemas

EXIT_INVALID = 1


@click.group()
def contract() -> None:
    """What the agent sends to the region: its documents, and a check of messages."""


@contract.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def export(folder: Path) -> None:
    """Write the contract into FOLDER: asyncapi.json, and a JSON Schema for each kind of message.

    Files of these names are overwritten.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")
        click.echo(f"written 已写入: {folder / name}")


def documents() -> dict[str, str]:
    """What `export` writes, by file name."""
    found = {f"{name.replace('/', '-')}.schema.json": schema for name, schema in json_schemas().items()}
    found["asyncapi.json"] = asyncapi()
    return {name: json.dumps(one, ensure_ascii=False, indent=2) + "\n" for name, one in found.items()}


@contract.command()
def validate() -> None:
    """Check messages on standard input: one JSON object, or one a line.

    \b
      edge-agent contract validate < message.json
      mosquitto_sub -h … -t 'fta/v1/#' | edge-agent contract validate

    Exit status: 0 all are messages of the contract, 1 one is not.
    """
    content = sys.stdin.buffer.read()
    try:
        msgspec.json.decode(content)
        messages = [content]  # one object, which may have line breaks in it
    except msgspec.DecodeError:
        messages = [line for line in content.splitlines() if line.strip()]
    problems = [_problem(message) for message in messages]
    for number, (message, problem) in enumerate(zip(messages, problems, strict=True), start=1):
        click.echo(f"{number}: {f'不符合 not a message: {problem}' if problem else _what(message)}")
    if any(problems):
        sys.exit(EXIT_INVALID)


def _problem(content: bytes) -> str:
    """What is wrong with it; empty if nothing is."""
    try:
        message = decode(content)
    except msgspec.MsgspecError as error:
        return str(error)
    return "it has no seq" if isinstance(message, Numbered) and not isinstance(message.seq, int) else ""


def _what(content: bytes) -> str:
    message = decode(content)
    number = f", seq {message.seq}" if isinstance(message, Numbered) else ""
    return f"{message.__struct_config__.tag}{number}"
