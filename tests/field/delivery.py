"""A journal and one uplink over it, which delivers while something is done."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from edge_agent.journal.journal import Journal
from edge_agent.uplinks.uplink import Uplink

U = TypeVar("U", bound=Uplink)
Work = Callable[[], Coroutine[Any, Any, None]]


class Delivery(Generic[U]):
    journal: Journal
    uplink: U

    async def until(self, condition: Callable[[], bool], limit: float = 40.0) -> None:
        async with asyncio.timeout(limit):
            while not condition():
                await asyncio.sleep(0.01)

    def run(self, work: Work, first: Work | None = None) -> None:
        """`first` is done before the uplink begins."""

        async def main() -> None:
            self.journal.start()
            if first is not None:
                await first()
            task = asyncio.create_task(self.uplink.run())
            try:
                await work()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await self.journal.close()

        asyncio.run(main())
        gc.collect()  # what paho leaves to it is warned of here, and not in another test
