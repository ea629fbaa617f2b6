"""TextRail: a check that sees text only. A subject goes in, each text in it is looked at, one verdict comes out.

Data - a plan, arguments, typed output - is walked leaf by leaf, so that what is escaped in JSON is found and a rewrite
never breaks the shape. What is looked for is the subclass's own.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from segue.context.decisions import Allow, Ask, Block, Decision, Rewrite
from segue.context.run import RunContext
from segue.guards.rail import Rail, Subject

ALLOW = Allow()
DEEPEST = 64
"""Levels of data that are looked at; what lies deeper is blocked."""


class TextRail(Rail):
    """A check of text alone; a subclass says what to do with one text."""

    @abstractmethod
    def look(self, text: str, before: str = "") -> Decision:
        """Say what to do with this text; a `Rewrite` holds text again.

        `before` is what stands before it and is no part of it: the name of its field, and a colon.
        """

    async def check(self, subject: Subject, ctx: RunContext[Any]) -> Decision:
        """Look at the text, or at every text, number and field name in the data."""
        return self.seen(subject)

    def seen(self, subject: Subject) -> Decision:
        """The same at once: it waits for nothing, and changes nothing that it is shown."""
        if subject.value is None or isinstance(subject.value, str):
            return self.look(subject.text if subject.value is None else subject.value)
        said: list[Decision] = []
        value = self._walk(subject.value, "", said, DEEPEST)
        if not said:
            return ALLOW
        for kind in (Block, Ask):
            for decision in said:
                if isinstance(decision, kind):
                    return decision
        rewrites = [decision for decision in said if isinstance(decision, Rewrite)]
        return Rewrite(value, rewrites[0].reason, rewrites[0].rule) if rewrites else ALLOW

    def _walk(self, value: Any, before: str, said: list[Decision], levels: int) -> Any:
        kind = type(value)
        if kind is not str and kind is not int:
            if levels == 0:
                said.append(Block(f"data of more than {DEEPEST} levels is not looked at", self.name))
                return value
            if isinstance(value, dict):
                levels -= 1
                return {self._key(key, said): self._walk(held, f"{key}: ", said, levels) for key, held in value.items()}
            if isinstance(value, list | tuple):
                return [self._walk(held, before, said, levels - 1) for held in value]
            if isinstance(value, bool) or value is None:
                return value
        verdict = self.look(value if isinstance(value, str) else str(value), before)
        if verdict is ALLOW:
            return value
        said.append(verdict)
        return verdict.value if isinstance(verdict, Rewrite) else value

    def _key(self, key: Any, said: list[Decision]) -> Any:
        verdict = self.look(str(key))
        if verdict is ALLOW:
            return key
        if isinstance(verdict, Rewrite):  # by another name it would be another field
            verdict = Block(f"{verdict.reason}, in the name of a field", verdict.rule)
        said.append(verdict)
        return key
