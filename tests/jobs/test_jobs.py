"""Jobs from being accepted to their end: waits, answers, retries, dead letters, cancels, rights, the kill switch."""

from __future__ import annotations

import pytest
from tests.jobs.conftest import Yard, desk_of

from segue import Agent, Approve, Reject
from segue.base.budget import Budget
from segue.base.errors import BadInput
from segue.base.principal import Principal
from segue.jobs.port import JobRequest, Segment
from segue.testing import ScriptedModel


async def test_a_job_is_accepted_with_a_record_and_worked_off_once(yard: Yard) -> None:
    job_id = await yard.jobs.enqueue(yard.ask("hello"))
    before = yard.jobs.ws.get(job_id)

    assert (before.status, (await yard.jobs.get(job_id)).state) == ("queued", "queued")
    assert await yard.step() == [job_id]
    assert (yard.jobs.ws.get(job_id).output, (await yard.jobs.get(job_id)).state) == ("said hello", "completed")


async def test_the_same_run_id_again_is_the_same_job(yard: Yard) -> None:
    ids = [await yard.jobs.enqueue(yard.ask(f"hello {n}"), run_id="run_1") for n in range(2)]
    await yard.step()

    assert ids == ["run_1", "run_1"]
    assert yard.jobs.ws.get("run_1").output == "said hello 0"
    assert len(await yard.jobs.newest()) == 1


async def test_a_run_that_waits_holds_no_slot_and_goes_on_once_however_often_it_is_answered(yard: Yard) -> None:
    job = await yard.done("refund 7")
    answers = {job.reason: Approve()}

    for _ in range(3):
        await yard.jobs.answer(job.id, answers)
    while await yard.step():
        pass

    assert job.state == "waiting"
    assert (await yard.jobs.get(job.id)).state == "completed"
    assert yard.refunds == ["7 for me"]


async def test_another_answer_to_what_was_answered_is_refused(yard: Yard) -> None:
    job = await yard.done("refund 7")
    await yard.jobs.answer(job.id, {job.reason: Approve()})

    with pytest.raises(BadInput, match="answered already, and otherwise"):
        await yard.jobs.answer(job.id, {job.reason: Reject("no")})


async def test_who_lacks_a_scope_cannot_approve_and_the_run_waits_on(yard: Yard) -> None:
    job = await yard.done("refund 7")

    with pytest.raises(BadInput, match="scope refunds is missing"):
        await yard.jobs.answer(job.id, {job.reason: Approve()}, principal=Principal("local", "bob"))
    assert (await yard.jobs.get(job.id)).state == "waiting"


async def test_a_segment_that_comes_again_after_its_end_changes_nothing(yard: Yard) -> None:
    waits, ends = await yard.done("refund 7"), await yard.done("hello")
    model_calls = len(yard.agents["desk.py:desk"].model.requests)  # type: ignore[attr-defined]

    again = [await yard.runner(Segment(id=job.id, tenant="local", run_id=job.id)) for job in (waits, ends)]

    assert [each.state for each in again] == ["waiting", "completed"]
    assert len(yard.agents["desk.py:desk"].model.requests) == model_calls  # type: ignore[attr-defined]


async def test_what_may_pass_is_tried_again_and_then_goes_on(yard: Yard) -> None:
    left = [1, 1]
    yard.agents["desk.py:desk"] = desk_of([], fails=lambda: bool(left and left.pop()))

    job = await yard.done("fail at first")

    assert (job.state, job.attempt) == ("completed", 3)
    assert yard.told.of("dead") == []


async def test_after_the_last_attempt_it_is_a_dead_letter_with_the_reason_until_it_is_tried_again(yard: Yard) -> None:
    job = await yard.done("fail")
    dead = await yard.jobs.dead()
    yard.agents["desk.py:desk"] = desk_of([], fails=lambda: False)

    again = await yard.jobs.retry(job.id)
    await yard.step()

    assert (job.state, job.attempt, [each.id for each in dead]) == ("dead", 3, [job.id])
    assert "the model is away" in dead[0].reason
    assert len(yard.told.of("dead")) == 1
    assert again.state == "queued"
    assert ((await yard.jobs.get(job.id)).state, await yard.jobs.dead()) == ("completed", [])


async def test_what_does_not_pass_is_a_dead_letter_at_once(yard: Yard) -> None:
    job = await yard.done("break")

    assert (job.state, job.attempt) == ("dead", 1)
    assert "ValueError: broken" in job.reason


