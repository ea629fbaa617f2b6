"""Comparison: two results of the same cases in; what got better, what broke, and whether chance does as much out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segue.base.errors import BadInput
from segue.evals.result import Result
from segue.evals.trial import Trial

_RESAMPLES = 4000
_SEED = 1042


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One figure in both results, and how it differs over the cases that both have."""

    name: str
    before: float
    after: float
    low: float
    """The 95 % interval of `after - before`, by a paired bootstrap over cases with a fixed seed."""
    high: float

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two results, case by case."""

    before: Result
    after: Result
    common: list[str]
    """The ids that both have."""
    fixed: list[str]
    """Failed before, pass now."""
    broken: list[str]
    """Passed before, fail now."""
    only_before: list[str]
    only_after: list[str]
    changed: list[str]
    """Common ids whose case is not the same in both: what is expected or asked was changed."""
    p_value: float
    """Of McNemar's exact test: how often chance alone would part `fixed` and `broken` this far."""
    differences: list[Difference]

    @property
    def verdict(self) -> str:
        """In one sentence."""
        if not self.fixed and not self.broken:
            return f"no case of {len(self.common)} changed sides"
        moved = f"{len(self.fixed)} fixed, {len(self.broken)} broken of {len(self.common)} cases"
        if self.p_value < 0.05:
            return f"{'better' if len(self.fixed) > len(self.broken) else 'worse'}: {moved} (p = {self.p_value:.3f})"
        return f"{moved}; chance alone would do as much (p = {self.p_value:.2f})"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, the results by their summaries."""
        return {
            "before": self.before.summary(), "after": self.after.summary(), "verdict": self.verdict,
            "common": len(self.common), "fixed": self.fixed, "broken": self.broken, "only_before": self.only_before,
            "only_after": self.only_after, "changed": self.changed, "p_value": self.p_value,
            "differences": [{**vars(each), "shown": each.shown} for each in self.differences],
        }  # fmt: skip


def compare(before: Result, after: Result) -> Comparison:
    """Compare two results over the cases that both have, by their ids.

    Raises:
        BadInput: They have no case in common.
    """
    old, new = {case.id: case for case in before.cases}, {case.id: case for case in after.cases}
    common = [name for name in new if name in old]
    if not common:
        raise BadInput(f"{before.id} and {after.id} have no case in common")
    fixed = [name for name in common if after.passed(name) and not before.passed(name)]
    broken = [name for name in common if before.passed(name) and not after.passed(name)]
    return Comparison(
        before=before, after=after, common=common, fixed=fixed, broken=broken,
        only_before=[name for name in old if name not in new], only_after=[name for name in new if name not in old],
        changed=[name for name in common if old[name] != new[name]], p_value=mcnemar(len(fixed), len(broken)),
        differences=_differences(before, after, common),
    )  # fmt: skip


def mcnemar(fixed: int, broken: int) -> float:
    """The two-sided p value of McNemar's exact test: of so many changes, as many or more on one side by chance."""
    total, least = fixed + broken, min(fixed, broken)
    if not total:
        return 1.0
    tail = sum(math.comb(total, each) for each in range(least + 1)) / 2**total
    return float(min(1.0, 2 * tail))


_FIGURES: Sequence[tuple[str, Callable[[Trial], float | None]]] = (
    ("pass rate", lambda trial: float(trial.passed)),
    ("score", lambda trial: trial.value),
    ("cost_usd", lambda trial: trial.spent.cost_usd),
    ("tokens", lambda trial: float(trial.spent.total_tokens)),
    ("tool calls", lambda trial: float(trial.spent.tool_calls)),
    ("duration_s", lambda trial: trial.duration_s),
)


def _differences(before: Result, after: Result, common: Sequence[str]) -> list[Difference]:
    found = []
    for name, figure in _FIGURES:
        old = [_mean(before.by_case[each], figure) for each in common]
        new = [_mean(after.by_case[each], figure) for each in common]
        pairs = [(a, b) for a, b in zip(old, new, strict=True) if a is not None and b is not None]
        if pairs:
            found.append(_difference(name, np.array(pairs)))
    return found


def _mean(trials: Sequence[Trial], figure: Callable[[Trial], float | None]) -> float | None:
    values = [figure(trial) for trial in trials]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _difference(name: str, pairs: Any) -> Difference:
    steps = pairs[:, 1] - pairs[:, 0]
    chosen = np.random.default_rng(_SEED).integers(0, len(steps), size=(_RESAMPLES, len(steps)))
    low, high = np.quantile(steps[chosen].mean(axis=1), [0.025, 0.975])
    before, after = pairs.mean(axis=0)
    return Difference(name=name, before=float(before), after=float(after), low=float(low), high=float(high))
