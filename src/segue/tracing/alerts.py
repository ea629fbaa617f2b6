"""Alert rules: `[alerts.NAME]` and the spans of a window in; where the figure stands, and whether the rule fires, out.

Which rules fire already is kept beside the spans, so that of several processes on one store only one tells of a rise,
and of its end. Who is told is decided in `segue.workspace.alerting`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from segue.base.errors import Severity
from segue.base.rows import Rows, Tables, in_both
from segue.tracing.observed import Observed

Metric = Literal[
    "error_rate", "latency_p95_s", "first_token_p95_s", "cost_per_hour_usd", "refusal_rate", "verdict_rate",
    "tool_failure_rate",
]  # fmt: skip
_SCHEMA = in_both("CREATE TABLE IF NOT EXISTS @alerts (name TEXT PRIMARY KEY, since DOUBLE PRECISION NOT NULL)")


class AlertSection(BaseModel):
    """`[alerts.NAME]`: one rule."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    metric: Metric
    """What is looked at."""
    above: float | None = None
    """It fires where the figure is above this."""
    below: float | None = None
    """Or where it is below this."""
    window_s: float = Field(default=600.0, gt=0)
    """The stretch of time up to now that is looked at."""
    least: int = Field(default=10, ge=1)
    """So many runs, generations, calls or verdicts must be in it; of fewer nothing is said."""
    agent: str = ""
    """Only its runs; empty for all."""
    tool: str = ""
    """For `tool_failure_rate`: only this one."""
    rail: str = ""
    """For `verdict_rate`: only this one."""
    verdict: Literal["allow", "rewrite", "block", "ask"] = "block"
    """For `verdict_rate`: which."""
    tenant: str = ""
    """Only what is done for it; empty for all."""
    severity: Severity = "error"
    """With which it is told."""

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("say either above = … or below = …")
        for name, metric in (("tool", "tool_failure_rate"), ("rail", "verdict_rate")):
            if getattr(self, name) and self.metric != metric:
                raise ValueError(f"{name} is for {metric}, not for {self.metric}")
        return self


@dataclass(frozen=True, kw_only=True)
class Alert:
    """Where a rule stands."""

    name: str
    rule: AlertSection
    value: float | None
    """The figure; `None` where there is too little to say."""
    count: int
    """How much it is taken from."""

    @property
    def fires(self) -> bool:
        """Whether the figure is past the threshold."""
        if self.value is None:
            return False
        above, below = self.rule.above, self.rule.below
        return (above is not None and self.value > above) or (below is not None and self.value < below)

    def __str__(self) -> str:
        rule = self.rule
        bound = f"above {rule.above:g}" if rule.above is not None else f"below {rule.below:g}"
        stands = "not known" if self.value is None else f"{self.value:.4g}"
        return f"{rule.metric} is {stands} ({bound} fires; {self.count} in {rule.window_s:g} s)"


def evaluate(name: str, rule: AlertSection, seen: Observed) -> Alert:
    """Where a rule stands, over the spans of its window."""
    held = seen.only(agent=rule.agent, tool=rule.tool, rail=rule.rail)
    figure: Callable[[list[float]], float]
    match rule.metric:
        case "error_rate":
            values, figure = held.errors(), _mean
        case "latency_p95_s":
            values, figure = held.seconds(), _p95
        case "first_token_p95_s":
            values, figure = held.first_tokens(), _p95
        case "cost_per_hour_usd":
            values, figure = held.costs(), lambda costs: sum(costs) * 3600 / rule.window_s
        case "refusal_rate":
            values, figure = held.refusals(), _mean
        case "verdict_rate":
            values, figure = held.said(rule.verdict), _mean
        case "tool_failure_rate":
            values, figure = held.tool_failures(), _mean
    known = figure(values) if len(values) >= rule.least else None
    return Alert(name=name, rule=rule, value=known, count=len(values))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _p95(values: list[float]) -> float:
    """The nearest rank: the value that 95 of 100 do not exceed."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


class AlertStates:
    """Which rules fire, over processes and restarts. Safe from any thread; every call blocks."""

    def __init__(self, place: Rows | str) -> None:
        self._tables = Tables(place, _SCHEMA)

    def moved(self, alert: Alert, now: float) -> Literal["", "risen", "over"]:
        """Write down where a rule stands; what changed by that, told to one caller only.

        Raises:
            StoreError: It cannot be written.
        """
        if alert.fires:
            rose = "INSERT INTO @alerts VALUES (?,?) ON CONFLICT DO NOTHING RETURNING name"
            return "risen" if self._tables.execute(rose, (alert.name, now)) else ""
        return (
            "over" if self._tables.execute("DELETE FROM @alerts WHERE name = ? RETURNING name", (alert.name,)) else ""
        )

    def firing(self) -> dict[str, float]:
        """The rules that fire, with since when, in seconds since 1970."""
        return dict(self._tables.execute("SELECT name, since FROM @alerts"))

    def forget(self, names: set[str]) -> None:
        """Let go of rules that are not among these any more."""
        for name in self.firing().keys() - names:
            self._tables.execute("DELETE FROM @alerts WHERE name = ?", (name,))

    def close(self) -> None:
        """Close the file, where it is one."""
        self._tables.close()
