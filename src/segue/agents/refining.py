"""Refine: one who writes, one who judges, and a bound."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import BaseModel, Field

from segue.agents.functions import callable_with
from segue.agents.runnable import Runnable, checked_name
from segue.base.budget import Budget
from segue.base.errors import OperatorError, UserError
from segue.base.messages import Message, text_of, user
from segue.context.run import RunContext
from segue.graphs.specs import Worker
from segue.guards.given import as_rails

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from segue.graphs.graph import Graph


class Review(BaseModel):
    """What somebody says about a draft."""

    accepted: bool = Field(description="Whether the draft can stand as it is.")
    feedback: str = Field(default="", description="What to do better; empty where it is accepted.")
    score: float | None = Field(default=None, description="How good it is, higher is better.")


class Refine(Runnable):
    """Has an answer written, judged, and written again until it is accepted."""

    def __init__(
        self,
        name: str,
        *,
        writer: Runnable,
        critic: Runnable | Callable[..., Any],
        max_rounds: int = 3,
        on_exhausted: Literal["best", "stop"] = "best",
        guards: Sequence[Any] = (),
        description: str = "",
        deps_type: Any = None,
        budget: Budget | None = None,
    ) -> None:
        """Put it together.

        Args:
            name: Its name.
            writer: Who writes: an agent or a team. Its output type is the answer's.
            critic: Who judges: an agent whose `output_type` is `Review` (or has its fields), or a function of
                `(draft)` or `(draft, ctx)` that gives a `Review` or a bool, sync or async.
            max_rounds: The most drafts.
            on_exhausted: Where none was accepted: `"best"` gives the one with the highest score, the last one where
                there are no scores, and says so in the trace; `"stop"` ends the run as stopped, with the reason `loop`.
            guards: Rails, as `Team`'s.
            description: What it does, in a sentence.
            deps_type: What `deps` of a run must be an instance of.
            budget: The most that one run of it, or one task of a team, may spend, within what the run may.

        Raises:
            UserError: A member or a bound does not fit. The message names it.
        """
        self.name = checked_name(name, "a refining pair")
        if not isinstance(writer, Runnable):
            raise UserError(f"Refine({name!r}): the writer is an agent or a team, not {writer!r}")
        if isinstance(critic, Runnable):
            fields = critic.output.schema.get("properties", {}) if critic.output is not None else {}
            if not {"accepted", "feedback"} <= fields.keys():
                raise UserError(
                    f"Refine({name!r}): the critic {critic.name!r} does not say whether it accepts a draft.",
                    way_out="Give it output_type=Review, or a type with the fields accepted and feedback.",
                )
        elif not callable(critic):
            raise UserError(f"Refine({name!r}): the critic is an agent or a function of the draft, not {critic!r}")
        if max_rounds < 1:
            raise UserError(f"Refine({name!r}): max_rounds={max_rounds}; at least 1 draft is needed")
        if on_exhausted not in ("best", "stop"):
            raise UserError(f"Refine({name!r}): on_exhausted is 'best' or 'stop', not {on_exhausted!r}")
        self.writer, self.critic = writer, critic
        self._judge = None if isinstance(critic, Runnable) else callable_with(critic)
        self.description = description or writer.description
        self.output = writer.output
        self.deps_type = deps_type or writer.deps_type
        self.budget = budget
        self.rails = as_rails(guards, f"Refine({name!r})")
        self._max_rounds = max_rounds
        self._best_effort = on_exhausted == "best"

    def draw(self) -> Graph:
        """The graph, not yet compiled."""
        from segue.graphs.refine import RefineSpec, refine_graph

        return refine_graph(
            RefineSpec(
                name=self.name,
                write=self._write,
                review=self._review,
                max_rounds=self._max_rounds,
                best_effort=self._best_effort,
                rails=self.rails,
                budget=self.budget,
            )
        )

    def fresh_input(self) -> dict[str, Any]:
        """A new run starts without drafts."""
        return {"drafts": [], "blocked": ""}

    async def open(self) -> None:
        """Connect the toolsets of both."""
        for member in self._members():
            await member.open()

    async def close(self) -> None:
        """Let go of the toolsets of both."""
        for member in self._members():
            await member.close()

    def as_worker(self) -> Worker:
        """It, as a team sees it."""
        return Worker(
            name=self.name,
            description=self.description or f"{self.name}: writes an answer and has it judged.",
            load=lambda: self.graph,
            enter=lambda messages: {"messages": messages, **self.fresh_input()},
            leave=self.leave,
        )

    def _members(self) -> list[Runnable]:
        return [each for each in (self.writer, self.critic) if isinstance(each, Runnable)]

    async def _write(self, messages: list[Message], config: RunnableConfig, ctx: RunContext[Any]) -> tuple[Any, str]:
        final = await self.writer.graph.ainvoke({"messages": messages, **self.writer.fresh_input()}, config)
        if final.get("blocked"):
            raise OperatorError(
                f"{self.name}: what {self.writer.name} wrote was blocked: {final['blocked']}.",
                way_out="Loosen the writer's guards, or change what it is told.",
            )
        return final.get("output"), self.writer.leave(final)

    async def _review(
        self, draft: str, messages: Sequence[Message], config: RunnableConfig, ctx: RunContext[Any]
    ) -> tuple[bool, str, float | None]:
        if self._judge is not None:
            return _read(self.name, await self._judge(draft, ctx))
        critic = cast(Runnable, self.critic)
        asked = next((text_of(each) for each in reversed(messages) if each["role"] == "user"), "")
        shown = user(f"The request:\n\n{asked}\n\nThe draft:\n\n{draft}")
        final = await critic.graph.ainvoke({"messages": [shown], **critic.fresh_input()}, config)
        return _read(self.name, final.get("output"))


def _read(name: str, said: Any) -> tuple[bool, str, float | None]:
    """A review in the form that a checkpoint holds."""
    if isinstance(said, bool):
        return said, "", None
    if isinstance(said, str):
        said = json.loads(said)
    held = said.model_dump() if isinstance(said, BaseModel) else said
    if not isinstance(held, dict) or not isinstance(held.get("accepted"), bool):
        raise UserError(f"Refine({name!r}): a critic gives a Review or a bool, not {said!r}")
    score = held.get("score")
    return held["accepted"], str(held.get("feedback") or ""), None if score is None else float(score)
