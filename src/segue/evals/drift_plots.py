"""Plots of the drift report, as SVG: figures in, small drawings out. Colours are the page's, for both themes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from segue.evals.moved import Moved

WIDTH = 340
_LEFT, _RIGHT = 8, 332
_NAMES = 6


def quantile_plot(figure: Moved) -> str:
    """Both stretches as bars: from the 5th to the 95th of a hundred thin, the middle half thick, the median a line."""
    old, new = figure.quantiles
    place, ticks = _scale([*old, *new])
    parts = [_axis(ticks, place, 66)]
    for marks, top, kind in ((old, 14, "old"), (new, 40, "new")):
        low, first, middle, third, high = (place(each) for each in marks)
        parts.append(
            f'<line class="{kind}" x1="{low:.1f}" x2="{high:.1f}" y1="{top}" y2="{top}"/>'
            f'<rect class="{kind}" x="{first:.1f}" y="{top - 7}" width="{max(1.0, third - first):.1f}" height="14"'
            f' rx="2"/>'
            f'<line class="median" x1="{middle:.1f}" x2="{middle:.1f}" y1="{top - 9}" y2="{top + 9}"/>'
        )
    words = f"{figure.name}: median {figure.before:.4g} before, {figure.now:.4g} now"
    return _svg(88, words, parts)


def effect_plot(figure: Moved) -> str:
    """The effect with its interval, on a line from -1 to 1."""

    def place(value: float) -> float:
        return _LEFT + (max(-1.0, min(1.0, value)) + 1) / 2 * (_RIGHT - _LEFT)

    middle = figure.effect if figure.kind == "value" else figure.now - figure.before
    kind = "moved" if figure.moved else "quiet"
    parts = [
        f'<line class="axis" x1="{_LEFT}" x2="{_RIGHT}" y1="14" y2="14"/>',
        f'<line class="axis" x1="{place(0):.1f}" x2="{place(0):.1f}" y1="4" y2="24"/>',
        f'<line class="{kind}" x1="{place(figure.low):.1f}" x2="{place(figure.high):.1f}" y1="14" y2="14"/>',
        f'<circle class="{kind}" cx="{place(middle):.1f}" cy="14" r="5"/>',
        _word(_LEFT, 40, "-1"), _word(place(0), 40, "0", "middle"), _word(_RIGHT, 40, "1", "end"),
    ]  # fmt: skip
    return _svg(46, f"effect {middle:.3f}, from {figure.low:.3f} to {figure.high:.3f}", parts)


def share_plot(shares: Sequence[tuple[str, tuple[float, float]]]) -> str:
    """For each name two bars, before and now; the names that moved most come first, the rest is left out."""
    parts, top = [], 12
    for name, pair in shares[:_NAMES]:
        if name:
            parts.append(_word(_LEFT, top, _short(name)))
            top += 6
        for share, kind in zip(pair, ("old", "new"), strict=True):
            long = share * (_RIGHT - _LEFT - 60)
            parts.append(f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{max(1.0, long):.1f}" height="9" rx="2"/>')
            parts.append(_word(_LEFT + max(1.0, long) + 5, top + 8.5, f"{100 * share:.1f} %"))
            top += 12
        top += 14
    if len(shares) > _NAMES:
        parts.append(_word(_LEFT, top, f"and {len(shares) - _NAMES} more"))
        top += 10
    return _svg(top, "shares before and now", parts)


def _scale(values: Sequence[float]) -> tuple[Callable[[float], float], list[float]]:
    """Where a value stands, and what to write below: by logarithms where the values span much."""
    low, high = min(values), max(values)
    if low > 0 and high / low > 20:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        step = max(1, round((last - first) / 4))
        ticks = [10.0**power for power in range(first, last + 1, step)]
        span = max(1, last - first)
        return lambda value: _LEFT + (math.log10(value) - first) / span * (_RIGHT - _LEFT), ticks
    spread = (high - low) or abs(high) or 1.0
    low, high = (0.0 if 0 <= low < spread else low - 0.05 * spread), high + 0.05 * spread
    return lambda value: _LEFT + (value - low) / (high - low) * (_RIGHT - _LEFT), _ticks(low, high)


def _ticks(low: float, high: float) -> list[float]:
    step = 10 ** math.floor(math.log10((high - low) / 3))
    step *= next(each for each in (1, 2, 5, 10) if (high - low) / (step * each) <= 5)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _axis(ticks: Sequence[float], place: Callable[[float], float], top: int) -> str:
    drawn = [f'<line class="axis" x1="{_LEFT}" x2="{_RIGHT}" y1="{top}" y2="{top}"/>']
    for tick in ticks:
        at = place(tick)
        anchor = "start" if at < _LEFT + 14 else "end" if at > _RIGHT - 14 else "middle"
        drawn.append(f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{top + 4}"/>')
        drawn.append(_word(at, top + 17, f"{tick:g}", anchor))
    return "".join(drawn)


def _word(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _short(text: str) -> str:
    return text if len(text) <= 46 else f"{text[:45]}…"


def _svg(height: float, words: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}" role="img" '
        f'aria-label="{escape(words)}">{"".join(parts)}</svg>'
    )
