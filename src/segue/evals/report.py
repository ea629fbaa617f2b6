"""The report: a result, and where given a comparison, as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from segue.evals.calls import calls_of
from segue.evals.comparison import Comparison
from segue.evals.result import Result
from segue.evals.trial import Trial

_TEMPLATE = Path(__file__).with_name("report.html")


def report(result: Result, comparison: Comparison | None = None) -> str:
    """The page, as text. What agents and tools said stands in it as text, never as markup."""
    cases = [
        {
            "case": case,
            "expect": case.expect.model_dump(mode="json", exclude_defaults=True),
            "trials": [_shown(trial) for trial in result.by_case[case.id]],
            "passed": result.passed(case.id),
            "moved": _moved(comparison, case.id),
        }
        for case in result.cases
    ]
    tags = sorted({tag for case in result.cases for tag in case.tags})
    by_tag = [(tag, [case for case in result.cases if tag in case.tags]) for tag in tags]
    page: str = _template().render(
        result=result, summary=result.summary(), cases=cases, comparison=comparison,
        at=datetime.fromtimestamp(result.started_at, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        by_tag=[(tag, sum(result.passed(case.id) for case in held), len(held)) for tag, held in by_tag],
        scorers=_by_scorer(result),
    )  # fmt: skip
    return page


def _shown(trial: Trial) -> dict[str, Any]:
    return {"trial": trial, "calls": calls_of(trial), "spent": trial.spent}


def _moved(comparison: Comparison | None, case_id: str) -> str:
    if comparison is None:
        return ""
    named = (("fixed", comparison.fixed), ("broken", comparison.broken), ("new", comparison.only_after))
    return next((name for name, held in named if case_id in held), "")


def _by_scorer(result: Result) -> list[tuple[str, int, int]]:
    """How often each scorer was content, of how often it had something to look at."""
    found: dict[str, list[bool]] = {}
    for trial in result.trials:
        for score in trial.scores:
            found.setdefault(score.name, []).append(score.passed)
    return [(name, sum(held), len(held)) for name, held in found.items()]


@cache
def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["percent"] = lambda share: f"{100 * share:.0f} %"
    environment.filters["json"] = _json
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))


def _json(value: Any) -> str:
    import orjson

    return orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode()
