"""MapReduce: the same work for each item of a list, and one answer made of what came back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from segue.agents.functions import Called, callable_with
from segue.agents.runnable import Runnable, checked_name
from segue.agents.team import as_worker
from segue.base.budget import Budget
from segue.base.errors import OperatorError, RunStopped, UserError
from segue.base.messages import Message, text_of, user
from segue.context.run import RunContext
from segue.graphs.specs import Worker
from segue.graphs.typed import OutputType
from segue.guards.given import as_rails
from segue.tools.results import jsonable

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from segue.graphs.graph import Graph
    from segue.graphs.mapreduce import ItemResult

Split = Callable[..., Any]
"""`(text, ctx)` or `(text)`: the items, as a list of plain data; awaited where it is async."""


class MapReduce(Runnable):
    """One worker for each item, a bounded number at a time, then one who makes an answer of their results."""

    def __init__(
        self,
        name: str,
        *,
        split: Split,
        worker: Any,
        reduce: Any = None,
        guards: Sequence[Any] = (),
        description: str = "",
        output_type: Any = Any,
        deps_type: Any = None,
        budget: Budget | None = None,
        max_items: int = 10_000,
        max_parallel: int = 16,
        max_attempts: int = 1,
        wave: int = 128,
    ) -> None:
        """Put it together.

        Args:
            name: Its name.
            split: The request's text in, the items out: a function of `(text)` or `(text, ctx)`, sync or async.
            worker: Who does one item: an agent, a team, a `GraphWorker`, a compiled LangGraph graph, or a function of
                `(item)` or `(item, ctx)`. An agent reads text as it is and anything else as JSON.
            reduce: Who makes the answer: an agent, which reads all results, or a function of `(results)` or
                `(results, ctx)`, where a result is a dict with `index`, `failed` and `value`. `None`: the answer is
                the list of values, `None` for each that failed.
            guards: Rails, as `Team`'s.
            description: What it does, in a sentence.
            output_type: What the answer must be.
            deps_type: What `deps` of a run must be an instance of.
            budget: The most that one run of it, or one task of a team, may spend, within what the run may.
            max_items: More items than this is an error.
            max_parallel: Items that are worked on at the same time.
            max_attempts: How often an item is tried before its failure stands.
            wave: Items that are sent at a time; each wave is a checkpoint. It bounds the memory that a run takes.

        Raises:
            UserError: A name, a bound or a worker does not fit. The message names it.
        """
        self.name = checked_name(name, "a map-reduce")
        self.description = description
        self.output = None if output_type is Any else OutputType.of(output_type, f"MapReduce({name!r})")
        self.deps_type = deps_type
        self.budget = budget
        self.rails = as_rails(guards, f"MapReduce({name!r})")
        bounds = {"max_items": max_items, "max_parallel": max_parallel, "max_attempts": max_attempts, "wave": wave}
        for bound, value in bounds.items():
            if value < 1:
                raise UserError(f"MapReduce({name!r}): {bound}={value}; it is at least 1")
        if not callable(split):
            raise UserError(f"MapReduce({name!r}): split is a function of the request's text, not {split!r}")
        self._bounds = bounds
        self._split = callable_with(split)
        self.members = tuple(each for each in (worker, reduce) if isinstance(each, Runnable))
        self._work = _Work(self.name, worker)
        self._reduce = _Reduce(self.name, reduce)

    def draw(self) -> Graph:
        """The graph, not yet compiled."""
        from segue.graphs.mapreduce import MapSpec, mapreduce_graph

        return mapreduce_graph(
            MapSpec(
                name=self.name,
                split=self._items,
                work=self._work,
                reduce=self._answer,
                rails=self.rails,
                budget=self.budget,
                **self._bounds,
            )
        )

    def fresh_input(self) -> dict[str, Any]:
        """A new run starts without results."""
        return {"done": None, "wave": 0, "blocked": ""}

    async def open(self) -> None:
        """Connect the toolsets of its members."""
        for member in self.members:
            await member.open()

    async def close(self) -> None:
        """Let go of the toolsets of its members."""
        for member in self.members:
            await member.close()

    def as_worker(self) -> Worker:
        """It, as a team sees it."""
        return Worker(
            name=self.name,
            description=self.description or f"{self.name}: the same work for each item of a list.",
            load=lambda: self.graph,
            enter=lambda messages: {"messages": messages, **self.fresh_input()},
            leave=self.leave,
        )

    async def _items(self, messages: Sequence[Message], ctx: RunContext[Any]) -> list[Any]:
        said = next((text_of(each) for each in reversed(messages) if each["role"] == "user"), "")
        items = await self._split(said, ctx)
        if isinstance(items, str | bytes | dict) or not hasattr(items, "__iter__"):
            raise UserError(f"{self.name}: split gives a list of items, not {type(items).__name__}")
        return [jsonable(self.name, item) for item in items]

    async def _answer(self, results: list[ItemResult], config: RunnableConfig, ctx: RunContext[Any]) -> tuple[Any, str]:
        value = await self._reduce(results, config, ctx)
        if self.output is not None:
            try:
                value = self.output.read(value if isinstance(value, str) else json.dumps(value))
            except ValueError as error:
                raise OperatorError(
                    f"{self.name}: what reduce gave does not fit output_type: {error}.",
                    way_out="Give what the type says, or loosen MapReduce(output_type=…).",
                ) from None
        return value, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class _Work:
    """Who does one item, as the graph calls it."""

    def __init__(self, owner: str, worker: Any) -> None:
        self._worker: Worker | None = None
        self._function: Called | None = None
        self._typed = isinstance(worker, Runnable) and worker.output is not None
        self._owner = owner
        if callable(worker) and not isinstance(worker, Runnable) and not hasattr(worker, "ainvoke"):
            self._function = callable_with(worker)
        else:
            self._worker = as_worker(f"MapReduce({owner!r})", worker)

    async def __call__(self, item: Any, config: RunnableConfig, ctx: RunContext[Any]) -> tuple[Any, bool]:
        if self._function is not None:
            return await self._by_function(self._function, item, ctx)
        assert self._worker is not None
        from segue.graphs.running import with_context
        from segue.graphs.working import work

        inside = with_context(config, ctx.at(agent=self._worker.name))
        text, failed = await work(self._worker, self._worker.load(), [_as_message(item)], inside)
        return (json.loads(text) if self._typed and not failed else text), failed

    async def _by_function(self, function: Callable[..., Any], item: Any, ctx: RunContext[Any]) -> tuple[Any, bool]:
        from langgraph.errors import GraphBubbleUp

        try:
            value = await function(item, ctx)
        except (UserError, RunStopped, GraphBubbleUp):
            raise
        except Exception as error:
            return f"error: {type(error).__name__}: {error}", True
        return jsonable(self._owner, value), False


class _Reduce:
    """Who makes one answer of all results, as the graph calls it."""

    def __init__(self, owner: str, reduce: Any) -> None:
        self._owner = owner
        self._agent = reduce if isinstance(reduce, Runnable) else None
        if not (reduce is None or self._agent or callable(reduce)):
            raise UserError(f"MapReduce({owner!r}): reduce is an agent, a function or None, not {reduce!r}")
        self._function = callable_with(reduce) if reduce is not None and self._agent is None else None

    async def __call__(self, results: list[ItemResult], config: RunnableConfig, ctx: RunContext[Any]) -> Any:
        if self._function is not None:
            return jsonable(self._owner, await self._function(results, ctx))
        if self._agent is None:
            return [None if result["failed"] else result["value"] for result in results]
        from segue.graphs.running import with_context

        inside = with_context(config, ctx.at(agent=self._agent.name))
        given = {"messages": [_as_message(results)], **self._agent.fresh_input()}
        final = await self._agent.graph.ainvoke(given, inside)
        return final.get("output")


def _as_message(item: Any) -> Message:
    return user(item if isinstance(item, str) else json.dumps(item, ensure_ascii=False, default=str))
