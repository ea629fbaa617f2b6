"""Graph: LangGraph's `StateGraph`, with reasons and a trace.

A node function may take the run's context besides what LangGraph gives it:

    async def draft(state: State, ctx: RunContext[Shop]) -> dict: ...

What `compile` returns is a LangGraph graph: it can be invoked, streamed, drawn, checkpointed, and be a node of another.
"""

from __future__ import annotations

import asyncio
import inspect
import typing
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from functools import wraps
from typing import Any, cast

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph

from segue.base.budget import Budget
from segue.base.errors import UserError
from segue.base.ports import default_workspace
from segue.context.run import RunContext
from segue.graphs.asking import ask
from segue.graphs.budgeting import within
from segue.graphs.edges import EdgeLog
from segue.graphs.migration import Change, Migration, read_migrations
from segue.graphs.nodes import TracedNode, TracedPath, Ways
from segue.graphs.origins import place_of, stamped_config, taken_up
from segue.graphs.running import found_context, run_context, with_context


class Graph(StateGraph[Any, Any, Any, Any]):
    """A state graph whose every node and edge is traced once it is compiled."""

    def __init__(
        self,
        state_schema: Any,
        *args: Any,
        budget: Budget | None = None,
        version: str = "",
        migrations: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(state_schema, *args, **kwargs)
        self.budget = budget
        """The most that one invocation may spend, within what its run may."""
        self.reasons: dict[tuple[str, str], str] = {}
        self.timeouts: dict[str, float] = {}
        """By node: the seconds that it may take, where it has a deadline."""
        self.version = version
        """What people call this state of the graph; threads are stamped with it."""
        self.migrations: dict[str, Migration] = read_migrations(migrations, version)
        """By the version that they start from."""
        self.about: dict[str, Any] = {}
        """By node: the spec of the agent or team that it was drawn from."""
        self.straight: dict[str, Any] = {}
        """By node: the function of one that may run on a lane; see `segue.graphs.lane`."""

    def migration(
        self, start: str, end: str, *, renames: Mapping[str, str] | None = None
    ) -> Callable[[Change], Change]:
        """Make the decorated function the migration of threads from one version to the next.

        The function takes the stored state as a dict of channels and returns the new one. `renames` maps the old names
        of nodes to the new ones.
        """

        def decorate(change: Change) -> Change:
            self.migrations[start] = Migration(change, renames=renames or {}, end=end)
            return change

        return decorate

    def add_node(self, node: Any, action: Any = None, *, timeout_s: float | None = None, **kwargs: Any) -> Any:
        """LangGraph's `add_node`; the function may also take the run's context, typed `RunContext`.

        Args:
            node: Its name, or the function itself.
            action: The function, where the first is a name.
            timeout_s: Seconds that the node may take each time; past them it is cancelled and `NodeTimeout` raised.
            kwargs: As LangGraph takes them.

        Raises:
            UserError: `timeout_s` is not above 0.
        """
        if timeout_s is not None and not timeout_s > 0:
            raise UserError(f"node {node!r}: timeout_s={timeout_s!r}; a deadline is above 0 seconds")
        before = set(self.nodes)
        if action is None and not isinstance(node, str):
            inner = _with_ctx(node)
            names = (node.__name__, inner) if inner is not node else (node,)
            super().add_node(*names, **kwargs)
        else:
            super().add_node(node, _with_ctx(action), **kwargs)
        if timeout_s is not None:
            self.timeouts |= dict.fromkeys(set(self.nodes) - before, timeout_s)
        return self

    def add_conditional_edges(self, source: str, path: Any, path_map: Any = None, *, because: str = "") -> Any:
        """LangGraph's `add_conditional_edges`; `because` is the reason where the router function names none."""
        before = set(self.branches[source])
        super().add_conditional_edges(source, path, path_map)
        for name in set(self.branches[source]) - before:
            self.reasons[source, name] = because
        return self

    def compile(self, *args: Any, **kwargs: Any) -> Any:
        """Compile it, traced."""
        return _compiled(self, *args, **kwargs)


class CompiledGraph(CompiledStateGraph[Any, Any, Any, Any]):
    """A compiled, traced graph. Started without a run around it, it makes one in the default workspace."""

    async def astream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncIterator[Any]:  # noqa: A002
        """LangGraph's `astream`, after a thread of an older version was migrated."""
        config = await taken_up(self, input, config)
        ctx = found_context(config)
        if ctx is not None:
            async for part in super().astream(input, with_context(config, self._within(ctx)), **kwargs):
                yield part
            return
        async with default_workspace().borrowed(self, config, kwargs.get("context")) as lent:
            async for part in super().astream(input, with_context(config, self._within(lent)), **kwargs):
                yield part

    async def ainvoke(
        self,
        input: Any,  # noqa: A002 - LangGraph's name
        config: RunnableConfig | None = None,
        *,
        context: Any = None,
        **kwargs: Any,
    ) -> Any:
        """LangGraph's `ainvoke`; on a lane where that gives the same."""
        from segue.graphs.lane import lane_of, may_ride

        lane = lane_of(self) if not kwargs and may_ride(self, input, config) else None
        if lane is None:
            return await super().ainvoke(input, config, context=context, **kwargs)
        config = await taken_up(self, input, config)
        ctx = found_context(config)
        if ctx is not None:
            came = await lane.run(input, config, self._within(ctx))
        else:
            async with default_workspace().borrowed(self, config, context) as lent:
                came = await lane.run(input, config, self._within(lent))
        if came is None:
            return await super().ainvoke(input, config, context=context)
        return {**came.value, "__interrupt__": list(came.interrupts)} if came.interrupts else came.value

    async def run(
        self,
        given: Any,
        config: RunnableConfig,
        ctx: RunContext[Any],
        log: EdgeLog,
        *,
        control: Any,
        notes: Any,
        fresh: bool,
    ) -> Any:
        """Run within a run of a workspace, every step kept: `ainvoke`, or a lane where that gives the same.

        Args:
            given: The input; a `Command`, or `None` to go on with.
            config: The thread, and the metadata of each checkpoint.
            ctx: The run's context, inside the run's span.
            log: The edges under way.
            control: LangGraph's `RunControl`.
            notes: What the run notes, to be stored with checkpoints; see `segue.graphs.riding.Notes`.
            fresh: The thread is known to have no checkpoint.

        Returns:
            What has LangGraph's `value` and `interrupts`.
        """
        from segue.graphs.lane import lane_of, may_ride

        if may_ride(self, given, config) and (lane := lane_of(self)) is not None:
            stamped = stamped_config(self, config) if fresh else await taken_up(self, given, config)
            came = await lane.run(given, stamped, self._within(ctx), control=control, notes=notes, fresh=fresh)
            if came is not None:
                return came
        inside = with_context(config, ctx, log)
        return await super().ainvoke(given, inside, durability="sync", version="v2", control=control)

    def stream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Any]:  # noqa: A002
        """LangGraph's `stream`, run on an event loop of its own in a thread: the nodes inside are async."""

        async def collect() -> list[Any]:
            return [part async for part in self.astream(input, config, **kwargs)]

        context = copy_context()
        with ThreadPoolExecutor(1, thread_name_prefix="segue-graph") as pool:
            yield from pool.submit(context.run, asyncio.run, collect()).result()

    def _within(self, ctx: RunContext[Any]) -> RunContext[Any]:
        budget = getattr(self.builder, "budget", None)
        return within(ctx, budget, self.name) if budget is not None else ctx


