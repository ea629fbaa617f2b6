"""Planner and Team: one who plans, and those who do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from segue.agents import prompts
from segue.agents.foreign import GraphWorker
from segue.agents.runnable import Runnable, checked_name
from segue.base.budget import Budget
from segue.base.errors import UserError
from segue.graphs.generation import Speaker
from segue.graphs.history import History
from segue.graphs.migration import read_migrations
from segue.graphs.specs import TeamSpec, Worker
from segue.graphs.typed import OutputType
from segue.guards.given import as_rails

if TYPE_CHECKING:
    from segue.graphs.graph import Graph

_TAKEN = frozenset({"plan", "dispatch", "gather", "answer", "guard_input", "guard_plan", "guard_output"})


class Planner:
    """Who makes the plan and gives the answer."""

    def __init__(
        self,
        *,
        model: Any = None,
        instructions: str = "",
        max_tasks: int = 12,
        max_replans: int = 1,
        temperature: float | None = None,
        max_output_tokens: int | None = None,
    ) -> None:
        """Describe the planner.

        Args:
            model: As `Agent`'s.
            instructions: What it should know besides how to plan.
            max_tasks: The most tasks of one plan.
            max_replans: How often it may plan again after tasks failed.
            temperature: `None` is the route's.
            max_output_tokens: Tokens of one generation; `None` is the route's.

        Raises:
            UserError: A bound is below what makes sense.
        """
        if max_tasks < 1 or max_replans < 0:
            raise UserError(f"Planner(max_tasks={max_tasks}, max_replans={max_replans}): at least 1 task and 0 replans")
        self.model = model
        self.instructions = instructions
        self.max_tasks = max_tasks
        self.max_replans = max_replans
        self.temperature = temperature
        self.max_output_tokens = max_output_tokens

    def speaker(self, name: str) -> Speaker:
        """The planner as one who generates."""
        return Speaker(
            name=name,
            instructions=prompts.planner(self.instructions),
            model=self.model,
            temperature=self.temperature,
            max_output_tokens=self.max_output_tokens,
        )


class Team(Runnable):
    """A planner and its workers under one name."""

    def __init__(
        self,
        name: str,
        *,
        planner: Planner | None = None,
        workers: Sequence[Any],
        guards: Sequence[Any] = (),
        description: str = "",
        output_type: Any = str,
        deps_type: Any = None,
        budget: Budget | None = None,
        history: History = None,
        version: str = "",
        migrations: Mapping[str, Any] | None = None,
    ) -> None:
        """Put the team together.

        Args:
            name: Its name.
            planner: `None` is a planner on the default route.
            workers: Agents, teams, `GraphWorker`s, or compiled LangGraph graphs that have a name.
            guards: Rails, functions of `(text, ctx)`, guardrails-ai validators; asked in this order. Those on tool
                calls and results hold for every worker.
            description: What it does, in a sentence.
            output_type: What its answer must be, as `Agent`'s.
            deps_type: What `deps` of a run must be an instance of.
            budget: The most that one run of it, or one task of another team, may spend, within what the run may.
            history: What of a long thread the planner reads, as `Agent`'s.
            version: What people call this state of it; threads are stamped with it.
            migrations: By the version that they start from, oldest first: functions of the stored state that give the
                next version's, or `Migration`s.

        Raises:
            UserError: No worker, two of one name, or something that is no worker. The message names it.
        """
        self.name = checked_name(name, "a team")
        self.description = description
        self.planner = planner or Planner()
        self.members = tuple(workers)
        self.output = OutputType.of(output_type, f"Team({name!r})")
        self.deps_type = deps_type
        self.version, self.migrations = version, read_migrations(migrations, version)
        self.rails = as_rails(guards, f"Team({name!r})")
        self.budget, self.history = budget, history
        self.workers = _workers(self.name, self.members)

    def draw(self) -> Graph:
        """The graph, not yet compiled."""
        from segue.graphs.team import team_graph

        return team_graph(
            TeamSpec(
                name=self.name,
                planner=self.planner.speaker(self.name),
                workers=self.workers,
                output=self.output,
                max_tasks=self.planner.max_tasks,
                max_replans=self.planner.max_replans,
                rails=self.rails,
                budget=self.budget,
                history=self.history,
            )
        )

    def fresh_input(self) -> dict[str, Any]:
        """A new run starts without plan and results."""
        fresh: dict[str, Any] = {"plan": [], "results": None, "plans": 0, "wave": 0, "blocked": ""}
        return fresh if self.budget is None else {**fresh, "spent": None}

    async def open(self) -> None:
        """Connect the workers' toolsets."""
        for member in self.members:
            if isinstance(member, Runnable):
                await member.open()

    async def close(self) -> None:
        """Let go of the workers' toolsets."""
        for member in self.members:
            if isinstance(member, Runnable):
                await member.close()

    def as_worker(self) -> Worker:
        """The team as another team sees it."""
        return Worker(
            name=self.name,
            description=self.description or f"The team {self.name}: {', '.join(each.name for each in self.workers)}.",
            load=lambda: self.graph,
            enter=lambda messages: {"messages": messages, **self.fresh_input()},
            leave=self.leave,
        )


def _workers(team: str, members: Sequence[Any]) -> tuple[Worker, ...]:
    if not members:
        raise UserError(f"Team({team!r}) has no workers.", way_out="Give at least one agent: workers=[…].")
    found: dict[str, Worker] = {}
    for member in members:
        worker = as_worker(f"Team({team!r})", member)
        if not worker.description:
            raise UserError(
                f"agent {worker.name!r} has no description.", way_out="Write one: the planner chooses workers by it."
            )
        if worker.name in found:
            raise UserError(f"Team({team!r}): two workers are called {worker.name!r}; rename one")
        if worker.name in _TAKEN:
            raise UserError(f"Team({team!r}): {worker.name!r} is a node of every team; give the worker another name")
        found[worker.name] = worker
    return tuple(found.values())


def as_worker(owner: str, member: Any) -> Worker:
    """An agent, a team, a `GraphWorker` or a compiled graph as one who does tasks.

    Raises:
        UserError: It is none of these; the message names the owner.
    """
    if isinstance(member, Runnable | GraphWorker):
        return member.as_worker()
    if hasattr(member, "ainvoke") and hasattr(member, "get_graph"):
        return GraphWorker.of(member).as_worker()
    raise UserError(
        f"{owner}: {member!r} is no worker.", way_out="Give agents, teams, or GraphWorker('name', graph, …)."
    )