async def test_a_job_of_an_agent_that_is_gone_is_a_dead_letter_and_goes_on_once_it_is_back(yard: Yard) -> None:
    agent = yard.agents.pop("desk.py:desk")
    job = await yard.done("hello")
    yard.agents["desk.py:desk"] = agent

    await yard.jobs.retry(job.id)
    await yard.step()

    assert (job.state, job.reason) == ("dead", "there is no desk.py:desk")
    assert yard.jobs.ws.get(job.id).output == "said hello"


async def test_a_job_that_stopped_at_its_budget_goes_on_with_a_larger_one(yard: Yard) -> None:
    job = await yard.done("hello", budget={"tokens": 1})

    await yard.jobs.retry(job.id, budget=Budget(tokens=100_000))
    await yard.step()

    assert (job.state, (await yard.jobs.get(job.id)).state) == ("stopped", "completed")
    assert "tokens" in job.reason


async def test_smaller_priorities_go_first(yard: Yard) -> None:
    ids = [await yard.jobs.enqueue(yard.ask("hello", priority=priority)) for priority in (200, 100, 1)]

    assert await yard.step() == ids[::-1]


async def test_a_cancelled_job_never_begins_and_one_that_waits_ends(yard: Yard) -> None:
    waits = await yard.done("refund 7")
    queued = await yard.jobs.enqueue(yard.ask("hello"))

    states = [(await yard.jobs.cancel(each)).state for each in (waits.id, queued)]

    assert states == ["cancelled", "cancelled"]
    assert await yard.step() == []
    assert [yard.jobs.ws.get(each).stop_reason for each in (waits.id, queued)] == ["cancelled", "cancelled"]
    with pytest.raises(BadInput, match="does not wait"):
        await yard.jobs.answer(waits.id, {waits.reason: Approve()})


async def test_a_cancelled_job_can_be_tried_again(yard: Yard) -> None:
    job_id = await yard.jobs.enqueue(yard.ask("hello"))
    await yard.jobs.cancel(job_id)
    await yard.jobs.retry(job_id)
    await yard.step()

    assert (await yard.jobs.get(job_id)).state == "completed"


async def test_a_later_run_on_the_thread_leaves_the_waiting_one_stopped_and_says_so(yard: Yard) -> None:
    job = await yard.done("refund 7", thread_id="t")
    answer = {job.reason: Approve()}
    await yard.done("hello", thread_id="t")

    await yard.jobs.answer(job.id, answer)
    await yard.step()

    found = await yard.jobs.get(job.id)
    assert (found.state, yard.refunds) == ("stopped", [])
    assert "a later run went on with its thread" in found.reason


async def test_an_agent_that_changed_under_a_waiting_run_is_told_and_loses_nothing(yard: Yard) -> None:
    job = await yard.done("refund 7")
    before = yard.agents["desk.py:desk"]
    yard.agents["desk.py:desk"] = Agent("desk", model=ScriptedModel(lambda request: "done"))
    await yard.jobs.answer(job.id, {job.reason: Approve()})
    await yard.step()
    told = await yard.jobs.get(job.id)
    yard.agents["desk.py:desk"] = before
    await yard.jobs.retry(job.id)
    await yard.step()

    assert told.state == "dead"
    assert "desk changed under run" in told.reason
    assert "tool refund" in told.reason
    assert (await yard.jobs.get(job.id)).state == "completed"
    assert yard.refunds == ["7 for me"]


async def test_rights_are_those_of_the_moment_when_a_segment_begins(yard: Yard) -> None:
    job = await yard.done("hello", tenant="acme", user="ann")
    later = await yard.jobs.enqueue(yard.ask("hello", tenant="acme", user="ann"))
    yard.rights[("acme", "ann")] = ("reading",)
    await yard.step()
    gone = await yard.jobs.enqueue(yard.ask("hello", tenant="acme", user="ann"))
    del yard.rights[("acme", "ann")]
    await yard.step()

    held = [yard.jobs.ws.records.get("acme", each) for each in (job.id, later)]
    assert [each.scopes for each in held if each] == [["refunds"], ["reading"]]
    assert (await yard.jobs.get(gone, tenant="acme")).state == "refused"
    assert len(yard.told.of("refused")) == 1


async def test_rights_that_were_given_with_the_request_stay(yard: Yard) -> None:
    job_id = await yard.jobs.enqueue(yard.ask("hello", tenant="acme", user="ann", scopes=("a",)))
    del yard.rights[("acme", "ann")]
    await yard.step()

    assert (await yard.jobs.get(job_id, tenant="acme")).state == "completed"


