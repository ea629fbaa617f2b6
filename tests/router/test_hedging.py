"""A second deployment is asked when the first token is late, within a share; one answer comes of it."""

from __future__ import annotations

import asyncio

import pytest

from segue.base.messages import user
from segue.base.usage import Usage
from segue.router import (
    BrokenStream,
    Delta,
    Deployment,
    GenerationRequest,
    NoDeploymentLeft,
    OnDelta,
    Reply,
    RouterCore,
    RouteSettings,
    TextDelta,
)
from segue.router import racing as racing_module

HI = GenerationRequest(messages=[user("hi")])


class Slow(Deployment):
    """Gives its first token after a while, and its second after another one."""

    streams = True

    def __init__(self, name: str, first_s: float, *, then_s: float = 0.0, fails: bool = False) -> None:
        self.name = name
        self.first_s, self.then_s, self.fails = first_s, then_s, fails
        self.asked = self.given_up = 0

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        self.asked += 1
        try:
            await asyncio.sleep(self.first_s)
            if self.fails:
                raise BrokenStream(self.name, "broke off in mid answer")
            assert on_delta is not None
            on_delta(TextDelta(f"{self.name} "))
            await asyncio.sleep(self.then_s)
            on_delta(TextDelta("says"))
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return Reply(message={"role": "assistant", "content": f"{self.name} says"}, usage=Usage(output_tokens=2))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(racing_module, "HEDGE_LEAST_S", 0.05)


def core(*held: Slow, hedge: float = 0.5) -> RouterCore:
    names = tuple(each.name for each in held)
    route = RouteSettings(deployments=names, policy="first", hedge=hedge)
    found = RouterCore(deployments={each.name: each for each in held}, routes={"default": route})
    found._standing.hedges.requests = 100
    return found


async def test_the_second_one_answers_when_the_first_is_late_and_the_first_is_given_up() -> None:
    late, quick = Slow("late", 5), Slow("quick", 0)
    shown: list[Delta] = []

    found = await core(late, quick).generate(HI, on_delta=shown.append)

    assert found.message["content"] == "quick says"
    assert shown == [TextDelta("quick "), TextDelta("says")]
    assert (late.asked, late.given_up, quick.given_up) == (1, 1, 0)


async def test_one_that_begins_in_time_is_not_hedged() -> None:
    first, second = Slow("first", 0, then_s=0.2), Slow("second", 0)

    found = await core(first, second).generate(HI)

    assert found.deployment == "first"
    assert second.asked == 0


async def test_the_first_may_win_after_all_and_only_its_pieces_are_shown() -> None:
    first, second = Slow("first", 0.15, then_s=0.3), Slow("second", 0.2)
    shown: list[Delta] = []

    found = await core(first, second).generate(HI, on_delta=shown.append)

    assert found.deployment == "first"
    assert shown == [TextDelta("first "), TextDelta("says")]
    assert second.given_up == 1


async def test_no_more_are_hedged_than_the_share_allows() -> None:
    late, quick = Slow("late", 0.2), Slow("quick", 0)
    held = core(late, quick, hedge=0.01)

    await held.generate(HI)
    await held.generate(HI)
    await held.generate(HI)

    assert held._standing.hedges.made == 2
    assert late.given_up == 2


async def test_one_of_the_two_may_fail() -> None:
    for first, second in ((Slow("a", 0.2, fails=True), Slow("b", 0.3)), (Slow("a", 0.3), Slow("b", 0, fails=True))):
        found = await core(first, second).generate(HI)
        assert str(found.message["content"]).endswith("says")


async def test_both_may_fail() -> None:
    held = core(Slow("a", 0.2, fails=True), Slow("b", 0.1, fails=True))

    with pytest.raises(NoDeploymentLeft) as caught:
        await held.generate(HI)

    assert {error.deployment for error in caught.value.errors} == {"a", "b"}


async def test_a_cancel_gives_both_up_and_leaves_no_account_open() -> None:
    first, second = Slow("first", 5), Slow("second", 5)
    held = core(first, second)
    task = asyncio.create_task(held.generate(HI))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (first.given_up, second.given_up) == (1, 1)
    assert [host.in_flight for host in held.fleet.hosts.values()] == [0, 0]
    assert [each.slots.held for each in held._standing.limits.values()] == [0, 0]


class Lingering(Slow):
    """Takes a while to let go when it is given up."""

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        try:
            return await super().generate(request, on_delta=on_delta, deadline=deadline)
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)
            raise


class Breaking(Slow):
    """Breaks off after its first token."""

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        await asyncio.sleep(self.first_s)
        assert on_delta is not None
        on_delta(TextDelta("so far"))
        raise BrokenStream(self.name, "broke off after its first token")


@pytest.mark.parametrize("other", [Slow, Lingering])
async def test_one_that_breaks_off_after_the_other_was_given_up_for_it_is_the_error(other: type[Slow]) -> None:
    held = core(Breaking("a", 0.15), other("b", 5))

    with pytest.raises(NoDeploymentLeft) as caught:
        await asyncio.wait_for(held.generate(HI), 20)

    assert "a" in {error.deployment for error in caught.value.errors}
