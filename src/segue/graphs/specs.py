"""Specs: everything that the graphs of agents and teams are drawn from, as frozen data.

What people write is turned into these at once; the graphs, and LangGraph with them, are loaded when they are drawn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from segue.base.budget import Budget
from segue.base.messages import Message
from segue.context.run import RunContext
from segue.graphs.generation import Recall, Speaker, json_tokens
from segue.graphs.plan import plan_schema
from segue.graphs.typed import OutputType
from segue.guards.rail import Rail
from segue.tools.tool import Tool
from segue.tools.toolset import CombinedToolset


@dataclass(frozen=True, kw_only=True)
class WorkerSpec:
    """Everything that a worker graph is drawn from."""

    name: str
    instructions: str | Callable[[RunContext[Any]], str]
    model: Any
    toolset: CombinedToolset
    output: OutputType | None
    max_rounds: int
    max_parallel_tools: int
    temperature: float | None = None
    max_output_tokens: int | None = None
    rails: tuple[Rail, ...] = ()
    """In the order in which they are asked."""
    budget: Budget | None = None
    """The most that one invocation may spend, within what those above it may."""
    history: Any = None
    """What of a long thread the model reads: a `Window`, a `Summarise`, or `None`."""
    max_repeats: int | None = 3
    """How often the same call may give the same result before the model is told; `None` for no bound."""

    def speaker(self, ctx: RunContext[Any], recall: Recall | None = None) -> Speaker:
        """The agent as one who generates."""
        text = self.instructions if isinstance(self.instructions, str) else self.instructions(ctx)
        offered = self._offered()
        return Speaker(
            name=self.name,
            instructions=text,
            model=self.model,
            tools=offered.schemas,
            tools_tokens=offered.tokens,
            temperature=self.temperature,
            max_output_tokens=self.max_output_tokens,
            prompt=getattr(self.instructions, "about", {}),
            recall=recall,
            reads=offered.reads,
        )

    def _offered(self) -> _Offered:
        """What the tools are to a model: worked out once for as long as they are the same."""
        tools = self.toolset.tools()
        known: _Offered | None = self.__dict__.get("_known")
        if known is None or known.tools is not tools:
            schemas = tuple(tool.schema() for tool in tools)
            reads = frozenset(tool.name for tool in tools if tool.effect == "read")
            known = self.__dict__["_known"] = _Offered(tools, schemas, json_tokens(schemas), reads)
        return known


class _Offered(NamedTuple):
    tools: Sequence[Tool]
    schemas: tuple[dict[str, Any], ...]
    tokens: int
    reads: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Worker:
    """One who does tasks: any runnable graph, with the way in and the way out of its state."""

    name: str
    description: str
    """What it does, for the planner."""
    load: Callable[[], Any]
    """Gives the graph, once it is needed."""
    enter: Callable[[list[Message]], Any]
    """The task as messages in, the graph's input out."""
    leave: Callable[[Any], Awaitable[str] | str]
    """The graph's final state in, the text of its answer out."""
    foreign: bool = False
    """Whether the graph is not ours: what it raises then fails its task, not the run."""


@dataclass(frozen=True, kw_only=True)
class TeamSpec:
    """Everything that a planner graph is drawn from."""

    name: str
    planner: Speaker
    """Its `tools` are filled in here: the one is `submit_plan`."""
    workers: tuple[Worker, ...]
    output: OutputType | None
    max_tasks: int
    max_replans: int
    rails: tuple[Rail, ...] = ()
    """In the order in which they are asked; those on tool calls and results hold for every worker."""
    budget: Budget | None = None
    """The most that one invocation may spend, within what those above it may."""
    history: Any = None
    """What of a long thread the planner reads: a `Window`, a `Summarise`, or `None`."""

    def speaker(self, recall: Recall | None = None) -> Speaker:
        """The planner as one who generates, with the way to hand in a plan."""
        schema = plan_schema({worker.name: worker.description for worker in self.workers}, max_tasks=self.max_tasks)
        return Speaker(
            name=self.planner.name,
            instructions=self.planner.instructions,
            model=self.planner.model,
            tools=(schema,),
            temperature=self.planner.temperature,
            max_output_tokens=self.planner.max_output_tokens,
            recall=recall,
        )