async def test_nobody_queues_for_somebody_without_rights(yard: Yard) -> None:
    with pytest.raises(BadInput, match=r"bob of acme has no rights.*jobs\.owners"):
        await yard.jobs.enqueue(yard.ask("hello", tenant="acme", user="bob"))
    assert yard.jobs.ws.records.newest("acme") == []


async def test_a_tenant_sees_and_moves_its_own_jobs_only(yard: Yard) -> None:
    job = await yard.done("refund 7", tenant="acme", user="ann")
    asks = [
        yard.jobs.get(job.id), yard.jobs.cancel(job.id), yard.jobs.retry(job.id),
        yard.jobs.answer(job.id, {job.reason: Approve()}),
    ]  # fmt: skip

    for ask in asks:
        with pytest.raises(BadInput, match="there is no job"):
            await ask
    assert await yard.jobs.newest() == []
    assert (await yard.jobs.get(job.id, tenant="acme")).state == "waiting"


async def test_the_kill_switch_holds_what_is_queued_and_nothing_of_it_is_lost(yard: Yard) -> None:
    first = await yard.jobs.enqueue(yard.ask("hello"))
    other = await yard.jobs.enqueue(yard.ask("hello", tenant="acme", user="ann"))
    await yard.jobs.kill("tenant:acme", reason="a loop")
    await yard.step()
    held = await yard.jobs.get(other, tenant="acme")

    gone_on = await yard.jobs.revive("tenant:acme")
    await yard.step()

    assert (await yard.jobs.get(first)).state == "completed"
    assert (held.state, held.reason) == ("held", "the kill switch tenant:acme is on: a loop")
    assert (gone_on, (await yard.jobs.get(other, tenant="acme")).state) == (1, "completed")


async def test_a_held_job_stays_held_while_another_switch_stops_it_and_can_be_cancelled(yard: Yard) -> None:
    job_id = await yard.jobs.enqueue(yard.ask("hello"))
    await yard.jobs.kill("everything")
    await yard.jobs.kill("tenant:local")
    await yard.step()

    assert await yard.jobs.revive("everything") == 0
    assert (await yard.jobs.cancel(job_id)).state == "cancelled"
    assert await yard.jobs.revive("tenant:local") == 0
    assert await yard.step() == []


@pytest.mark.parametrize("scope", ["all", "tenant:", ""])
async def test_a_kill_switch_that_is_not_there_is_named_with_those_that_are(yard: Yard, scope: str) -> None:
    with pytest.raises(BadInput, match="everything, schedules, tenant:NAME"):
        await yard.jobs.kill(scope)


async def test_a_switch_that_is_off_cannot_be_switched_off(yard: Yard) -> None:
    with pytest.raises(BadInput, match="is not on; on are: none"):
        await yard.jobs.revive("everything")


async def test_unknown_jobs_are_told_with_the_newest_there_are(yard: Yard) -> None:
    job = await yard.done("hello")

    with pytest.raises(BadInput, match=f"no job 'nope' here; the newest are: {job.id}"):
        await yard.jobs.get("nope")


@pytest.mark.parametrize("request_", ["", [], {"role": "user"}])
async def test_what_is_no_request_is_not_accepted(yard: Yard, request_: object) -> None:
    with pytest.raises(BadInput):
        await yard.jobs.enqueue(JobRequest(source="desk.py:desk", request=request_))
    assert await yard.jobs.newest() == []


async def test_deps_are_made_by_the_function_that_is_named(yard: Yard) -> None:
    yard.agents["desk.py:clerk"] = Agent("clerk", model=ScriptedModel(lambda request: "done"), deps_type=dict)

    made = await yard.done("hello", source="desk.py:clerk", deps="builtins:dict")
    none = await yard.done("hello", source="desk.py:clerk", deps="builtins:nothing")

    assert (made.state, none.state) == ("completed", "dead")
    assert "deps cannot be made by 'builtins:nothing'" in none.reason


def test_a_segment_is_plain_data_and_comes_back_the_same() -> None:
    segment = Segment(
        id="a:b", tenant="t", run_id="a", answers={"i": {"type": "approve", "by": ""}}, answered_scopes=("x", "y"),
        number=3, resumed=True, budget={"tokens": 5},
    )  # fmt: skip

    assert Segment.from_dict({**segment.to_dict(), "of_a_later_version": 1}) == segment
