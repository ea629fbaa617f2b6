"""The figures of runs: outcomes in, percentiles, hit rate, cost and failures out."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from segue.router.simulate.sessions import Outcome


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of one run, or the mean of several."""

    requests: float
    """Those that were sent."""
    first_token_p50_s: float | None
    first_token_p95_s: float | None
    first_token_p99_s: float | None
    whole_p50_s: float | None
    whole_p95_s: float | None
    whole_p99_s: float | None
    session_p95_s: float | None
    hit_rate: float
    """The part of input tokens that hosts held already."""
    cost_usd: float | None
    """By tokens, and by the hour for hosts that cost that; `None` where a price is not known."""
    failed: float
    """Requests that no deployment answered."""
    given_up: float
    """Requests that were never sent, since one before them in their session had failed."""
    attempts: float
    """Of one request, on the whole."""
    busiest: float
    """How much more requests the host had that had most, than the mean."""
    output_tokens_s: float
    duration_s: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def figures_of(outcome: Outcome) -> Figures:
    """Of one run."""
    ended = [each for _, _, each in outcome.ended]
    good = [each for each in ended if each.answered]
    first = sorted(each.first_token_s for each in good)
    whole = sorted(each.whole_s for each in good)
    costs = [each.cost_usd for each in ended]
    tokens = sum(each.input_tokens for each in good)
    placed = list(outcome.placed.values()) or [0]
    return Figures(
        requests=len(ended),
        first_token_p50_s=percentile(first, 0.50),
        first_token_p95_s=percentile(first, 0.95),
        first_token_p99_s=percentile(first, 0.99),
        whole_p50_s=percentile(whole, 0.50),
        whole_p95_s=percentile(whole, 0.95),
        whole_p99_s=percentile(whole, 0.99),
        session_p95_s=percentile(sorted(outcome.session_s), 0.95),
        hit_rate=sum(each.cached_tokens for each in good) / tokens if tokens else 0.0,
        cost_usd=None if None in costs else outcome.host_usd + sum(cost or 0.0 for cost in costs),
        failed=len(ended) - len(good),
        given_up=outcome.given_up,
        attempts=sum(each.attempts for each in ended) / len(ended) if ended else 0.0,
        busiest=max(placed) * len(placed) / (sum(placed) or 1),
        output_tokens_s=sum(each.output_tokens for each in good) / (outcome.duration_s or 1.0),
        duration_s=outcome.duration_s,
    )


def mean(runs: Sequence[Figures]) -> Figures:
    """The mean of several; what is not known in one is not known."""
    held: dict[str, Any] = {}
    for each in fields(Figures):
        values = [getattr(run, each.name) for run in runs]
        held[each.name] = None if None in values else statistics.fmean(values)
    return Figures(**held)


def percentile(held: Sequence[float], part: float) -> float | None:
    """Of sorted numbers; `None` where there are none."""
    return held[min(len(held) - 1, int(len(held) * part))] if held else None
