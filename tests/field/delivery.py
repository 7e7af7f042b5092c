"""A journal and one uplink over it, which delivers while something is done."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from edge_agent.journal.journal import Journal
from edge_agent.uplinks.uplink import Uplink

U = TypeVar("U", bound=Uplink)


class Delivery(Generic[U]):
    journal: Journal
    uplink: U

    async def until(self, condition: Callable[[], bool], limit: float = 20.0) -> None:
        async with asyncio.timeout(limit):
            while not condition():
                await asyncio.sleep(0.01)

    def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            self.journal.start()
            task = asyncio.create_task(self.uplink.run())
            try:
                await work()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await self.journal.close()

        asyncio.run(main())
