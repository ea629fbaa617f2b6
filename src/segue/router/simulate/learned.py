"""Figures of hosts out of recorded generations: spans in, what they say of each deployment out.

Reading is the slope of the time to the first token over the tokens that had to be read: the median of the slopes of
pairs (Theil and Sen), which a few odd ones do not move. A token of an answer takes what it took when the host had
little to do: the time that a fifth of the answers stay below. Both are as busy as the host was when they were recorded.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

from segue.router.simulate.traced import cached_tokens, input_tokens, output_tokens
from segue.tracing.spans import SpanRow

ENOUGH = 30
"""Fewer generations of a deployment say nothing of it."""
_PAIRS = 10
_APART_TOKENS = 400
"""Two generations whose tokens differ less say nothing of how fast they are read."""
_LEAST_OUTPUT = 8


def learned(spans: Iterable[SpanRow]) -> dict[str, dict[str, Any]]:
    """Figures as `segue.router.simulate.figures` has them, by deployment; without those that too little is known of."""
    held: dict[str, list[SpanRow]] = {}
    for span in spans:
        known = span.attributes.get("segue.first_token_s") is not None
        if span.status == "ok" and known and int(span.attributes.get("segue.attempts") or 1) == 1:
            held.setdefault(str(span.attributes.get("segue.deployment", "")), []).append(span)
    out = {}
    for name, each in held.items():
        if len(each) >= ENOUGH and (found := _of(each)):
            out[name] = {**found, "source": f"learned from {len(each)} generations"}
    return out


def _of(spans: list[SpanRow]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    token_s = sorted(
        ((span.end_ns - span.start_ns) / 1e9 - _first_s(span)) / (output_tokens(span) - 1)
        for span in spans
        if output_tokens(span) > _LEAST_OUTPUT
    )
    if len(token_s) >= ENOUGH and token_s[len(token_s) // 5] > 0:
        found["token_s"] = round(token_s[len(token_s) // 5], 6)
    points = sorted((input_tokens(span) - cached_tokens(span), _first_s(span)) for span in spans)
    half = len(points) // 2
    pairs = zip(points[:half], points[-half:], strict=True)
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs if b[0] - a[0] > _APART_TOKENS]
    if len(slopes) >= _PAIRS and (slope := statistics.median(slopes)) > 0:
        found["read_tokens_s"] = round(1 / slope, 1)
        rest = statistics.median(first_s - new * slope for new, first_s in points) - found.get("token_s", 0.0)
        found["first_token_s"] = round(max(0.0, rest), 6)
    return found


def _first_s(span: SpanRow) -> float:
    return float(span.attributes["segue.first_token_s"])
