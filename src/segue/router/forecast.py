"""What a generation may come to, before it is made: how many tokens, how many dollars.

In: the deployments that may answer, the request's estimate, and what was learned from earlier answers. Out: a
`Forecast`. What is held for it, and what happens where a budget does not allow it, is decided in
`segue.graphs.allowance`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from segue.base.quick import quick
from segue.base.usage import Usage

if TYPE_CHECKING:
    from segue.router.deployment import Deployment

UNLEARNED_OUTPUT_TOKENS = 1024
"""What an answer is expected to take where nothing was learned yet and nobody capped it."""
_USUAL_OUTPUT_TOKENS = 128.0
_REMEMBERED = 64
"""Answers that are remembered of each deployment and speaker."""
_PAIRS = 4096
"""Pairs of deployment and speaker that are remembered."""
_PROBE_TOKENS = 1_000_000
"""Output that is priced to learn what one more token costs."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What one generation by a route may come to."""

    input_tokens: int
    """The estimate, corrected by what servers counted for earlier ones."""
    typical_output_tokens: int
    """The 95th percentile of what this speaker's answers took; 1,024 until one is known."""
    max_output_tokens: int | None = None
    """The cap that holds anyway, by the request, the route or every deployment; `None` where there is none."""
    context_tokens: int | None = None
    """Of the deployment that takes the longest conversation; `None` where none of them says."""
    input_usd: float = 0.0
    """What the input costs at the dearest deployment whose price is known, or the generation where that is flat."""
    usd_per_output_token: float = 0.0
    """At the dearest deployment whose price is known."""
    unpriced: tuple[str, ...] = ()
    """Deployments whose price is not known; they count as 0 here."""

    def cost_usd(self, output_tokens: int) -> float:
        """The worst case in dollars for an answer of at most this length."""
        return self.input_usd + output_tokens * self.usd_per_output_token


class _Outputs:
    """The latest answers of one deployment to one speaker: their tokens, in order and by size, and the sum of them."""

    __slots__ = ("_by_size", "sum", "tokens")

    def __init__(self) -> None:
        self.tokens: deque[int] = deque(maxlen=_REMEMBERED)
        self.sum = 0
        self._by_size: list[int] = []

    def p95(self) -> int:
        """The 95th percentile."""
        held = self._by_size
        return held[min(len(held) - 1, int(len(held) * 0.95))]

    def add(self, tokens: int) -> None:
        held, by_size = self.tokens, self._by_size
        if len(held) == _REMEMBERED:
            self.sum -= held[0]
            del by_size[bisect_left(by_size, held[0])]
        self.sum += tokens
        held.append(tokens)
        insort(by_size, tokens)