def traced(
    graph: StateGraph[Any, Any, Any, Any], *, version: str = "", migrations: Mapping[str, Any] | None = None
) -> Any:
    """A graph that exists, with every node and edge traced; call `compile` on what comes back.

    The graph itself is not changed. `version` and `migrations` as `Graph` takes them.
    """
    held = Graph.__new__(Graph)
    held.__dict__.update(graph.__dict__)
    held.budget = getattr(graph, "budget", None)
    held.reasons = dict(getattr(graph, "reasons", {}))
    held.timeouts = dict(getattr(graph, "timeouts", {}))
    held.version = version or getattr(graph, "version", "")
    given = read_migrations(migrations, held.version)
    held.migrations = {**getattr(graph, "migrations", {}), **given}
    held.about = dict(getattr(graph, "about", {}))
    held.straight = dict(getattr(graph, "straight", {}))
    held.compiled = False
    return held


def _compiled(graph: Graph, *args: Any, **kwargs: Any) -> CompiledGraph:
    copied = traced(graph)
    ends = {name: tuple(spec.ends or ()) for name, spec in graph.nodes.items()}
    ways = Ways(set(graph.edges), set(graph.waiting_edges), cast(Any, ends))
    copied.nodes = {
        name: replace(
            spec,
            runnable=cast(
                Any,
                TracedNode(name, cast("Runnable[Any, Any]", spec.runnable), ways, timeout_s=copied.timeouts.get(name)),
            ),
        )
        for name, spec in graph.nodes.items()
    }
    branches = graph.branches.copy()
    for source, held in graph.branches.items():
        branches[source] = {
            name: branch._replace(
                path=TracedPath(source, branch.path, branch.ends, graph.reasons.get((source, name), ""))
            )
            for name, branch in held.items()
        }
    copied.branches = branches
    compiled = StateGraph.compile(copied, *args, **kwargs)
    for name, node in StateGraph.compile(graph, *args, **kwargs).nodes.items():
        # LangGraph finds the graphs inside a node by looking into it, which a traced node does not let it.
        compiled.nodes[name].subgraphs = node.subgraphs
    # LangGraph names the class that it builds; the subclass adds behaviour only, no field.
    compiled.__class__ = CompiledGraph
    return cast(CompiledGraph, compiled)


def _with_ctx(action: Any) -> Any:
    """A node function that takes a `RunContext`, as one that LangGraph can call."""
    name = _ctx_parameter(action)
    if name is None:
        return action
    parameters = dict(inspect.signature(action).parameters)
    own_config = "config" in parameters

    def given(kwargs: dict[str, Any]) -> dict[str, Any]:
        config = kwargs["config"] if own_config else kwargs.pop("config")
        return {**kwargs, name: run_context(config).at(interrupt=ask, place=place_of(config))}

    if inspect.iscoroutinefunction(action):

        @wraps(action)
        async def call(*args: Any, **kwargs: Any) -> Any:
            return await action(*args, **given(kwargs))
    else:

        @wraps(action)
        def call(*args: Any, **kwargs: Any) -> Any:
            return action(*args, **given(kwargs))

    del parameters[name]
    if not own_config:
        kind = inspect.Parameter.KEYWORD_ONLY
        parameters["config"] = inspect.Parameter("config", kind, annotation=RunnableConfig)
    call.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
    call.__annotations__ = {key: hint for key, hint in typing.get_type_hints(action).items() if key != name}
    call.__annotations__["config"] = RunnableConfig
    return call


def _ctx_parameter(action: Callable[..., Any] | Any) -> str | None:
    if isinstance(action, Runnable) or not inspect.isroutine(action):
        return None
    try:
        hints = typing.get_type_hints(action)
    except NameError:
        return None
    for name, hint in hints.items():
        if name != "return" and (typing.get_origin(hint) or hint) is RunContext:
            return name
    return None
