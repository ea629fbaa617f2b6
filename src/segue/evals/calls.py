"""The tool calls of a trial, and the scorers that look at them: which were made, in which order, and who was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from segue.evals.case import CallExpected, Case
from segue.evals.trial import Score, Trial
from segue.graphs.plan import SUBMIT_PLAN


@dataclass(frozen=True, kw_only=True)
class Made:
    """A tool call that was made."""

    tool: str
    arguments: dict[str, Any]
    """Those that it ran with: of an edited call, what the person wrote."""
    failed: bool
    """Whether it failed, was rejected, or never came to a result."""

    def fits(self, expected: CallExpected) -> bool:
        """Whether it is the call that was expected."""
        if self.tool != expected.tool:
            return False
        return all(name in self.arguments and same(self.arguments[name], v) for name, v in expected.arguments.items())

    def __str__(self) -> str:
        return said(self.tool, self.arguments)


def said(tool: str, arguments: dict[str, Any]) -> str:
    """A call as people write it, cut at 120 characters."""
    text = f"{tool}({', '.join(f'{name}={value!r}' for name, value in arguments.items())})"
    return text if len(text) <= 120 else text[:119] + "…"


def same(found: Any, expected: Any) -> bool:
    """Whether two values are the same; texts regardless of case and spaces around, 3 and 3.0 alike."""
    if isinstance(found, str) and isinstance(expected, str):
        return found.strip().casefold() == expected.strip().casefold()
    if isinstance(found, dict) and isinstance(expected, dict):
        return all(key in found and same(found[key], value) for key, value in expected.items())
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(found, bool) is not isinstance(expected, bool):
        return False
    return bool(found == expected)


def calls_of(trial: Trial) -> list[Made]:
    """The tool calls of a trial in the order in which the models asked for them; a planner's plan is none."""
    results = {(step["agent"], step["task_id"], step["call_id"]): step for step in trial.results()}
    edited = {asked.call_id: asked.edited for asked in trial.asked if asked.edited is not None}
    made = []
    for step in trial.trajectory:
        if step.get("type") != "generation":
            continue
        for call in step.get("tool_calls", ()):
            if call["name"] == SUBMIT_PLAN:
                continue
            result = results.get((step["agent"], step["task_id"], call["id"]))
            arguments = edited.get(call["id"], _arguments(call["arguments"]))
            made.append(Made(tool=call["name"], arguments=arguments, failed=result is None or bool(result["failed"])))
    return made


def _arguments(raw: Any) -> dict[str, Any]:
    if isinstance(raw, dict):
        return raw
    try:
        held = orjson.loads(raw or "{}")
    except orjson.JSONDecodeError:
        return {}
    return held if isinstance(held, dict) else {}


def score_calls(case: Case, trial: Trial) -> Score | None:
    """Whether the calls that are expected were made, in their order, and those that must not be made were not."""
    expect = case.expect
    if not (expect.calls or expect.never or expect.order == "exact"):
        return None
    made = calls_of(trial)
    good = [each for each in made if not each.failed]
    whys = _missing(expect.calls, good, made) if expect.order == "any" else _misplaced(expect.calls, good, made)
    if expect.order == "exact" and len(made) != len(expect.calls):
        whys.append(f"{len(made)} calls were made, {len(expect.calls)} expected: {_listed(made)}")
    broken = [each for each in made if any(each.fits(never) for never in expect.never)]
    whys += [f"{each} must not be called" for each in broken]
    total = max(1, len(expect.calls) + len(expect.never))
    return Score(name="calls", passed=not whys, value=max(0.0, 1 - len(whys) / total), why="; ".join(whys))


def _missing(expected: Sequence[CallExpected], good: list[Made], made: list[Made]) -> list[str]:
    left, whys = list(good), []
    for each in sorted(expected, key=lambda call: -len(call.arguments)):
        found = next((call for call in left if call.fits(each)), None)
        if found is None:
            whys.append(_why(each, made))
        else:
            left.remove(found)
    return whys


def _misplaced(expected: Sequence[CallExpected], good: list[Made], made: list[Made]) -> list[str]:
    at, whys, used = 0, [], set[int]()
    for each in expected:
        place = next((index for index in range(at, len(good)) if good[index].fits(each)), None)
        if place is not None:
            at = place + 1
            used.add(place)
        elif any(call.fits(each) for index, call in enumerate(good) if index not in used):
            whys.append(f"{said(each.tool, each.arguments)} comes out of order: {_listed(made)}")
        else:
            whys.append(_why(each, made))
    return whys


def _why(expected: CallExpected, made: list[Made]) -> str:
    name = said(expected.tool, expected.arguments)
    if any(call.failed and call.fits(expected) for call in made):
        return f"{name} failed"
    if any(call.fits(expected) for call in made):
        return f"{name} was not called again; there were {_listed(made)}"
    alike = [str(call) for call in made if call.tool == expected.tool]
    return f"{name} was not called; {'instead ' + alike[0] if alike else 'there were ' + _listed(made)}"


def _listed(made: Sequence[Made]) -> str:
    return ", ".join(call.tool for call in made) or "no calls"


def score_asks(case: Case, trial: Trial) -> Score | None:
    """Whether people were asked for what was expected, and for nothing else."""
    if case.expect.asks is None:
        return None
    left = [Made(tool=each.tool, arguments=each.arguments, failed=False) for each in trial.asked]
    whys = []
    for expected in case.expect.asks:
        found = next((each for each in left if each.fits(expected)), None)
        if found is None:
            whys.append(f"nobody was asked for {said(expected.tool, expected.arguments)}")
        else:
            left.remove(found)
    whys += [f"somebody was asked for {each}" for each in left]
    total = max(1, len(case.expect.asks))
    return Score(name="asks", passed=not whys, value=max(0.0, 1 - len(whys) / total), why="; ".join(whys))
