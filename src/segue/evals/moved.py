"""Moved: a figure before and now in; how far it moved, an interval of that, and whether noise would do as much, out.

Everything is taken by run, since what happens within a run hangs together. Three kinds of figures: values of runs, by
Cliff's delta (the share of pairs in which now is above before, less the share in which it is below); shares of runs,
by their difference, with Newcombe's interval of two Wilson scores (1998, method 10), and Cohen's h; and mixes, by the
total variation distance, held against a permutation of the runs. Random numbers have a fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_SEED = 1042
_MOST = 2_000
"""Runs of each side that are resampled; of more, so many at random."""
_NEGLIGIBLE = 0.147
"""Below this a Cliff's delta is called negligible (Romano and others, 2006), however sure it is."""
_LEAST = 10
"""Of fewer runs on either side nothing is said."""
Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Moved:
    """One figure, before and now."""

    name: str
    kind: Literal["value", "share", "mix"]
    before: float
    """The median, the share; of a mix 0."""
    now: float
    effect: float
    """Cliff's delta, Cohen's h, or the total variation distance."""
    low: float
    """Of the interval of the effect; of a share, of the difference."""
    high: float
    moved: bool
    """Whether noise alone would seldom move it so far, and it is not negligible."""
    counts: tuple[int, int]
    """The runs that it was taken from."""
    parts: Mapping[str, tuple[float, float]]
    """Of a mix: the share of each name before and now."""
    quantiles: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    """Of values: the 5th, 25th, 50th, 75th and 95th of a hundred, before and now."""

    @property
    def enough(self) -> bool:
        """Whether there is enough to say anything."""
        return min(self.counts) >= _LEAST


def value_moved(
    name: str, before: Sequence[float], now: Sequence[float], *, alpha: float = 0.05, resamples: int = 1_000
) -> Moved:
    """Values of runs. The interval is a percentile bootstrap of the delta."""
    old, new = np.asarray(before, float), np.asarray(now, float)
    counts = (len(old), len(new))
    if min(counts) < _LEAST:
        return _too_few(name, "value", old, new)
    rng = np.random.default_rng(_SEED)
    effect = cliffs_delta(old, new)
    some_old, some_new = _some(old, rng), _some(new, rng)
    deltas = [
        cliffs_delta(rng.choice(some_old, len(some_old)), rng.choice(some_new, len(some_new))) for _ in range(resamples)
    ]
    low, high = np.quantile(deltas, [alpha / 2, 1 - alpha / 2])
    moved = bool((low > 0 or high < 0) and abs(effect) >= _NEGLIGIBLE)
    marks = [5, 25, 50, 75, 95]
    quantiles = tuple(tuple(float(each) for each in np.percentile(side, marks)) for side in (old, new))
    return Moved(
        name=name, kind="value", before=float(np.median(old)), now=float(np.median(new)), effect=effect,
        low=float(low), high=float(high), moved=moved, counts=counts, parts={}, quantiles=(quantiles[0], quantiles[1]),
    )  # fmt: skip


def cliffs_delta(before: Values, now: Values) -> float:
    """The share of pairs in which now is above before, less the share in which it is below: from -1 to 1."""
    ranked = np.sort(before)
    below, above = np.searchsorted(ranked, now, "left"), np.searchsorted(ranked, now, "right")
    return float((below.sum() - (len(ranked) - above).sum()) / (len(ranked) * len(now)))


def share_moved(name: str, before: Sequence[float], now: Sequence[float], *, alpha: float = 0.05) -> Moved:
    """Shares of runs, each 0 or 1."""
    old, new = np.asarray(before, float), np.asarray(now, float)
    if min(len(old), len(new)) < _LEAST:
        return _too_few(name, "share", old, new)
    p, q = float(old.mean()), float(new.mean())
    z = _z(alpha)
    (p_low, p_high), (q_low, q_high) = wilson(p, len(old), z), wilson(q, len(new), z)
    low = q - p - math.hypot(q - q_low, p_high - p)
    high = q - p + math.hypot(q_high - q, p - p_low)
    effect = 2 * math.asin(math.sqrt(q)) - 2 * math.asin(math.sqrt(p))
    return Moved(
        name=name, kind="share", before=p, now=q, effect=effect, low=low, high=high, moved=low > 0 or high < 0,
        counts=(len(old), len(new)), parts={},
    )  # fmt: skip


def wilson(share: float, count: int, z: float) -> tuple[float, float]:
    """Wilson's score interval."""
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def mix_moved(
    name: str, before: Sequence[Mapping[str, int]], now: Sequence[Mapping[str, int]], *, alpha: float = 0.05,
    resamples: int = 1_000,
) -> Moved:  # fmt: skip
    """How often each name occurs, by run; runs in which none does are left out.

    The interval is a percentile bootstrap over runs. A distance is never below 0, so it is not by the interval but by a
    permutation of the runs that it is said to have moved.
    """
    rows = [dict(each) for each in (*before, *now) if each]
    old_count, new_count = sum(1 for each in before if each), sum(1 for each in now if each)
    keys = sorted({key for each in rows for key in each})
    if min(old_count, new_count) < _LEAST or not keys:
        return _too_few(name, "mix", np.zeros(old_count), np.zeros(new_count))
    table = np.array([[each.get(key, 0) for key in keys] for each in rows], float)
    old, new = table[:old_count], table[old_count:]
    rng = np.random.default_rng(_SEED)
    effect = _distance(old, new)
    some_old, some_new = _some(old, rng), _some(new, rng)
    drawn = [
        _distance(some_old[rng.integers(0, len(some_old), len(some_old))],
                  some_new[rng.integers(0, len(some_new), len(some_new))])
        for _ in range(resamples)
    ]  # fmt: skip
    low, high = np.quantile(drawn, [alpha / 2, 1 - alpha / 2])
    pool, cut, least = np.concatenate([some_old, some_new]), len(some_old), _distance(some_old, some_new)
    chance = 1
    for _ in range(resamples):
        order = rng.permutation(len(pool))
        chance += _distance(pool[order[:cut]], pool[order[cut:]]) >= least
    shares = zip(keys, old.sum(axis=0) / old.sum(), new.sum(axis=0) / new.sum(), strict=True)
    parts = sorted(
        ((key, (float(p), float(q))) for key, p, q in shares), key=lambda each: -abs(each[1][1] - each[1][0])
    )
    return Moved(
        name=name, kind="mix", before=0.0, now=effect, effect=effect, low=float(low), high=float(high),
        moved=chance / (resamples + 1) < alpha, counts=(old_count, new_count), parts=dict(parts),
    )  # fmt: skip


def _distance(old: Values, new: Values) -> float:
    p, q = old.sum(axis=0), new.sum(axis=0)
    return float(np.abs(p / p.sum() - q / q.sum()).sum() / 2)


def _some(values: Values, rng: np.random.Generator) -> Values:
    return values if len(values) <= _MOST else values[rng.choice(len(values), _MOST, replace=False)]


def _too_few(name: str, kind: Literal["value", "share", "mix"], old: Values, new: Values) -> Moved:
    middle = np.median if kind == "value" else np.mean
    before, now = (float(middle(side)) if len(side) else math.nan for side in (old, new))
    return Moved(
        name=name, kind=kind, before=before, now=now, effect=0.0, low=math.nan, high=math.nan, moved=False,
        counts=(len(old), len(new)), parts={},
    )  # fmt: skip


def _z(alpha: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - alpha / 2)
