"""Experiments: cases tried on an agent, each in the world that it should have, and what comes of them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.evals.conftest import CITED, case, make_desk

from segue import Agent, Workspace
from segue.base.errors import BadInput, EndpointError, UserError
from segue.evals import Experiment, Result, Score, Trial, compare
from segue.evals.comparison import mcnemar
from segue.evals.experiment import made
from segue.evals.report import report
from segue.evals.result import wilson
from segue.evals.store import open_evals
from segue.router import RouterCore
from segue.testing import ScriptedModel

REFUND: dict[str, Any] = {
    "answers": [{"type": "approve"}],
    "expect": {"asks": ["refund"], "calls": ["refund"], "contains": ["12.50"]},
}


async def test_each_trial_has_a_world_of_its_own_and_none_is_left(ws: Workspace) -> None:
    worlds: list[Path] = []

    def world(folder: Path) -> Agent:
        worlds.append(folder)
        return make_desk(folder)

    first = case("refund it", expect={**REFUND["expect"], "contains": ["refund 1 here"]}, answers=REFUND["answers"])
    result = await Experiment(agent=world, cases=[first], trials=4, parallel=2).run(ws)

    assert [trial.passed for trial in result.trials] == [True] * 4, result.trials[0].whys
    assert len(set(worlds)) == 4
    assert not any(folder.exists() for folder in worlds)
    assert ws.runs() == []
    assert (result.agent, result.trials[0].spent.cost_usd, result.usage.cost_usd) == ("desk", 0.002, 0.008)


async def test_an_agent_that_is_given_works_in_the_world_where_it_works(
    ws: Workspace, desk: Agent, tmp_path: Path
) -> None:
    result = await Experiment(agent=desk, cases=[case("refund it", **REFUND)]).run(ws)

    assert result.failing == []
    assert json.loads((tmp_path / "refunds.json").read_text()) == [[7, 12.5]]
    assert ws.get(result.trials[0].run_id).status == "completed"


async def test_a_case_answers_each_question_by_its_tool_and_an_edit_changes_what_it_names(ws: Workspace) -> None:
    held = case(
        "both",
        answers=[{"type": "edit", "tool": "refund", "arguments": {"amount": 1.0}}],
        expect={
            "asks": [{"tool": "refund", "arguments": {"order": 7}}, {"tool": "refund", "arguments": {"order": 8}}],
            "calls": [{"tool": "refund", "arguments": {"order": order, "amount": 1.0}} for order in (7, 8)],
            "contains": ["refunded 1.00 of order 7", "refunded 1.00 of order 8"],
        },
    )
    result = await Experiment(agent=make_desk, cases=[held]).run(ws)

    assert result.trials[0].whys == []
    assert [each.answer for each in result.trials[0].asked] == ["edit", "edit"]


async def test_a_run_that_nobody_answers_waits_and_that_can_be_what_is_expected(ws: Workspace) -> None:
    waits = case("refund it", expect={"status": "waiting", "asks": ["refund"]})
    wrong = case("refund it", id="b")
    result = await Experiment(agent=make_desk, cases=[waits, wrong]).run(ws)

    assert result.failing == ["b"]
    assert result.by_case["b"][0].whys == ["status: the run is waiting, not completed: asked for refund"]


async def test_turns_of_a_case_go_on_one_thread_and_all_their_calls_count(ws: Workspace) -> None:
    held = case(["order 7", "order 8"], expect={"calls": ["look_up", "look_up"], "contains": ["8"], "lacks": ["'7'"]})
    result = await Experiment(agent=make_desk, cases=[held]).run(ws)

    assert result.failing == [], result.trials[0].whys
    assert result.trials[0].spent.tool_calls == 2


async def test_a_case_that_fails_says_why_and_the_others_go_on(ws: Workspace) -> None:
    cases = [
        case("order 7", id="good", expect={"numbers": [1250.5]}),
        case("order 999", id="fails", expect={"limits": {"failed_calls": 0}}),
        case("window?", id="cites", expect={"citations": [{"source": "returns.md", "holds": "30 days"}]}),
        case("invent", id="invents", expect={"grounded": True}),
    ]
    told: list[Trial] = []
    result = await Experiment(agent=make_desk, cases=cases).run(ws, told=told.append)

    assert result.failing == ["fails", "invents"]
    assert result.by_case["invents"][0].whys == [
        "citations: [handbook/nowhere.md:1-2] was shown by no tool of this run"
    ]
    assert {trial.case_id for trial in told} == {case.id for case in cases}
    assert (result.pass_rate, result.interval) == (0.5, wilson(2, 4))


async def test_a_case_is_stopped_at_its_budget_and_an_endpoint_that_is_down_is_told_apart(ws: Workspace) -> None:
    def down(request: Any) -> Any:
        raise EndpointError("nobody answers")

    async def slow(request: Any) -> Any:
        await asyncio.sleep(30)

    waits, fails = Agent("a", model=ScriptedModel(slow)), Agent("b", model=ScriptedModel(down))
    late = await Experiment(agent=waits, cases=[case("x")], timeout_s=0.05).run(ws)
    broken = await Experiment(agent=fails, cases=[case("x")]).run(ws)

    assert (late.trials[0].status, late.trials[0].outside) == ("stopped", False)
    assert (broken.trials[0].status, broken.trials[0].outside) == ("failed", True)
    assert "nobody answers" in broken.trials[0].whys[0]


async def test_an_experiment_that_is_cancelled_leaves_no_world_behind(ws: Workspace) -> None:
    worlds, begun = list[Path](), asyncio.Event()

    async def slow(request: Any) -> Any:
        begun.set()
        await asyncio.sleep(30)

    def world(folder: Path) -> Agent:
        worlds.append(folder)
        return Agent("a", model=ScriptedModel(slow))

    task = asyncio.create_task(Experiment(agent=world, cases=[case("x")]).run(ws))
    await begun.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert not worlds[0].exists()


def test_what_makes_no_agent_is_named(tmp_path: Path) -> None:
    def broken(folder: Path) -> Agent:
        raise FileNotFoundError("shop.db")

    with pytest.raises(UserError, match="broken raised FileNotFoundError for a new folder"):
        made(broken, tmp_path)
    with pytest.raises(UserError, match="returned int, not an Agent or a Team"):
        made(lambda folder: 3, tmp_path)  # type: ignore[arg-type,return-value]
    with pytest.raises(BadInput, match="without a case"):
        Experiment(agent=broken, cases=[])


async def test_a_judge_scores_by_the_criteria_and_a_set_of_rules_cannot(ws: Workspace, tmp_path: Path) -> None:
    held = case("order 7", expect={"judge": {"criteria": "kind", "at_least": 0.8}})
    verdicts: list[Any] = [{"why": "it is kind", "score": 0.9}, {"why": "it is cold", "score": 0.4}]
    model = ScriptedModel(verdicts)

    by_rules = await Experiment(agent=make_desk, cases=[held]).run(ws)
    async with Workspace.open(tmp_path, router=RouterCore(deployments={"smart": model})) as judged:
        by_model = await Experiment(agent=make_desk, cases=[held], trials=2, parallel=1).run(judged)

    assert "offline/rules-1 is a set of rules and cannot judge" in by_rules.trials[0].whys[0]
    assert [trial.passed for trial in by_model.trials] == [True, False]
    assert by_model.trials[1].whys == ["judge: 0.4, below 0.8: it is cold"]
    read = str(model.requests[0].messages)
    assert "order 7" in read
    assert "1250.5" in read
    assert "kind" in read


async def test_a_result_comes_back_from_a_file_and_from_the_store_as_it_was(ws: Workspace, tmp_path: Path) -> None:
    result = await Experiment(
        agent=make_desk, cases=[case("both", answers=[{"type": "approve"}]), case("order 7", id="b")], label="main"
    ).run(ws)

    result.save(tmp_path / "r.json")
    async with open_evals(ws) as store:
        store.keep("local", result)
        kept, summaries = store.result("local", result.id), store.results("local")
        assert store.results("acme") == []
        with pytest.raises(BadInput, match="there is no result"):
            store.result("acme", result.id)
        assert (store.drop("local", result.id), store.drop("local", result.id)) == (True, False)

    assert Result.load(tmp_path / "r.json") == result == kept
    assert [each["id"] for each in summaries] == [result.id]
    assert summaries[0]["label"] == "main"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 9}', '{"format": 1, "cases": 3}'])
def test_a_file_that_holds_no_result_is_said_to(text: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(text)

    with pytest.raises(BadInput, match=r"r\.json"):
        Result.load(tmp_path / "r.json")


def made_up(passed: dict[str, bool], *, id_: str = "r", cost: float = 0.0) -> Result:
    cases = [case(id=name) for name in passed]
    trials = [
        Trial(
            case_id=name, number=1, status="completed", usage={"cost_usd": cost, "input_tokens": 10},
            scores=[Score(name="output", passed=good, value=float(good), why="" if good else "it is <b>wrong</b>")],
        )
        for name, good in passed.items()
    ]  # fmt: skip
    return Result(
        id=id_, suite="s", agent="a", started_at=0.0, duration_s=1.0, cases=cases, trials=trials
    )  # fmt: skip


def test_a_comparison_says_what_was_fixed_and_what_broke() -> None:
    before = made_up({"a": True, "b": False, "c": True, "old": True}, cost=0.02)
    after = made_up({"a": False, "b": True, "c": True, "new": True}, cost=0.01)

    found = compare(before, after)

    assert (found.fixed, found.broken, found.only_before, found.only_after) == (["b"], ["a"], ["old"], ["new"])
    assert found.verdict == "1 fixed, 1 broken of 3 cases; chance alone would do as much (p = 1.00)"
    cost = next(each for each in found.differences if each.name == "cost_usd")
    assert (cost.before, cost.after, cost.shown) == (0.02, 0.01, True)
    assert cost.low == pytest.approx(-0.01)


def test_a_difference_that_chance_does_not_make_is_called_better_or_worse() -> None:
    low, high = {str(n): n > 9 for n in range(20)}, dict.fromkeys(map(str, range(20)), True)

    assert compare(made_up(low), made_up(high)).verdict == "better: 10 fixed, 0 broken of 20 cases (p = 0.002)"
    assert compare(made_up(high), made_up(low)).verdict.startswith("worse: 0 fixed, 10 broken")
    assert compare(made_up(high), made_up(high)).verdict == "no case of 20 changed sides"
    with pytest.raises(BadInput, match="no case in common"):
        compare(made_up({"a": True}), made_up({"b": True}))


def test_p_values_and_intervals_are_those_of_the_books() -> None:
    assert mcnemar(10, 0) == pytest.approx(2 / 1024)
    assert mcnemar(8, 2) == pytest.approx(0.109375)
    assert mcnemar(5, 5) == 1.0
    low, high = wilson(81, 263)  # Newcombe (1998), table I: 0.2553 to 0.3662
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == pytest.approx(1)


def test_the_report_holds_all_and_lets_nothing_act() -> None:
    evil = "<script>alert(1)</script><img src=https://evil.example/x onerror=alert(1)>"
    before = made_up({"a": True, "b": False})
    trials = [Trial(
        case_id=evil, number=1, output=evil, status="completed", trajectory=[{
            "type": "generation", "agent": evil, "task_id": "", "model": "m", "text": "",
            "tool_calls": [{"id": "1", "name": evil, "arguments": '{"x": "</pre><script>"}'}],
        }], scores=[Score(name="output", passed=False, value=0.0, why=evil)],
    )]  # fmt: skip
    after = Result(
        id="r", suite=evil, agent=evil, label=evil, started_at=0.0, duration_s=1.0,
        cases=[case(evil, id=evil, note=evil, tags=[evil])], trials=trials,
    )  # fmt: skip

    page = report(after)
    compared = report(made_up({"a": False, "b": True}), compare(before, made_up({"a": False, "b": True})))

    assert "<script" not in page
    assert "<img" not in page
    assert page.count("&lt;script&gt;alert(1)") > 6
    assert "1 fixed, 1 broken of 2 cases" in compared
    assert "it is &lt;b&gt;wrong&lt;/b&gt;" in compared
    assert CITED not in compared
