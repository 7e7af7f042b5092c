"""The tasks of which a running agent consists: none of them may end unless it is told to."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


class Parts:
    """Running tasks by name. All methods are called from one event loop."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._error: BaseException | None = None
        self._failed = asyncio.Event()

    def begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` as the part `name`, which is not there yet."""
        task = asyncio.create_task(work, name=name)
        self._tasks[name] = task
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        if self._tasks.get(task.get_name()) is not task:
            return  # it was told to end
        error = None if task.cancelled() else task.exception()
        self._error = self._error or error or RuntimeError(f"{task.get_name()} ended")
        self._failed.set()

    async def end(self, names: Iterable[str]) -> None:
        """Cancel these parts, as far as they run, and wait until they have ended."""
        tasks = [self._tasks.pop(name) for name in list(names) if name in self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def end_all(self) -> None:
        await self.end(self._tasks)

    async def failed(self) -> None:
        """Wait until a part ends that was not told to; raises what ended it."""
        await self._failed.wait()
        if self._error is not None:
            raise self._error
