"""Observed: the spans of a stretch of time in; what can be counted and measured of them out, by run, call and verdict.

What alerts are decided by and a drift report compares. A run is counted by its segments that ended otherwise than by
waiting for a person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from segue.tracing.spans import SpanKind, SpanRow

KINDS: tuple[SpanKind, ...] = ("run", "generation", "tool", "verdict")
"""The kinds of spans that are looked at."""
_REFUSED = frozenset({"content_filter", "refusal"})


@dataclass
class Observed:
    """Spans of a stretch of time, by kind."""

    runs: list[SpanRow] = field(default_factory=list)
    generations: list[SpanRow] = field(default_factory=list)
    tools: list[SpanRow] = field(default_factory=list)
    verdicts: list[SpanRow] = field(default_factory=list)

    @classmethod
    def of(cls, rows: Iterable[SpanRow]) -> Observed:
        """Sort them."""
        found = cls()
        places = {
            "run": found.runs, "generation": found.generations, "tool": found.tools, "verdict": found.verdicts,
        }  # fmt: skip
        for row in rows:
            waits = row.kind == "run" and row.status == "waiting"
            if not waits and (place := places.get(row.kind)) is not None:
                place.append(row)
        return found

    def only(self, *, agent: str = "", tool: str = "", rail: str = "") -> Observed:
        """Those of one agent's runs, one tool, one rail; empty for any."""
        runs = [each for each in self.runs if agent in ("", each.name)]
        ids = {each.run_id for each in runs}
        return Observed(
            runs=runs,
            generations=[each for each in self.generations if not agent or each.run_id in ids],
            tools=[each for each in self.tools if tool in ("", each.name) and (not agent or each.run_id in ids)],
            verdicts=[each for each in self.verdicts if rail in ("", each.name) and (not agent or each.run_id in ids)],
        )

    def errors(self) -> list[float]:
        """1 for each run that failed, else 0."""
        return [float(each.status == "error") for each in self.runs]

    def seconds(self) -> list[float]:
        """How long each run took."""
        return [(each.end_ns - each.start_ns) / 1e9 for each in self.runs]

    def refusals(self) -> list[float]:
        """1 for each run that a rail stopped or a model refused, else 0."""
        refused = {
            each.run_id
            for each in self.generations
            if _REFUSED & set(each.attributes.get("gen_ai.response.finish_reasons") or ())
        }
        return [
            float(each.run_id in refused or each.attributes.get("segue.stop_reason") == "blocked") for each in self.runs
        ]

    def first_tokens(self) -> list[float]:
        """Seconds to the first token of each generation that told it."""
        return self._of_generations("segue.first_token_s")

    def costs(self) -> list[float]:
        """Of each generation whose price is known, in dollars."""
        return self._of_generations("segue.cost_usd")

    def costs_by_run(self) -> list[float]:
        """The same, summed by run; a run with a generation of unknown price is left out."""
        found: dict[str, float] = defaultdict(float)
        for each in self.generations:
            cost = each.attributes.get("segue.cost_usd")
            found[each.run_id] += float("nan") if cost is None and each.status == "ok" else cost or 0.0
        return [cost for cost in found.values() if cost == cost]

    def tool_failures(self) -> list[float]:
        """1 for each tool call that failed, else 0."""
        return [float(each.status == "error") for each in self.tools]

    def said(self, verdict: str) -> list[float]:
        """1 for each verdict of a rail that is this one, else 0."""
        return [float(each.attributes.get("segue.verdict") == verdict) for each in self.verdicts]

    def best_scores(self) -> list[float]:
        """By run, the mean over its searches of the best score of each that found something."""
        found: dict[str, list[float]] = defaultdict(list)
        for each in self.tools:
            if scores := each.attributes.get("segue.retrieval.scores"):
                found[each.run_id].append(float(max(scores)))
        return [sum(scores) / len(scores) for scores in found.values()]

    def _of_generations(self, attribute: str) -> list[float]:
        held = (each.attributes.get(attribute) for each in self.generations)
        return [float(value) for value in held if value is not None]