class Lengths:
    """Remembers how long answers were, and how far input estimates were off; by deployment and speaker."""

    def __init__(self) -> None:
        self._outputs: OrderedDict[tuple[str, str], _Outputs] = OrderedDict()
        self._factors: dict[str, deque[float]] = {}
        self._most: dict[str, float] = {}
        """The largest of each deployment's factors, where it was asked for since the last was learned."""

    def learn(self, deployment: str, speaker: str, *, estimate: int, usage: Usage) -> None:
        """Take in one answer; `estimate` is what its input was thought to be, 0 where nobody said."""
        key = (deployment, speaker)
        outputs = self._outputs.get(key)
        if outputs is None:
            outputs = self._outputs[key] = _Outputs()
            if len(self._outputs) > _PAIRS:
                self._outputs.popitem(last=False)
        else:
            self._outputs.move_to_end(key)
        outputs.add(usage.output_tokens)
        if estimate > 0 and usage.input_tokens > 0:
            factors = self._factors.get(deployment)
            if factors is None:
                factors = self._factors[deployment] = deque(maxlen=_REMEMBERED)
            factors.append(usage.input_tokens / estimate)
            self._most.pop(deployment, None)

    def typical(self, deployments: Sequence[str], speaker: str) -> int:
        """The 95th percentile of output tokens, of the deployment whose answers are longest."""
        if len(deployments) == 1:
            one = self._outputs.get((deployments[0], speaker))
            return UNLEARNED_OUTPUT_TOKENS if one is None else max(1, one.p95())
        found = [held.p95() for name in deployments if (held := self._outputs.get((name, speaker)))]
        return max(1, int(max(found))) if found else UNLEARNED_OUTPUT_TOKENS

    def usual(self, deployments: Sequence[str], speaker: str) -> float:
        """The mean of output tokens; 128 until one is known."""
        if len(deployments) == 1:
            one = self._outputs.get((deployments[0], speaker))
            return _USUAL_OUTPUT_TOKENS if one is None else one.sum / len(one.tokens)
        found = [held for name in deployments if (held := self._outputs.get((name, speaker)))]
        if not found:
            return _USUAL_OUTPUT_TOKENS
        return sum([held.sum for held in found]) / sum([len(held.tokens) for held in found])

    def factor(self, deployments: Iterable[str]) -> float:
        """How many tokens a server counts for one that was estimated, where it counts most; at least 1."""
        found = 1.0
        for name in deployments:
            most = self._most.get(name)
            if most is None:
                most = self._most[name] = max(self._factors.get(name, ()), default=1.0)
            if most > found:
                found = most
        return found


async def forecast(
    deployments: Sequence[Deployment],
    lengths: Lengths,
    *,
    speaker: str,
    input_tokens: int,
    max_output_tokens: int | None,
    priced: bool,
) -> Forecast:
    """What a generation by one of these deployments may come to; prices are looked up only where `priced`."""
    if len(deployments) == 1:
        return await _of_one(deployments[0], lengths, speaker, input_tokens, max_output_tokens, priced)
    names = [each.name for each in deployments]
    caps = [each.max_output_tokens for each in deployments if each.max_output_tokens is not None]
    limits = [max(caps)] if caps and len(caps) == len(deployments) else []
    if max_output_tokens is not None:
        limits.append(max_output_tokens)
    expected = ceil(input_tokens * lengths.factor(names))
    input_usd, slope, unpriced = await _prices(deployments, expected) if priced else (0.0, 0.0, ())
    return Forecast(
        input_tokens=expected,
        typical_output_tokens=lengths.typical(names, speaker),
        max_output_tokens=min(limits, default=None),
        context_tokens=max([each.context_tokens for each in deployments if each.context_tokens], default=None),
        input_usd=input_usd,
        usd_per_output_token=slope,
        unpriced=unpriced,
    )


async def _of_one(
    only: Deployment, lengths: Lengths, speaker: str, input_tokens: int, cap: int | None, priced: bool
) -> Forecast:
    """The same for one deployment, as most routes have."""
    own, names = only.max_output_tokens, (only.name,)
    expected = ceil(input_tokens * lengths.factor(names))
    input_usd, slope, unpriced = await _prices((only,), expected) if priced else (0.0, 0.0, ())
    return Forecast(
        input_tokens=expected,
        typical_output_tokens=lengths.typical(names, speaker),
        max_output_tokens=cap if own is None else own if cap is None else min(own, cap),
        context_tokens=only.context_tokens or None,
        input_usd=input_usd,
        usd_per_output_token=slope,
        unpriced=unpriced,
    )


async def _prices(deployments: Sequence[Deployment], input_tokens: int) -> tuple[float, float, tuple[str, ...]]:
    dearest, slope, unpriced = 0.0, 0.0, []
    for each in deployments:
        base = await each.quote(input_tokens, 0)
        whole = await each.quote(input_tokens, _PROBE_TOKENS)
        if base is None or whole is None:
            unpriced.append(each.name)
        else:
            dearest, slope = max(dearest, base), max(slope, (whole - base) / _PROBE_TOKENS)
    return dearest, slope, tuple(unpriced)
