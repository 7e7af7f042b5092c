"""A part that ends without being told to is a failure; one that was told to is none."""

import asyncio

import pytest

from edge_agent.parts import Parts


async def for_ever() -> None:
    await asyncio.Event().wait()


async def fault() -> None:
    raise OSError("the disk is gone")


async def nothing() -> None:
    pass


def test_what_ends_a_part_is_raised() -> None:
    async def main() -> None:
        parts = Parts()
        parts.begin("a", for_ever())
        parts.begin("b", fault())
        try:
            async with asyncio.timeout(5):
                await parts.failed()
        finally:
            await parts.end_all()

    with pytest.raises(OSError, match="the disk is gone"):
        asyncio.run(main())


def test_a_part_that_just_ends_is_named() -> None:
    async def main() -> None:
        parts = Parts()
        parts.begin("b", nothing())
        async with asyncio.timeout(5):
            await parts.failed()

    with pytest.raises(RuntimeError, match="b ended"):
        asyncio.run(main())


def test_what_is_told_to_end_may_begin_again() -> None:
    async def main() -> None:
        parts = Parts()
        parts.begin("a", for_ever())
        await parts.end(["a", "never there"])
        parts.begin("a", for_ever())
        failed = asyncio.create_task(parts.failed())
        await parts.end_all()
        await asyncio.sleep(0)
        assert not failed.done()
        failed.cancel()

    asyncio.run(main())
