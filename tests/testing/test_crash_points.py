"""The checker finds what is planted, passes what is safe, and says what it has not tried."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.testing.outside import do, done
from tests.testing.planted import GO, PLANTED, SAFE, careful

from segue import Agent, RunContext, UserError, Workspace, tool
from segue.testing import Scenario, Script, ScriptedModel, call, check_crash_points
from segue.tools.sandbox.monty import MontySandbox
from segue.tools.sandbox.port import ExecRequest
from segue.tools.sandbox.toolset import CodeTools

pytest_plugins = ["pytester"]
PLAIN = ("-p", "no:cacheprovider", "-p", "no:cov", "-o", "asyncio_default_fixture_loop_scope=function")


QUICK = (
    "a read tool that writes",
    "retry_safe where the outside honours no key",
    "a reconcile that always says no",
    "an effect before an interrupt of a node",
    "a tool that swallows its cancel",
    "a saver that says too early that it has saved",
    "a ledger that records before the effect",
)
"""The others are among the tests that take long."""


@pytest.mark.parametrize("bug", QUICK)
def test_a_planted_bug_is_found(bug: str) -> None:
    scenario, kind = PLANTED[bug]

    report = check_crash_points(scenario, stops=["cancel" if kind == "late" else "crash"], max_problems=4)

    assert kind in {problem.kind for problem in report.problems}, report


@pytest.mark.parametrize("name", SAFE)
def test_what_is_safe_passes(name: str) -> None:
    report = check_crash_points(SAFE[name], points=5)

    assert report.ok, report
    assert (report.duplicates, report.lost, report.late) == (0, 0, 0)
    assert report.crashes == 5
    assert 4 <= report.cancels + report.not_reached <= 5  # a scenario of few awaits is cancelled at each of them


def test_a_person_is_asked_where_nobody_else_knows_and_only_there() -> None:
    asking = check_crash_points(SAFE["a tool that asks a person"], stops=["crash"])
    sure = check_crash_points(SAFE["a tool that finds out"], stops=["crash"], points=5)

    assert asking.asked == asking.given_up > 0
    assert sure.asked == 0


def test_an_interpreter_of_its_own_is_killed_and_another_one_goes_on() -> None:
    report = check_crash_points(SAFED, stops=[], kill_sample=1)

    assert report.fresh
    assert report.kills == 1
    assert report.ok, report


def test_a_scenario_without_a_name_is_killed_in_forked_processes() -> None:
    report = check_crash_points(_one(careful), stops=[], kill_sample=3)

    assert not report.fresh
    assert report.kills + report.not_reached == 3
    assert report.ok, report


def test_stops_at_the_same_time_find_the_same() -> None:
    report = check_crash_points(PLANTED["a read tool that writes"][0], stops=["crash"], processes=2, points=8)

    assert report.crashes == 8
    assert {problem.kind for problem in report.problems} <= {"duplicate"}


def test_a_problem_says_what_it_is_and_where_it_came_from() -> None:
    report = check_crash_points(PLANTED["a tool that swallows its cancel"][0], stops=["cancel"], max_problems=1)

    assert "'sent' was done by what had been cancelled at tests/testing/planted.py:" in str(report)


def test_fewer_stops_are_spread_over_the_scenario() -> None:
    report = check_crash_points(SAFE["a tool that finds out"], points=3)

    assert report.crashes == 3
    assert report.cancels + report.not_reached == 3


def test_a_report_without_any_stop_is_not_taken_for_a_good_one() -> None:
    report = check_crash_points(SAFE["a tool that finds out"], stops=[])

    assert not report.ok
    assert "nothing was stopped" in str(report)


def test_a_scenario_that_is_not_the_same_twice_is_refused(tmp_path: Path) -> None:
    def by_chance(world: Path) -> Any:
        @tool(effect="write", retry_safe=True)
        async def send(ctx: RunContext) -> str:
            """Send it."""
            return do(world, f"sent {ctx.run_id}")

        return send

    with pytest.raises(UserError, match="not the same twice"):
        check_crash_points(_one(by_chance))


def test_a_scenario_that_fails_by_itself_is_refused_with_its_error() -> None:
    def broken(world: Path) -> Agent:
        raise RuntimeError("no agent today")

    with pytest.raises(UserError, match="no agent today"):
        check_crash_points(Scenario(agent=broken, requests=[GO]))


def test_a_question_that_nobody_answers_is_said() -> None:
    def asks(world: Path) -> Any:
        @tool(effect="read")
        async def look(ctx: RunContext) -> str:
            """Look."""
            return str(ctx.ask("How is it?"))

        return look

    with pytest.raises(UserError, match=r"How is it\?.*person="):
        check_crash_points(_one(asks))


def test_a_scenario_says_what_it_needs() -> None:
    with pytest.raises(UserError, match="an agent and its requests, or play"):
        Scenario(requests=[GO])


async def test_it_can_be_used_inside_of_a_running_loop() -> None:
    report = check_crash_points(_one(careful), points=2, stops=["crash"])

    await asyncio.sleep(0)
    assert report.ok, report


def test_the_fixture_fails_a_test_that_does_not_survive(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from tests.testing.planted import PLANTED, SAFE

        def test_wrong(crash_points):
            crash_points(PLANTED["a read tool that writes"][0], stops=["crash"], max_problems=1)

        @pytest.mark.crash_points(points=2)
        def test_right(crash_points):
            report = crash_points(SAFE["a tool that finds out"])
            assert report.crashes == 2
        """
    )

    result = pytester.runpytest_inprocess(
        "-p",
        "no:cacheprovider",
        "-p",
        "no:cov",
        "-o",
        "asyncio_default_fixture_loop_scope=function",
        "--strict-markers",
    )

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*duplicate after a crash at*"])


