"""A platform's subscriber: prints the rates of every gateway as they come, and what is missing.

    python examples/subscriber.py broker.example.cn

It needs no drivers: `edge_agent.contract` takes care of numbers, repeats, gaps and their replay.
"""

import asyncio
import contextlib
import sys

from edge_agent.contract.messages import Statements
from edge_agent.contract.receiver import Broker, Notice, Receiver


def print_rates(gateway: str, statements: Statements) -> None:
    for figure in statements.figures:
        rate = "-" if figure.rate is None else f"{figure.rate:.1%}"
        counts = f"{figure.numerator}/{figure.denominator}"
        print(gateway, statements.definition.id, figure.scope.id, counts, rate, flush=True)


async def main(host: str, port: int) -> None:
    async with Receiver(Broker(host, port), "fta/v1/#").items() as items:
        async for item in items:
            if isinstance(item, Notice):
                print(item.gateway, item.kind, item.first, item.last, item.text, flush=True)
            elif isinstance(item.message, Statements):
                print_rates(item.gateway, item.message)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1883))
