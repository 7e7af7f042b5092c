"""`edge-agent schema`: the JSON Schema of the configuration."""

import json

import click

from edge_agent.config.models import configuration_schema


@click.command()
def schema() -> None:
    """Print the JSON Schema (2020-12) of the configuration, with all installed drivers.

    Editors use it to complete and check while one types.
    """
    click.echo(json.dumps(configuration_schema(), ensure_ascii=False, indent=2))
