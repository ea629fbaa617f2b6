"""Usage: the tokens and cost of one generation, or the sum of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from segue.base.quick import quick


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens and cost. Adding two gives the sum; an unknown cost stays unknown, it never counts as 0."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Of the input tokens, those that the server had in its prefix cache."""
    reasoning_tokens: int = 0
    """Of the output tokens, those spent on reasoning."""
    model_calls: int = 0
    tool_calls: int = 0
    cost_usd: float | None = 0.0
    """`None` where the price of at least one generation is not known."""

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        unknown = self.cost_usd is None or other.cost_usd is None
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            model_calls=self.model_calls + other.model_calls,
            tool_calls=self.tool_calls + other.tool_calls,
            cost_usd=None if unknown else (self.cost_usd or 0.0) + (other.cost_usd or 0.0),
        )

    def at_cost(self, cost_usd: float | None) -> Usage:
        """The same tokens at this cost; itself where that is its cost."""
        if cost_usd is None and self.cost_usd is None:
            return self
        return Usage(
            input_tokens=self.input_tokens, output_tokens=self.output_tokens, cached_tokens=self.cached_tokens,
            reasoning_tokens=self.reasoning_tokens, model_calls=self.model_calls, tool_calls=self.tool_calls,
            cost_usd=cost_usd,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a state channel or a store."""
        return {
            "input_tokens": self.input_tokens, "output_tokens": self.output_tokens,
            "cached_tokens": self.cached_tokens, "reasoning_tokens": self.reasoning_tokens,
            "model_calls": self.model_calls, "tool_calls": self.tool_calls, "cost_usd": self.cost_usd,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Usage:
        """The inverse of `to_dict`; unknown keys are left out."""
        return cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data})
