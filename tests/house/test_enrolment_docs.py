"""The page about enrolment is what the code sends and takes."""

import json
import re

import click
import msgspec
import pytest
from jsonschema import Draft202012Validator

from edge_agent.cli.main import main
from edge_agent.contract.enrolment import SIZE_LIMIT, check_request, read_response
from edge_agent.contract.messages import EnrolmentRequest, EnrolmentResponse
from edge_agent.contract.specification import json_schemas
from tests.house.documents import ROOT, blocks, text_of

PAGE = ROOT / "docs" / "enrolment.md"


def test_the_examples_are_messages_and_the_digits_are_theirs() -> None:
    request, response = blocks(PAGE, "json")
    checked = check_request(request.encode())
    assert text_of(PAGE).count(checked.fingerprint) >= 3
    assert str(checked.gateway) in text_of(PAGE)
    assert checked.message.key in text_of(PAGE).partition("## The messages")[0]
    assert read_response(response.encode()).id == checked.message.id
    for text in (request, response):
        example = json.loads(text)
        assert list(Draft202012Validator(json_schemas()[example["schema"]]).iter_errors(example)) == []
    assert f"{SIZE_LIMIT:,} bytes" in text_of(PAGE)


@pytest.mark.parametrize("kind", [EnrolmentRequest, EnrolmentResponse])
def test_every_field_is_explained(kind: type[msgspec.Struct]) -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", text_of(PAGE).partition("## The messages")[2], re.M))
    assert {field.encode_name for field in msgspec.structs.fields(kind)} <= listed


def test_every_command_exists() -> None:
    seen = set()
    for block in re.findall(r"```console\n(.*?)```", text_of(PAGE), re.S):
        for line in re.findall(r"^\s*\$ edge-agent (.*)$", block, re.M):
            first, second, *words = line.split()
            group = main.get_command(click.Context(main), first)
            assert isinstance(group, click.Group)
            command = group.get_command(click.Context(group), second)
            assert command is not None, line
            options = {option for parameter in command.params for option in parameter.opts}
            assert {word for word in words if word.startswith("--")} <= options, line
            seen.add(second)
    assert seen == {"mqtt", "request", "install"}
