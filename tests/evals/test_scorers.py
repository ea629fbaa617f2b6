"""Each scorer: content where it should be, not content where it should not, and its reason names what is wrong."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.evals.conftest import CITED, case

from segue.base.citations import Cited, citations_in
from segue.evals import Score, Trial
from segue.evals.answer import numbers_in
from segue.evals.calls import calls_of
from segue.evals.citations import shown_by
from segue.evals.scoring import OURS, scores


def generation(*wanted: tuple[str, dict[str, Any]], agent: str = "a") -> dict[str, Any]:
    made = [
        {"id": f"c{n}_{name}", "name": name, "arguments": orjson.dumps(arguments).decode()}
        for n, (name, arguments) in enumerate(wanted)
    ]
    return {"type": "generation", "agent": agent, "task_id": "", "model": "m", "text": "", "tool_calls": made}


def result(call_id: str, text: str = "", *, failed: bool = False, agent: str = "a") -> dict[str, Any]:
    name = call_id.partition("_")[2]
    held = {"agent": agent, "task_id": "", "call_id": call_id, "tool": name, "failed": failed, "result": text}
    return {"type": "tool_result", **held}


TWO = [generation(("find", {"id": 7, "by": "Ann"}), ("send", {"to": "b"})), result("c0_find", "x"), result("c1_send")]
FAILS = [generation(("find", {"id": 7})), result("c0_find", "error", failed=True)]
SEARCH = [generation(("search", {})), result("c0_search", CITED)]


def trial(output: Any = "", *, trajectory: Any = (), status: str = "completed", **more: Any) -> Trial:
    return Trial(case_id="a", number=1, output=output, status=status, trajectory=list(trajectory), **more)


async def judged(expect: dict[str, Any], held: Trial) -> dict[str, Score]:
    found = await scores(case(expect=expect), held, OURS)
    return {score.name: score for score in found}


GOOD: list[tuple[dict[str, Any], Trial]] = [
    ({"contains": ["twelve  LANTERNS"]}, trial("There are Twelve\nlanterns.")),
    ({"lacks": ["rope"]}, trial("lanterns")),
    ({"matches": r"\b\d{4}-\d\d\b"}, trial("in 2026-10")),
    ({"equals": "Yes"}, trial(" yes ")),
    ({"equals": {"a": [1, 2.0]}}, trial({"a": [1.0, 2]})),
    ({"fields": {"order": 7, "who": {"name": "Ann"}}}, trial({"order": 7, "who": {"name": "ann", "age": 3}})),
    ({"numbers": [1250.5, 64.9, -3, 12]}, trial("It is EUR 1,250.50; 64.90, -3 and twelve (12).")),
    ({"numbers": [{"value": 3.33, "within": 0.01}]}, trial("3.3333")),
    ({"numbers": [1397100]}, trial("1\u202f397\u202f100 cents")),
    ({"calls": ["send", {"tool": "find", "arguments": {"by": "ann"}}]}, trial(trajectory=TWO)),
    ({"calls": ["find", "send"], "order": "exact"}, trial(trajectory=TWO)),
    ({"never": [{"tool": "find", "arguments": {"id": 8}}]}, trial(trajectory=TWO)),
    ({"citations": [{"source": "returns.md", "holds": "back within 30"}]}, trial("See [handbook/returns.md:4-5].",
     trajectory=SEARCH)),
    ({"grounded": True}, trial("[handbook/returns.md:3\u20135]", trajectory=SEARCH)),
    ({"citations": [{"source": "returns.md", "lines": [5, 9]}]}, trial("[handbook/returns.md:3-5]", trajectory=SEARCH)),
    ({"limits": {"tool_calls": 2, "failed_calls": 0, "cost_usd": 0.1}}, trial(usage={"tool_calls": 2, "cost_usd": 0.1},
     trajectory=TWO)),
    ({"status": "stopped"}, trial(status="stopped")),
]  # fmt: skip

BAD: list[tuple[dict[str, Any], Trial, str, str]] = [
    ({"contains": ["a", "b"]}, trial("a"), "output", "it does not say 'b'"),
    ({"lacks": ["Rope"]}, trial("ropes"), "output", "it says 'Rope'"),
    ({"matches": "x"}, trial("y"), "output", "nothing in it matches 'x'"),
    ({"equals": "Yes"}, trial("Yes, indeed"), "output", "it is not 'Yes'"),
    ({"equals": {"a": 1}}, trial({"a": 1, "b": 2}), "output", "it is not"),
    ({"equals": 1}, trial(True), "output", "it is not 1"),
    ({"fields": {"order": 7}}, trial({"order": 8}), "output", "order is 8, not 7"),
    ({"fields": {"order": 7}}, trial("7"), "output", "order is "),
    ({"numbers": [190]}, trial("1900 and 19 and 190.5 and v190"), "output", "the figure 190 is not in it"),
    ({"calls": ["find"]}, trial(trajectory=FAILS), "calls", "find() failed"),
    ({"calls": ["drop"]}, trial(trajectory=TWO), "calls", "drop() was not called; there were find, send"),
    (
        {"calls": [{"tool": "find", "arguments": {"id": 8}}]}, trial(trajectory=TWO),
        "calls", "find(id=8) was not called; instead find(id=7, by='Ann')",
    ),
    ({"calls": ["find", "find"]}, trial(trajectory=TWO), "calls", "find() was not called"),
    ({"calls": ["send", "find"], "order": "in_order"}, trial(trajectory=TWO), "calls", "find() comes out of order"),
    ({"calls": ["find"], "order": "exact"}, trial(trajectory=TWO), "calls", "2 calls were made, 1 expected"),
    ({"order": "exact"}, trial(trajectory=TWO), "calls", "2 calls were made, 0 expected"),
    ({"never": ["send"]}, trial(trajectory=TWO), "calls", "send(to='b') must not be called"),
    ({"never": ["find"]}, trial(trajectory=FAILS), "calls", "find(id=7) must not be called"),
    ({"citations": ["returns.md"]}, trial("no"), "citations", "returns.md is not cited; cited is nothing"),
    ({"citations": ["turns.md"]}, trial("[handbook/returns.md:3-5]", trajectory=SEARCH), "citations", "turns.md is"),
    (
        {"citations": ["returns.md"]}, trial("[handbook/returns.md:3-9]", trajectory=SEARCH),
        "citations", "[handbook/returns.md:3-9] was shown by no tool",
    ),
    (
        {"citations": [{"source": "returns.md", "holds": "60 days"}]},
        trial("[handbook/returns.md:3-5]", trajectory=SEARCH), "citations", "does not say '60 days'",
    ),
    ({"grounded": True}, trial("because", trajectory=SEARCH), "citations", "it cites nothing"),
    (
        {"citations": [{"source": "returns.md", "lines": [6, 9]}]},
        trial("[handbook/returns.md:3-5]", trajectory=SEARCH), "citations", "lines 6 to 9 of returns.md are not cited",
    ),
    ({"limits": {"cost_usd": 1}}, trial(usage={"cost_usd": None}), "limits", "cost_usd is not known"),
    ({"limits": {"failed_calls": 0}}, trial(trajectory=FAILS), "limits", "failed_calls is 1, above 0"),
    ({}, trial(status="failed", error="the endpoint is down"), "status", "failed, not completed: the endpoint is down"),
]  # fmt: skip


@pytest.mark.parametrize(("expect", "held"), GOOD)
async def test_what_was_expected_and_came_passes(expect: dict[str, Any], held: Trial) -> None:
    found = await judged(expect, held)

    assert [(score.passed, score.value, score.why) for score in found.values()] == [(True, 1.0, "")] * len(found)
    assert set(found) > {"status"} or "status" in expect


@pytest.mark.parametrize(("expect", "held", "name", "why"), BAD)
async def test_what_was_expected_and_did_not_come_fails_with_its_reason(
    expect: dict[str, Any], held: Trial, name: str, why: str
) -> None:
    found = await judged(expect, held)

    assert not found[name].passed
    assert 0 <= found[name].value < 1
    assert why in found[name].why
    assert [score.name for score in found.values() if not score.passed] == [name]


async def test_half_of_what_was_expected_is_half_the_score() -> None:
    assert (await judged({"contains": ["a", "b"]}, trial("a")))["output"].value == 0.5


async def test_a_scorer_of_ones_own_stands_beside_ours_and_one_that_raises_passes_nothing() -> None:
    def short(_case: Any, held: Trial) -> Score:
        return Score(name="short", passed=len(held.text) < 5, value=1.0)

    async def broken(_case: Any, _held: Trial) -> Score:
        raise RuntimeError("no")

    found = await scores(case(), trial("long enough"), [short, broken, lambda _case, _held: 3])  # type: ignore[list-item,return-value]

    assert [(score.name, score.passed) for score in found] == [
        ("short", False), ("broken", False), ("<lambda>", False)
    ]  # fmt: skip
    assert found[1].why == "it raised RuntimeError: no"
    assert "it returned int" in found[2].why


def test_calls_of_two_agents_with_one_id_are_told_apart() -> None:
    held = trial(trajectory=[
        generation(("find", {"id": 1}), agent="a"), generation(("find", {"id": 2}), agent="b"),
        result("c0_find", agent="b"), result("c0_find", failed=True, agent="a"),
    ])  # fmt: skip

    assert [(str(call), call.failed) for call in calls_of(held)] == [("find(id=1)", True), ("find(id=2)", False)]


def test_citations_are_read_out_of_text_each_once() -> None:
    text = "see [a/b c.md:3-5], [a.md:7] and again [a.md:7-7]; not [a.md], [x](y:1) or [1:2"

    assert citations_in(text) == [Cited("a/b c.md", 3, 5), Cited("a.md", 7, 7)]


def test_what_a_tool_showed_ends_where_the_next_citation_begins() -> None:
    held = trial(trajectory=[generation(("s", {})), result("c0_s", "[a.md:1-2] one two [b.md:1-2] three")])

    assert shown_by(held) == {Cited("a.md", 1, 2): "\n one two ", Cited("b.md", 1, 2): "\n three"}


def test_figures_are_read_however_they_are_written() -> None:
    assert numbers_in("EUR 1,250.50, -3; 2026-10, 12,34 v2 3.5.1 7.") == [1250.5, -3, 2026, 10, 12, 34, 3.5, 7]
