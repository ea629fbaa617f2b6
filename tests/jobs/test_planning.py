"""Schedules on a virtual clock: fired, skipped, queued, refused, caught up, paused, killed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tests.jobs.conftest import Yard

from segue.base.errors import BadInput, StoreError
from segue.jobs.schedules import Schedule

DAY = 86_400


async def outcomes(yard: Yard, name: str = "s", tenant: str = "local") -> Sequence[str]:
    """What was decided, oldest first."""
    return [each.outcome for each in await yard.planning.firings(name, tenant=tenant, limit=1000)][::-1]


def schedule(yard: Yard, request: str = "hello", *, every_s: int = 10, **fields: Any) -> Schedule:
    run = yard.ask(request, **fields.pop("run", {}))
    timing = {} if "at" in fields else {"cron": f"*/{every_s} * * * * *"}
    return Schedule(**{"name": "s", "run": run, **timing, **fields})


async def test_each_tick_is_fired_once_and_its_job_is_named_after_it(yard: Yard) -> None:
    await yard.planning.create(schedule(yard))
    await yard.tick(30)

    jobs = await yard.jobs.newest()
    assert [job.state for job in jobs] == ["completed"] * 3
    assert [job.id for job in jobs] == [f"sched-s-20250615T1507{second}Z" for second in ("10", "00")] + [
        "sched-s-20250615T150650Z"
    ]
    assert {job.schedule for job in jobs} == {"s"}


@pytest.mark.parametrize(
    ("overlap", "decided", "states"),
    [
        ("skip", ["fired", "skipped", "skipped"], ["waiting"]),
        ("queue", ["fired", "pending", "pending"], ["waiting"]),
        ("cancel", ["done", "fired", "fired"], ["waiting", "cancelled", "cancelled"]),
        ("allow", ["fired", "fired", "fired"], ["waiting", "waiting", "waiting"]),
    ],
)
async def test_while_an_earlier_firing_goes_on_the_policy_decides(
    yard: Yard, overlap: str, decided: list[str], states: list[str]
) -> None:
    await yard.planning.create(schedule(yard, "refund 1", overlap=overlap))
    await yard.tick(30)

    assert await outcomes(yard) == decided
    assert [job.state for job in await yard.jobs.newest()] == states


async def test_firings_that_wait_for_their_turn_get_it_one_after_the_other_in_their_order(yard: Yard) -> None:
    await yard.planning.create(schedule(yard, "refund 1", overlap="queue"))
    await yard.tick(30)
    for _ in range(2):
        waiting = await yard.jobs.newest(states=["waiting"])
        await yard.jobs.cancel(waiting[0].id)
        await yard.tick(1)

    ids = [each.job_id for each in (await yard.planning.firings("s"))[::-1]]
    assert [job.id for job in await yard.jobs.newest()][::-1] == ids[:3]


async def test_two_schedulers_that_decide_the_same_tick_fire_it_once(yard: Yard) -> None:
    kept = await yard.planning.create(schedule(yard))
    yard.clock.advance(10)
    await yard.planning.step()
    await yard.planning.store.advance(kept, upto=kept.upto)  # as if the first had died before it wrote down how far
    await yard.planning.step()

    assert len(await yard.jobs.newest()) == 1
    assert await outcomes(yard) == ["fired"]


async def test_a_scheduler_that_died_after_queueing_a_tick_and_before_noting_it_queues_it_once(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    await yard.planning.create(schedule(yard))
    yard.clock.advance(10)

    async def dies(*_: object) -> None:
        raise StoreError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(yard.planning.store, "note", dies)
        with pytest.raises(StoreError):
            await yard.planning.step()
    await yard.planning.step()

    assert len(await yard.jobs.newest()) == 1
    assert await outcomes(yard) == ["fired"]


@pytest.mark.parametrize(("policy", "fired"), [("none", 0), ("last", 1), ("all", 4)])
async def test_a_day_without_a_scheduler_is_made_up_for_as_the_policy_says(yard: Yard, policy: str, fired: int) -> None:
    run = yard.ask("hello")
    await yard.planning.create(
        Schedule(name="s", cron="0 * * * *", run=run, catch_up=policy, catch_up_cap=4, overlap="allow")  # type: ignore[arg-type]
    )
    yard.clock.advance(DAY)
    await yard.tick(1)

    assert len(await yard.jobs.newest()) == fired
    assert (await outcomes(yard)).count("missed") == 1


async def test_a_single_time_is_fired_once_and_no_more(yard: Yard) -> None:
    await yard.planning.create(schedule(yard, at=yard.clock.now() + 5))
    await yard.tick(20)

    assert await outcomes(yard) == ["fired"]
    assert await yard.planning.next_firings("s") == []


async def test_a_paused_schedule_fires_nothing_and_makes_up_for_nothing(yard: Yard) -> None:
    await yard.planning.create(schedule(yard, catch_up="all"))
    await yard.planning.pause("s")
    await yard.tick(30)
    during = (await outcomes(yard), await yard.planning.next_firings("s"))
    await yard.planning.resume("s")
    await yard.tick(10)

    assert during == ([], [])
    assert await outcomes(yard) == ["fired"]


async def test_a_changed_schedule_follows_its_new_times_from_then_on(yard: Yard) -> None:
    await yard.planning.create(schedule(yard))
    await yard.planning.change("s", cron="0 0 1 1 *", timezone="Europe/Berlin")
    await yard.tick(30)

    assert await outcomes(yard) == []
    assert len(await yard.planning.next_firings("s", count=3)) == 3


async def test_a_deleted_schedule_is_gone_and_its_jobs_go_on(yard: Yard) -> None:
    await yard.planning.create(schedule(yard, "refund 1"))
    await yard.tick(10)
    await yard.planning.delete("s")
    await yard.tick(20)

    assert [job.state for job in await yard.jobs.newest()] == ["waiting"]
    with pytest.raises(BadInput, match="no schedule 's' here; there are: none"):
        await yard.planning.get("s")


async def test_run_now_fires_at_once_whatever_the_overlap(yard: Yard) -> None:
    await yard.planning.create(schedule(yard, "refund 1", every_s=59))
    first = await yard.planning.run_now("s")
    yard.clock.advance(1)
    second = await yard.planning.run_now("s")
    await yard.step()

    assert first != second
    assert [job.state for job in await yard.jobs.newest()] == ["waiting", "waiting"]


async def test_a_firing_uses_its_owners_rights_as_they_are_and_without_any_it_is_refused_and_told(yard: Yard) -> None:
    owner = {"tenant": "acme", "user": "ann"}
    await yard.planning.create(schedule(yard, run=owner))
    yard.rights[("acme", "ann")] = ("other",)
    await yard.tick(10)
    del yard.rights[("acme", "ann")]
    await yard.tick(10)

    assert await outcomes(yard, tenant="acme") == ["done", "refused"]
    assert [record.scopes for record in yard.jobs.ws.records.newest("acme")] == [["other"]]
    assert "ann of acme has no rights" in yard.told.of("refused")[0]


async def test_each_firing_has_the_budget_of_the_schedule(yard: Yard) -> None:
    await yard.planning.create(schedule(yard, run={"budget": {"tool_calls": 3}}))
    await yard.tick(10)

    assert yard.jobs.ws.records.newest("local")[0].budget == {"tool_calls": 3}


@pytest.mark.parametrize("scope", ["schedules", "everything"])
async def test_while_the_kill_switch_is_on_nothing_is_fired_and_later_not_made_up_for(yard: Yard, scope: str) -> None:
    await yard.planning.create(schedule(yard, catch_up="all"))
    await yard.jobs.kill(scope)
    await yard.tick(30)
    await yard.jobs.revive(scope)
    await yard.tick(10)

    assert await outcomes(yard) == ["fired"]


async def test_the_kill_switch_of_a_tenant_holds_what_its_schedules_fire(yard: Yard) -> None:
    await yard.planning.create(schedule(yard, run={"tenant": "acme", "user": "ann"}))
    await yard.jobs.kill("tenant:acme")
    await yard.tick(10)

    assert [job.state for job in await yard.jobs.newest(tenant="acme")] == ["held"]


async def test_schedules_of_the_same_name_in_two_tenants_are_two(yard: Yard) -> None:
    await yard.planning.create(schedule(yard))
    await yard.planning.create(schedule(yard, run={"tenant": "acme", "user": "ann"}))
    await yard.tick(10)

    ids = {job.id for tenant in ("local", "acme") for job in await yard.jobs.newest(tenant=tenant)}
    assert len(ids) == 2


async def test_what_was_decided_is_forgotten_after_the_days_that_are_kept(yard: Yard) -> None:
    await yard.planning.create(schedule(yard))
    await yard.tick(10)
    await yard.planning.store.forget(yard.clock.now() + 1)

    assert await outcomes(yard) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "s"}, "there is a schedule 's' already"),
        ({"name": "other", "at": 1.0}, "that has passed"),
        ({"name": "other", "run": {"tenant": "acme", "user": "bob"}}, "bob of acme has no rights"),
    ],
)
async def test_a_schedule_that_cannot_be_is_refused(yard: Yard, fields: dict[str, Any], said: str) -> None:
    await yard.planning.create(schedule(yard))

    with pytest.raises(BadInput, match=said):
        await yard.planning.create(schedule(yard, **fields))


async def test_two_changes_at_once_do_not_overwrite_each_other(yard: Yard) -> None:
    kept = await yard.planning.create(schedule(yard))
    await yard.planning.pause("s")

    with pytest.raises(BadInput, match="changed by somebody else"):
        await yard.planning.store.change(kept, kept.schedule, upto=yard.clock.now())
