"""Citations: an answer in, and out whether it cites, and cites only what the agent was shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from segue.base.citations import citations_in
from segue.base.errors import UserError
from segue.context.decisions import Allow, Ask, Block, Decision
from segue.context.run import RunContext
from segue.guards.rail import Rail, Subject, makes_rail

_SHORT = 40
"""Up to so many characters an answer need not cite: a greeting, a question back."""


@makes_rail
def cites_sources(
    *, required: bool = True, unless: Iterable[str] = (), action: Literal["block", "ask"] = "block"
) -> Rail:
    """Let an answer pass that cites, as in `[handbook/returns.md:12-18]`, only what tools have shown in this thread.

    `required`: one that cites nothing does not pass either, if it is longer than a greeting and holds none of the
    texts in `unless`, such as "I found nothing". Whether what is cited says so is beyond it: see `segue.evals`.

    Raises:
        UserError: The action is unknown.
    """
    if action not in ("block", "ask"):
        raise UserError(f"rail 'cites_sources': action is block or ask, not {action!r}")
    return _Cites(required, [unless] if isinstance(unless, str) else list(unless), action)


class _Cites(Rail):
    name = "cites_sources"
    places = frozenset({"output"})

    def __init__(self, required: bool, unless: list[str], action: str) -> None:
        self._required = required
        self._unless = [each.casefold() for each in unless]
        self._action = action

    async def check(self, subject: Subject, ctx: RunContext[Any]) -> Decision:
        """Hold what is cited against what was shown."""
        cited = citations_in(subject.text)
        shown = {each for text in subject.shown for each in citations_in(text)}
        unknown = [each for each in cited if not any(each.within(other) for other in shown)]
        if unknown:
            return self._no(f"{len(unknown)} of its citations lead to what no tool has shown")
        if not cited and self._required and len(subject.text.strip()) > _SHORT and not self._excused(subject.text):
            return self._no("it cites nothing")
        return Allow()

    def _excused(self, text: str) -> bool:
        said = text.casefold()
        return any(each in said for each in self._unless)

    def _no(self, why: str) -> Decision:
        return Block(why, self.name) if self._action == "block" else Ask(why, self.name)
