from __future__ import annotations

import asyncio

import pytest

from segue.router.deadlines import Watch
from segue.router.errors import BrokenStream


async def answer_late_and_stand_still(watch: Watch) -> None:
    late = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, late.set)
    async with asyncio.timeout(30):
        with watch:
            await late.wait()
            watch.token()
            await asyncio.Event().wait()


async def test_an_answer_that_stands_still_is_ended_although_it_may_wait_longer_for_its_first_token() -> None:
    watch = Watch("local", first_token_s=600, idle_s=0.01, deadline=None)

    with pytest.raises(BrokenStream, match="stood still"):
        await answer_late_and_stand_still(watch)
