from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.router.test_router import HI, Says

from segue.router import EndpointFailed, GenerationRequest, Reply, RouterCore, RouteSettings
from segue.router.shadows import Shadowed


class Same(Says):
    """Says the same as any other of these."""

    async def generate(self, request: GenerationRequest, **more: Any) -> Reply:
        await super().generate(request, **more)
        return Reply(message={"role": "assistant", "content": "the same"})


def core(shown: Says, shadow: Says, share: float = 1.0) -> RouterCore:
    routes = {
        "default": RouteSettings(deployments=(shown.name,), shadow={"route": "new", "share": share}),
        "new": RouteSettings(deployments=(shadow.name,), shadow={"route": "new", "share": 1.0}),
    }
    return RouterCore(deployments={each.name: each for each in (shown, shadow)}, routes=routes)


async def settled(found: RouterCore) -> None:
    await asyncio.gather(*found.shadows._tasks)


async def test_a_shadow_is_asked_the_same_and_its_answer_only_compared() -> None:
    found, seen, pieces = core(Same("old"), Same("new")), list[Shadowed](), list[Any]()

    answer = await found.generate(HI, on_delta=pieces.append, on_shadow=seen.append)
    before = len(pieces)
    await settled(found)

    assert answer.deployment == "old"
    assert len(pieces) == before
    (one,) = seen
    assert one.generation is not None
    assert (one.route, one.generation.deployment, one.same_text, one.same_calls) == ("new", "new", True, True)


async def test_another_answer_is_seen_to_differ() -> None:
    found, seen = core(Says("old"), Says("new")), list[Shadowed]()

    await found.generate(HI, on_shadow=seen.append)
    await settled(found)

    assert [each.same_text for each in seen] == [False]


async def test_a_shadow_that_fails_harms_nobody_and_one_has_no_shadow_itself() -> None:
    shadow = Says("new", *[EndpointFailed("new", "failed (500)")] * 9)
    found, seen = core(Says("old"), shadow), list[Shadowed]()

    answer = await found.generate(HI, on_shadow=seen.append)
    await settled(found)

    assert answer.deployment == "old"
    assert seen[0].generation is None
    assert "failed (500)" in seen[0].error
    assert found.shadows.tried == 1


async def test_only_a_share_is_tried_and_no_more_at_once_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("segue.router.shadows.MOST", 4)
    none, some = core(Says("old"), Says("new"), share=0.0), core(Says("old"), Says("new"))

    for _ in range(5):
        await none.generate(HI)
    await asyncio.gather(*(some.generate(HI) for _ in range(50)))
    await some.aclose()

    assert none.shadows.tried == 0
    assert some.shadows.tried + some.shadows.left_out == 50
    assert not some.shadows._tasks
