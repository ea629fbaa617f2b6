"""Loops: a model that goes round is told once, then stopped; one that gets somewhere is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from segue import Agent, Planner, Team, UserError, Workspace, tool
from segue.testing import ScriptedModel, call

asked: list[str] = []


@tool(effect="read")
def look(what: str) -> str:
    """Look.

    Args:
        what: At what.
    """
    asked.append(what)
    return f"seen {what}"


@pytest.fixture(autouse=True)
def _nothing_asked() -> None:
    asked.clear()


def looker(*replies: Any, **options: Any) -> Agent:
    return Agent("looker", model=ScriptedModel(replies), tools=[look], **options)


def spelled(text: str) -> list[Any]:
    return [call("look", what=letter) for letter in text]


async def test_the_same_call_with_the_same_result_is_told_once_and_then_ends_the_run(ws: Workspace) -> None:
    agent = looker(*spelled("aaaaaa"))

    run = await ws.run(agent, "go")

    assert (run.status, run.stop_reason) == ("stopped", "loop")
    assert asked == ["a"] * 3
    assert "looker called look 3 times" in run.error
    [told] = [each for each in run.trajectory if each["type"] == "tool_result" and each["failed"]]
    assert "it will not change" in told["result"]


async def test_a_model_that_heeds_the_notice_goes_on(ws: Workspace) -> None:
    run = await ws.run(looker(*spelled("aaaa"), "all seen"), "go")

    assert run.output == "all seen"


@pytest.mark.parametrize(("text", "seen"), [("abababab", "ababab"), ("abcabcabcabcabc", "abcabcabc")])
async def test_a_cycle_of_calls_is_a_loop_too(ws: Workspace, text: str, seen: str) -> None:
    run = await ws.run(looker(*spelled(text)), "go")

    assert run.stop_reason == "loop"
    assert "".join(asked) == seen


async def test_the_spelling_of_arguments_does_not_hide_a_loop(ws: Workspace) -> None:
    texts = ['{"what": "a"}', '{"what":"a"}', '{ "what" : "a" }', '{"what":  "a"}', '{"what":"a" }']
    calls = [{"id": f"c{n}", "type": "function", "function": {"name": "look", "arguments": text}}
             for n, text in enumerate(texts)]  # fmt: skip

    run = await ws.run(looker(*calls), "go")

    assert run.stop_reason == "loop"


async def test_a_call_whose_result_changes_is_no_loop(ws: Workspace) -> None:
    states = iter(["waiting", "waiting", "moving", "moving", "there"])

    @tool(effect="read")
    def poll() -> str:
        """Poll."""
        return next(states)

    model = ScriptedModel([*[call("poll") for _ in range(5)], "it is there"])

    run = await ws.run(Agent("a", model=model, tools=[poll]), "go")

    assert run.output == "it is there"


@pytest.mark.parametrize("text", ["ababcababc", "aabbaabb", "abcdefgh"])
async def test_what_gets_somewhere_is_left_alone(ws: Workspace, text: str) -> None:
    run = await ws.run(looker(*spelled(text), "done"), "go")

    assert run.output == "done"
    assert "".join(asked) == text


async def test_each_turn_of_a_thread_counts_for_itself(ws: Workspace) -> None:
    agent = looker(*(reply for _ in range(4) for reply in (*spelled("aa"), "done")))

    runs = [await ws.run(agent, "go", thread_id="t") for _ in range(4)]

    assert {run.status for run in runs} == {"completed"}


async def test_how_often_is_said_by_the_agent_and_may_be_without_bound(ws: Workspace) -> None:
    once = await ws.run(looker(*spelled("aaa"), max_repeats=1), "go")
    endless = await ws.run(looker(*spelled("a" * 12), "done", max_repeats=None), "go")

    assert once.stop_reason == "loop"
    assert endless.output == "done"
    with pytest.raises(UserError, match="max_repeats=0"):
        looker(max_repeats=0)


async def test_a_worker_that_goes_round_fails_its_task(ws: Workspace) -> None:
    tasks = [{"id": "a", "worker": "looker", "task": "look", "depends_on": []}]
    planner = ScriptedModel([call("submit_plan", tasks=tasks), lambda request: request.messages[-1]["content"]])

    run = await ws.run(
        Team("desk", planner=Planner(model=planner, max_replans=0),
             workers=[looker(*spelled("aaaaa"), description="Looks.")]), "go",
    )  # fmt: skip

    assert run.status == "completed"
    assert "looker called look 3 times" in run.output
