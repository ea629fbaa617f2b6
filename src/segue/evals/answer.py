"""Scorers of the answer: how the run ended, what it says and does not say, which figures stand in it, what it took."""

from __future__ import annotations

import re
from typing import Any

from segue.evals.calls import same
from segue.evals.case import Case, Expect
from segue.evals.trial import Score, Trial, as_text

_NUMBER = re.compile(r"(?<![\w.])-?(?:\d{1,3}(?:[,\u00a0\u202f]\d{3})+|\d+)(?:\.\d+)?")


def score_status(case: Case, trial: Trial) -> Score:
    """Whether the run ended as it should."""
    wanted, found = case.expect.status, trial.status
    detail = trial.error or trial.stop_reason or ", ".join(f"asked for {each.tool}" for each in trial.asked)
    why = "" if wanted == found else f"the run is {found}, not {wanted}{f': {detail[:300]}' if detail else ''}"
    return Score(name="status", passed=not why, value=float(not why), why=why)


def score_output(case: Case, trial: Trial) -> Score | None:
    """Whether the answer says what it should."""
    checks = _checks(case.expect, trial)
    if not checks:
        return None
    whys = [why for why in checks if why]
    value = 1 - len(whys) / len(checks)
    return Score(name="output", passed=not whys, value=value, why="; ".join(whys))


def _checks(expect: Expect, trial: Trial) -> list[str]:
    """A reason for each thing that is expected; an empty one where it is there."""
    text = _folded(trial.text)
    checks = []
    if expect.equals is not None:
        equal = same(trial.output, expect.equals) and same(expect.equals, trial.output)
        checks.append("" if equal else f"it is not {_shown(expect.equals)}")
    for name, value in (expect.fields or {}).items():
        held = trial.output.get(name) if isinstance(trial.output, dict) else None
        checks.append("" if same(held, value) else f"{name} is {_shown(held)}, not {_shown(value)}")
    checks += ["" if _folded(each) in text else f"it does not say {each!r}" for each in expect.contains]
    checks += [f"it says {each!r}" if _folded(each) in text else "" for each in expect.lacks]
    if expect.matches is not None:
        found = re.search(expect.matches, trial.text)
        checks.append("" if found else f"nothing in it matches {expect.matches!r}")
    if expect.numbers:
        held_numbers = numbers_in(trial.text)
        for each in expect.numbers:
            near = any(abs(number - each.value) <= each.within + 1e-9 for number in held_numbers)
            margin = f" within {each.within:g}" if each.within else ""
            checks.append("" if near else f"the figure {each.value:g}{margin} is not in it")
    return checks


def numbers_in(text: str) -> list[float]:
    """The figures of a text, with or without commas or thin spaces between thousands; a point before decimals."""
    return [float(re.sub(r"[,\u00a0\u202f]", "", found)) for found in _NUMBER.findall(text)]


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _shown(value: Any) -> str:
    text = as_text(value) if not isinstance(value, str) else repr(value)
    return text if len(text) <= 120 else text[:119] + "…"


def score_limits(case: Case, trial: Trial) -> Score | None:
    """Whether it took no more than it may."""
    limits, spent = case.expect.limits, trial.spent
    took: dict[str, float | None] = {
        "cost_usd": spent.cost_usd,
        "tokens": spent.total_tokens,
        "generations": spent.model_calls,
        "tool_calls": spent.tool_calls,
        "failed_calls": sum(bool(step["failed"]) for step in trial.results()),
        "duration_s": trial.duration_s,
    }
    asked = {name: limit for name in took if (limit := getattr(limits, name)) is not None}
    if not asked:
        return None
    whys = [_over(name, took[name], limit) for name, limit in asked.items()]
    over = [why for why in whys if why]
    return Score(name="limits", passed=not over, value=1 - len(over) / len(asked), why="; ".join(over))


def _over(name: str, took: float | None, limit: float) -> str:
    if took is None:
        return f"{name} is not known: the price of a generation is not"
    return f"{name} is {took:g}, above {limit:g}" if took > limit else ""
