"""A small MQTT broker for the demo: `python -m edge_agent.simulator.broker --port N`.

It speaks MQTT 3.1.1 only and keeps nothing for a client that is away, so it is of no use outside a demo.
"""

import asyncio
import logging

import click
from amqtt.broker import Broker  # type: ignore[import-untyped]  # amqtt comes without types
from amqtt.contexts import BrokerConfig, ListenerConfig  # type: ignore[import-untyped]
from amqtt.errors import BrokerError  # type: ignore[import-untyped]

from edge_agent.signals import stop_on_signal
from edge_agent.simulator.fleet import DEFAULT_BROKER_PORT

_PLUGINS = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
"""The whole list: without the plugins that log every packet and fill the $SYS topics."""


async def serve(port: int) -> None:
    """Serve on the loopback until SIGINT or SIGTERM. Raises BrokerError if the port is taken."""
    stop = stop_on_signal()
    listener = ListenerConfig(bind=f"127.0.0.1:{port}")
    broker = Broker(BrokerConfig(listeners={"default": listener}, plugins=dict(_PLUGINS)))
    await broker.start()
    click.echo(f"ready: mqtt 127.0.0.1:{port}")
    await stop.wait()
    await broker.shutdown()


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=DEFAULT_BROKER_PORT, show_default=True)
def main(port: int) -> None:
    """Run an MQTT 3.1.1 broker on the loopback, for the demo. Anybody on this machine may connect."""
    # What it says of clients that come, go and break off is of no interest in a demo.
    logging.basicConfig(level=logging.CRITICAL)
    try:
        asyncio.run(serve(port))
    except BrokerError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
