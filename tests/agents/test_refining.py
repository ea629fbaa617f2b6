"""Refine: written, judged, written again, within a bound."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from segue import Agent, Budget, UserError, Workspace
from segue.agents import Refine, Review
from segue.testing import ScriptedModel


def writer(*drafts: str) -> Agent:
    return Agent("writer", model=ScriptedModel(drafts), description="Writes.")


async def test_a_draft_is_written_again_with_the_feedback_until_it_is_accepted(ws: Workspace) -> None:
    model = ScriptedModel(["Hi", "Dear Ann"])
    pair = Refine(
        "letter", writer=Agent("writer", model=model),
        critic=Agent("critic", model=ScriptedModel([
            {"accepted": False, "feedback": "too short"}, {"accepted": True, "feedback": ""},
        ]), output_type=Review),
    )  # fmt: skip

    run = await ws.run(pair, "Write to Ann")

    assert run.output == "Dear Ann"
    told = [message["content"] for message in model.requests[1].messages]
    assert told[-2] == "Hi"
    assert "too short" in str(told[-1])


async def test_the_conversation_holds_the_answer_and_none_of_the_drafts(ws: Workspace) -> None:
    pair = Refine("letter", writer=writer("one", "two"), critic=lambda draft: draft == "two")

    await ws.run(pair, "go", thread_id="t")

    said = await ws.messages("t", agent=pair)
    assert [message["content"] for message in said] == ["go", "two"]


async def test_when_the_rounds_are_used_up_the_best_draft_stands_and_the_trace_says_so(ws: Workspace) -> None:
    scores = {"a": 0.2, "b": 0.9, "c": 0.5}
    pair = Refine(
        "letter", writer=writer("a", "b", "c"), max_rounds=3,
        critic=lambda draft: Review(accepted=False, feedback="no", score=scores[draft]),
    )  # fmt: skip

    run = await ws.run(pair, "go", thread_id="t")

    assert run.status == "completed"
    assert run.output == "b"


async def test_it_can_stop_instead(ws: Workspace) -> None:
    pair = Refine("letter", writer=writer("a", "b"), critic=lambda draft: False, max_rounds=2, on_exhausted="stop")

    run = await ws.run(pair, "go")

    assert (run.status, run.stop_reason) == ("stopped", "loop")
    assert "2 drafts and none was accepted" in run.record.error


async def test_a_run_that_its_budget_stops_has_its_best_draft(ws: Workspace) -> None:
    scores = {"a": 0.2, "b": 0.7, "c": 0.1}
    pair = Refine(
        "letter",
        writer=writer("a", "b", "c", "d"),
        critic=lambda draft: Review(accepted=False, feedback="More.", score=scores[draft]),
        max_rounds=9,
    )

    run = await ws.run(pair, "go", budget=Budget(model_calls=3))

    assert (run.status, run.stop_reason, run.partial) == ("stopped", "budget", "b")


async def test_typed_answers_stay_typed(ws: Workspace) -> None:
    class Price(BaseModel):
        eur: int

    agent = Agent("writer", model=ScriptedModel([{"eur": 3}, {"eur": 5}]), output_type=Price)

    async def critic(draft: str, ctx: Any) -> bool:
        return '"eur":5' in draft

    run = await ws.run(Refine("price", writer=agent, critic=critic), "go")

    assert run.output == Price(eur=5)


async def test_a_second_run_of_the_thread_starts_with_no_drafts(ws: Workspace) -> None:
    pair = Refine("letter", writer=writer("a", "b"), critic=lambda draft: True)

    first = await ws.run(pair, "go", thread_id="t")
    second = await ws.run(pair, "again", thread_id="t")

    assert (first.output, second.output) == ("a", "b")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"critic": Agent("critic")}, "does not say whether it accepts"),
        ({"critic": 3}, "the critic is an agent or a function"),
        ({"writer": 3}, "the writer is an agent or a team"),
        ({"max_rounds": 0}, "at least 1 draft"),
        ({"on_exhausted": "worst"}, "'best' or 'stop'"),
    ],
)
def test_what_does_not_fit_is_told_when_it_is_written(wrong: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"writer": Agent("writer"), "critic": bool, **wrong}

    with pytest.raises(UserError, match=said):
        Refine("pair", **given)
