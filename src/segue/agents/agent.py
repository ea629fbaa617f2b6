"""Agent: instructions, a model and tools under one name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from segue.agents import prompts
from segue.agents.runnable import Runnable, checked_name
from segue.base.budget import Budget
from segue.base.errors import RunStopped, UserError
from segue.base.messages import Message, user
from segue.context.run import RunContext
from segue.graphs.history import History
from segue.graphs.migration import read_migrations
from segue.graphs.specs import Worker, WorkerSpec
from segue.graphs.typed import OutputType
from segue.guards.given import as_rails
from segue.tools.tool import Tool, tool
from segue.tools.toolset import as_toolset

if TYPE_CHECKING:
    from segue.graphs.graph import Graph


class Agent(Runnable):
    """One who answers, with tools. Run it alone, or make it a worker of a team."""

    def __init__(
        self,
        name: str,
        *,
        description: str = "",
        instructions: str | Callable[[RunContext[Any]], str] = "",
        model: Any = None,
        tools: Sequence[Any] = (),
        handoffs: Sequence[Agent] | Callable[[], Sequence[Agent]] = (),
        guards: Sequence[Any] = (),
        output_type: Any = str,
        deps_type: Any = None,
        budget: Budget | None = None,
        history: History = None,
        max_rounds: int = 16,
        max_repeats: int | None = 3,
        max_parallel_tools: int = 8,
        temperature: float | None = None,
        max_output_tokens: int | None = None,
        version: str = "",
        migrations: Mapping[str, Any] | None = None,
    ) -> None:
        """Describe the agent; nothing is opened or called yet.

        Args:
            name: Its name as a node; letters, digits, _ and -.
            description: What it does, in a sentence; a planner chooses workers by it.
            instructions: Its system prompt, or a function of the run context that gives it. A prompt that stays the
                same from call to call keeps the model server's prefix cache warm.
            model: A route name, `"provider:model"`, a LangChain chat model, a deployment or a router; `None` is the
                default route.
            tools: Functions with `@tool`, toolsets, LangChain tools, agents.
            handoffs: Agents that may take over the conversation, each with a description; or a function that gives
                them, so that two can hand over to each other. The one that has the thread keeps it for later runs.
            guards: Rails, functions of `(text, ctx)`, guardrails-ai validators; asked in this order.
            output_type: What its answer must be: `str`, a pydantic model, a dataclass or any type with a JSON schema.
            deps_type: What `deps` of a run must be an instance of; `None` is not checked.
            budget: The most that one run of it, one task or one call as a tool may spend, within what the run may. A
                task that reaches it fails with what it has.
            history: What of a long thread the model reads: `Window(...)` or `Summarise(...)`; `None` is as much as
                fits the model's context, where that is known. The thread keeps all of it.
            max_rounds: Generations of one run before it is stopped as a loop.
            max_repeats: How often the same call may give the same result before the model is told that it goes round;
                if it goes on, the run is stopped as a loop. `None` for no bound.
            max_parallel_tools: Tool calls of one generation that run side by side.
            temperature: `None` is the route's.
            max_output_tokens: Tokens of one generation; `None` is the route's.
            version: What people call this state of it; threads are stamped with it.
            migrations: By the version that they start from, oldest first: functions of the stored state that give the
                next version's, or `Migration`s.

        Raises:
            UserError: A name, a tool or a type does not fit. The message names it.
        """
        self.name = checked_name(name, "an agent")
        self.description = description
        self.instructions = instructions
        self.model = model
        self.toolset = as_toolset(tools)
        self.output = OutputType.of(output_type, f"Agent({name!r})")
        self.deps_type = deps_type
        self.version, self.migrations = version, read_migrations(migrations, version)
        self.rails = as_rails(guards, f"Agent({name!r})")
        if max_rounds < 1:
            raise UserError(f"Agent({name!r}): max_rounds={max_rounds}; at least 1 generation is needed")
        if max_repeats is not None and max_repeats < 1:
            raise UserError(f"Agent({name!r}): max_repeats={max_repeats}; at least 1, or None for no bound")
        self.budget = budget
        self.toolset.tools()
        if not callable(handoffs):
            _check_handoffs(self.name, handoffs)
        self._handoffs = handoffs
        self._draw = partial(
            WorkerSpec,
            name=self.name,
            instructions=prompts.agent(instructions, description),
            model=model,
            toolset=self.toolset,
            output=self.output,
            max_rounds=max_rounds,
            max_parallel_tools=max_parallel_tools,
            temperature=temperature,
            max_output_tokens=max_output_tokens,
            rails=self.rails,
            budget=budget,
            history=history,
            max_repeats=max_repeats,
        )

    def draw(self) -> Graph:
        """The graph, not yet compiled."""
        from segue.graphs.worker import worker_graph

        group = self.group()
        if len(group) == 1:
            return worker_graph(self._draw())
        from segue.graphs.handoffs import Member, handoff_graph

        return handoff_graph(
            [
                Member(
                    spec=replace(each._draw(), output=self.output, budget=self.budget),
                    description=each.description,
                    targets=tuple(target.name for target in each.handoffs),
                )
                for each in group
            ]
        )

    @property
    def handoffs(self) -> tuple[Agent, ...]:
        """The agents that may take over from this one."""
        if callable(self._handoffs):
            _check_handoffs(self.name, given := self._handoffs())
            return tuple(given)
        return tuple(self._handoffs)

    def group(self) -> list[Agent]:
        """This agent and all that a thread of it can come to by handoffs.

        Raises:
            UserError: Two of them share a name, or one gives answers of another type.
        """
        found: dict[str, Agent] = {self.name: self}
        for member in (waiting := [self]):  # grows while it is gone through
            for each in member.handoffs:
                if each.name not in found:
                    found[each.name] = each
                    waiting.append(each)
                self._check_member(each, found[each.name])
        return list(found.values())

    def _check_member(self, member: Agent, known: Agent) -> None:
        if known is not member:
            raise UserError(f"Agent({self.name!r}): two agents that it comes to by handoffs are called {member.name!r}")
        if member.output is not None and (self.output is None or member.output.type is not self.output.type):
            raise UserError(
                f"Agent({self.name!r}): {member.name!r} has another output_type than it.",
                way_out="Give both the same one: who asks cannot know which of them will answer.",
            )

    def fresh_input(self) -> dict[str, Any]:
        """A new run counts its rounds, and what it spends of a budget of its own, from 0."""
        return {"rounds": 0, "blocked": "", **({} if self.budget is None else {"spent": None})}

    async def open(self) -> None:
        """Connect the toolsets, also of those that it may hand over to."""
        for each in self.group():
            await each.toolset.open()

    async def close(self) -> None:
        """Let go of the toolsets."""
        for each in self.group():
            await each.toolset.close()

    def as_worker(self) -> Worker:
        """The agent as a team sees it."""
        held = "; ".join(
            f"{each.name} ({each.description.split(chr(10))[0].rstrip('.')})" for each in self.toolset.tools()
        )
        described = f"{self.description} Tools: {held}." if held and self.description else self.description
        return Worker(
            name=self.name,
            description=described,
            load=lambda: self.graph,
            enter=lambda messages: {"messages": messages, **self.fresh_input()},
            leave=self.leave,
        )

    def as_tool(self, *, name: str | None = None, description: str | None = None) -> Tool:
        """The agent as a tool of another: a task in words in, its answer out."""
        from segue.graphs.budgeting import ends_run, told_stop
        from segue.graphs.running import with_context

        async def delegate(ctx: RunContext[Any], task: str) -> Any:
            given, config = {"messages": [user(task)], **self.fresh_input()}, with_context(None, ctx)
            try:
                return (await self.graph.ainvoke(given, config))["output"]
            except RunStopped as stopped:
                if ends_run(stopped, self.name, ctx):
                    raise
                raise RuntimeError(told_stop(stopped)) from None

        delegate.__name__ = name or self.name
        delegate.__doc__ = (
            f"{description or self.description or self.name}\n\nArgs:\n    task: What to do, complete in itself."
        )
        return tool(delegate, effect="read", timeout_s=600.0, delegates=True)

    def as_node(self) -> Callable[..., Any]:
        """The agent as a node function for a graph whose state has `messages`: it adds its answer to them."""
        from langchain_core.runnables import RunnableConfig

        from segue.graphs.running import found_context, with_context

        async def node(state: Any, config: RunnableConfig) -> dict[str, Any]:
            messages = state["messages"] if isinstance(state, dict) else state.messages
            ctx = found_context(config)
            inner = with_context(config, ctx) if ctx is not None else config
            final = await self.graph.ainvoke({"messages": list(messages), **self.fresh_input()}, inner)
            last: Message = final["messages"][-1]
            return {"messages": [{"role": "assistant", "content": last.get("content") or "", "id": last.get("id")}]}

        node.__name__ = self.name
        node.__annotations__["config"] = RunnableConfig
        return node


def _check_handoffs(name: str, given: Sequence[Any]) -> None:
    for each in given:
        if not isinstance(each, Agent):
            raise UserError(f"Agent({name!r}): {each!r} cannot take over a conversation; agents can")
        if not each.description:
            raise UserError(
                f"agent {each.name!r} has no description.", way_out=f"Write one: {name!r} hands over to it by that."
            )
