"""How fast deployments were, out of recorded generations: spans in, medians by deployment out."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from segue.tracing.spans import SpanRow


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What the recorded generations of one deployment say."""

    generations: int = 0
    first_token_s: float | None = None
    """The median."""
    tokens_s: float | None = None
    """Tokens a second of one answer after its first token, the median."""
    hit_rate: float | None = None
    """The part of input tokens that its server had cached; `None` where it never said so."""
    cost_usd: float | None = 0.0
    """Of all of them; `None` where the price of one is not known."""


def speeds(spans: Iterable[SpanRow]) -> dict[str, Speed]:
    """By deployment, of the generations that were answered."""
    held: dict[str, list[SpanRow]] = {}
    for span in spans:
        if span.status == "ok":
            held.setdefault(str(span.attributes.get("segue.deployment", "")), []).append(span)
    return {name: _speed(each) for name, each in held.items()}


def _speed(spans: list[SpanRow]) -> Speed:
    first, rates = list[float](), list[float]()
    given = cached = 0
    for span in spans:
        said = span.attributes
        given += int(said.get("gen_ai.usage.input_tokens") or 0)
        cached += int(said.get("gen_ai.usage.cache_read.input_tokens") or 0)
        first_s = said.get("segue.first_token_s")
        if first_s is None:
            continue
        first.append(float(first_s))
        came, rest_s = int(said.get("gen_ai.usage.output_tokens") or 0), (span.end_ns - span.start_ns) / 1e9 - first[-1]
        if came > 1 and rest_s > 0:
            rates.append((came - 1) / rest_s)
    costs = [span.attributes.get("segue.cost_usd") for span in spans]
    return Speed(
        generations=len(spans),
        first_token_s=statistics.median(first) if first else None,
        tokens_s=statistics.median(rates) if rates else None,
        hit_rate=cached / given if cached and given else None,
        cost_usd=None if None in costs else sum(float(cost or 0.0) for cost in costs),
    )
