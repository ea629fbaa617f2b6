"""Agent: instructions, a model and tools under one name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from segue.agents import prompts
from segue.agents.runnable import Runnable, checked_name
from segue.base.errors import UserError
from segue.base.messages import Message, user
from segue.context.run import RunContext
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
        guards: Sequence[Any] = (),
        output_type: Any = str,
        deps_type: Any = None,
        max_rounds: int = 16,
        max_parallel_tools: int = 8,
        temperature: float | None = None,
        max_output_tokens: int | None = None,
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
            guards: Rails, functions of `(text, ctx)`, guardrails-ai validators; asked in this order.
            output_type: What its answer must be: `str`, a pydantic model, a dataclass or any type with a JSON schema.
            deps_type: What `deps` of a run must be an instance of; `None` is not checked.
            max_rounds: Generations of one run before it is stopped as a loop.
            max_parallel_tools: Tool calls of one generation that run side by side.
            temperature: `None` is the route's.
            max_output_tokens: Tokens of one generation; `None` is the route's.

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
        self.rails = as_rails(guards, f"Agent({name!r})")
        if max_rounds < 1:
            raise UserError(f"Agent({name!r}): max_rounds={max_rounds}; at least 1 generation is needed")
        self.toolset.tools()
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
        )

    def draw(self) -> Graph:
        """The graph, not yet compiled."""
        from segue.graphs.worker import worker_graph

        return worker_graph(self._draw())

    def fresh_input(self) -> dict[str, Any]:
        """A new run counts its rounds from 0."""
        return {"rounds": 0, "blocked": ""}

    async def open(self) -> None:
        """Connect the toolsets."""
        await self.toolset.open()

    async def close(self) -> None:
        """Let go of the toolsets."""
        await self.toolset.close()

    def as_worker(self) -> Worker:
        """The agent as a team sees it."""
        if not self.description:
            raise UserError(
                f"agent {self.name!r} has no description.", way_out="Write one: the planner chooses workers by it."
            )
        held = "; ".join(
            f"{each.name} ({each.description.split(chr(10))[0].rstrip('.')})" for each in self.toolset.tools()
        )
        described = f"{self.description} Tools: {held}." if held else self.description
        return Worker(
            name=self.name,
            description=described,
            load=lambda: self.graph,
            enter=lambda messages: {"messages": messages, **self.fresh_input()},
            leave=self.leave,
        )

    def as_tool(self, *, name: str | None = None, description: str | None = None) -> Tool:
        """The agent as a tool of another: a task in words in, its answer out."""
        from segue.graphs.running import with_context

        async def delegate(ctx: RunContext[Any], task: str) -> Any:
            final = await self.graph.ainvoke({"messages": [user(task)], **self.fresh_input()}, with_context(None, ctx))
            return final["output"]

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