def test_the_option_holds_before_what_a_test_says(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from tests.testing.planted import SAFE

        def test_one(crash_points):
            assert crash_points(SAFE["a tool that finds out"], points=5, stops=["crash"]).crashes == 1
        """
    )

    result = pytester.runpytest_inprocess(
        "-p",
        "no:cacheprovider",
        "-p",
        "no:cov",
        "-o",
        "asyncio_default_fixture_loop_scope=function",
        "--crash-points=1",
    )

    result.assert_outcomes(passed=1)


async def test_a_script_answers_by_the_request_alone(ws: Workspace) -> None:
    script = Script({"one": [call("look"), "seen"], "two": ["nothing"]})
    model = ScriptedModel(script)

    @tool(effect="read")
    def look() -> str:
        """Look."""
        return "there"

    agent = Agent("a", model=model, tools=[look])
    said = [(await ws.run(agent, request, thread_id="t")).output for request in ("one", "two", "one", "three")]

    assert said == ["seen", "nothing", "seen", "There is nothing to do."]


async def test_a_script_that_is_asked_too_often_says_so(ws: Workspace) -> None:
    run = await ws.run(Agent("a", model=ScriptedModel(Script({"one": []}))), "one")

    assert run.status == "failed"
    assert "the script for 'one' has 0 replies" in run.error


def _one(make: Any) -> Scenario:
    def agent(world: Path) -> Agent:
        held = make(world)
        return Agent("clerk", model=ScriptedModel(Script({GO: [call(held.name), "Done."]})), tools=[held])

    return Scenario(agent=agent, requests=[GO], effects=done)


SAFED = SAFE["a tool whose outside honours its key"]


COMPUTES = Scenario(
    agent=lambda world: Agent(
        "one",
        description="Computes.",
        model=ScriptedModel(Script({GO: [call("run_code", code="6 * 7"), "It is 42."]})),
        tools=[CodeTools()],
    ),
    requests=[GO],
    effects=done,
)


@pytest.mark.timeout(120)
def test_a_scenario_that_runs_code_is_checked_after_code_ran_in_this_process() -> None:
    async def first() -> None:
        sandbox = MontySandbox(workers=1)
        await sandbox.run(ExecRequest(code="1"))
        await sandbox.close()

    asyncio.run(first())

    report = check_crash_points(COMPUTES, points=3, stops=["crash"])

    assert report.ok, report
    assert report.crashes == 3
