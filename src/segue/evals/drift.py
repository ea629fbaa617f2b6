"""Drift: two stretches of time of what was traced in; which figures moved between them, beyond noise, out.

How far a figure moved is decided in `segue.evals.moved`; the page is made in `segue.evals.drift_page`.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segue.base.errors import BadInput
from segue.evals.moved import Moved, mix_moved, share_moved, value_moved
from segue.tracing.observed import KINDS, Observed
from segue.tracing.spans import SpanRow
from segue.workspace.workspace import Workspace

ALPHA = 0.05
_MOST_SPANS = 200_000
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What moved between a baseline and the window behind it."""

    baseline: tuple[float, float]
    """Begin and end, in seconds since 1970."""
    window: tuple[float, float]
    runs: tuple[int, int]
    """How many ended in each."""
    figures: tuple[Moved, ...]
    cut: bool
    """Whether there were more spans than were looked at; the newest were."""

    @property
    def moved(self) -> list[Moved]:
        """Those that moved."""
        return [each for each in self.figures if each.moved]

    def to_dict(self) -> dict[str, Any]:
        """Plain data; what is not known is `None`."""
        return {
            "baseline": self.baseline, "window": self.window, "runs": self.runs, "cut": self.cut,
            "figures": [
                {
                    key: None if isinstance(value, float) and math.isnan(value) else value
                    for key, value in vars(each).items()
                }
                for each in self.figures
            ],
        }  # fmt: skip


def seconds_of(text: str) -> float:
    """A stretch of time such as `7d`, `12h`, `30m`, in seconds.

    Raises:
        BadInput: It is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text.strip())
    if found is None or not (length := float(found[1]) * _UNITS[found[2]]):
        raise BadInput(f"{text!r} is no stretch of time.", way_out="Write it as 7d, 12h, 30m or 90s.")
    return length


async def drift(
    ws: Workspace, *, baseline_s: float, window_s: float, tenant: str = "", agent: str = "", now: float | None = None
) -> Drift:
    """Hold the last `window_s` seconds against the `baseline_s` before them.

    Args:
        ws: Whose traces.
        baseline_s: The length of the stretch that is taken for usual.
        window_s: The length of the stretch that is looked at.
        tenant: Only this one's runs; empty for all.
        agent: Only this one's runs; empty for all.
        now: Where the window ends; `None` for now.

    Raises:
        StoreError: The traces cannot be read.
    """
    end = ws.services.clock.now() if now is None else now
    begin = end - window_s
    await asyncio.to_thread(ws.tracer.flush)

    def read(first: float, last: float) -> list[SpanRow]:
        return ws.traces.between(int(first * 1e9), int(last * 1e9), tenant=tenant, kinds=KINDS, limit=_MOST_SPANS)

    before, after = await asyncio.to_thread(lambda: (read(begin - baseline_s, begin), read(begin, end)))
    old, new = Observed.of(before).only(agent=agent), Observed.of(after).only(agent=agent)
    return Drift(
        baseline=(begin - baseline_s, begin), window=(begin, end), runs=(len(old.runs), len(new.runs)),
        figures=await asyncio.to_thread(compared, old, new),
        cut=max(len(before), len(after)) >= _MOST_SPANS,
    )  # fmt: skip


_VALUES: Mapping[str, Callable[[Observed], Sequence[float]]] = {
    "run, seconds": Observed.seconds,
    "run, dollars": Observed.costs_by_run,
    "first token, seconds": lambda seen: _by_run(seen.generations, "segue.first_token_s", _mean),
    "input tokens of a run": lambda seen: _by_run(seen.generations, "gen_ai.usage.input_tokens", sum),
    "output tokens of a run": lambda seen: _by_run(seen.generations, "gen_ai.usage.output_tokens", sum),
    "tool calls of a run": lambda seen: _calls_by_run(seen),
    "best score of a search": Observed.best_scores,
}
_SHARES: Mapping[str, Callable[[Observed], Sequence[float]]] = {
    "failed runs": Observed.errors,
    "refused runs": Observed.refusals,
    "runs with a failed tool call": lambda seen: _failing_runs(seen),
}
_MIXES: Mapping[str, Callable[[Observed], Sequence[Mapping[str, int]]]] = {
    "tools": lambda seen: _mix(seen.tools, lambda row: row.name),
    "models": lambda seen: _mix(seen.generations, lambda row: str(row.attributes.get("gen_ai.response.model", ""))),
    "verdicts": lambda seen: _mix(seen.verdicts, lambda row: f"{row.name}: {row.attributes.get('segue.verdict', '')}"),
}


def compared(old: Observed, new: Observed, *, alpha: float = ALPHA, resamples: int = 1_000) -> tuple[Moved, ...]:
    """Every figure, before and now. Of so many figures at once, each has its part of `alpha` (Bonferroni)."""
    part = alpha / (len(_VALUES) + len(_SHARES) + len(_MIXES))
    resamples = max(resamples, math.ceil(2 / part))
    return (
        *(value_moved(name, of(old), of(new), alpha=part, resamples=resamples) for name, of in _VALUES.items()),
        *(share_moved(name, of(old), of(new), alpha=part) for name, of in _SHARES.items()),
        *(mix_moved(name, of(old), of(new), alpha=part, resamples=resamples) for name, of in _MIXES.items()),
    )


def _by_run(rows: Sequence[SpanRow], attribute: str, together: Callable[[list[float]], float]) -> list[float]:
    held: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if (value := row.attributes.get(attribute)) is not None:
            held[row.run_id].append(float(value))
    return [together(values) for values in held.values()]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _calls_by_run(seen: Observed) -> list[float]:
    count = Counter(row.run_id for row in seen.tools)
    return [float(count[row.run_id]) for row in seen.runs]


def _failing_runs(seen: Observed) -> list[float]:
    failed = {row.run_id for row in seen.tools if row.status == "error"}
    return [float(run_id in failed) for run_id in {row.run_id for row in seen.tools}]


def _mix(rows: Sequence[SpanRow], name: Callable[[SpanRow], str]) -> list[Mapping[str, int]]:
    held: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if called := name(row):
            held[row.run_id][called] += 1
    return list(held.values())
