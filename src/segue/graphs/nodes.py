"""Traced nodes and routers: LangGraph runnables in, the same with a span for each node and each edge out.

A traced node opens a span, tells which edges led here, runs what it wraps with the context moved into that span,
and leaves word where it goes next. It changes neither what a node reads nor what it returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig
from langgraph.constants import START
from langgraph.errors import ParentCommand
from langgraph.types import Command, Send

from segue.context.events import EdgeTaken
from segue.context.run import RunContext
from segue.graphs.deadlines import in_time
from segue.graphs.edges import (
    PUSH,
    Departure,
    EdgeLog,
    branch_channel,
    edge_span_id,
    join_channel,
    sizes,
    structural,
)
from segue.graphs.origins import place_of
from segue.graphs.running import edge_log, found_context, with_context
from segue.graphs.steps import reason_of
from segue.tracing.spans import Span, SpanRow, new_row


class TracedNode(Runnable[Any, Any]):
    """A node with its span, its incoming edges, its departures and its deadline."""

    def __init__(self, name: str, inner: Runnable[Any, Any], ways: Ways, *, timeout_s: float | None = None) -> None:
        self._timeout_s = timeout_s
        self.name: str | None = name
        self.node = name
        self.inner = inner
        """Where LangGraph looks for a subgraph."""
        self._ways = ways

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002
        """Run the node inside its span."""
        ctx = found_context(config)
        if ctx is None or config is None:
            return await in_time(self.inner.ainvoke(input, config, **kwargs), self.node, self._timeout_s)
        with self._span(ctx, config) as (span, inside):
            if self._timeout_s is None:
                output = await self.inner.ainvoke(input, inside, **kwargs)
            else:
                output = await in_time(self.inner.ainvoke(input, inside, **kwargs), self.node, self._timeout_s)
            if ctx.services.audit is not None:  # what held or changed anything is written down before a checkpoint is
                await ctx.services.audit.settle_soon()
            self._leave(span, config, output)
            return output

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002
        """The same for a graph that is run synchronously."""
        ctx = found_context(config)
        if ctx is None or config is None:
            return self.inner.invoke(input, config, **kwargs)
        with self._span(ctx, config) as (span, inside):
            output = self.inner.invoke(input, inside, **kwargs)
            if ctx.services.audit is not None:
                ctx.services.audit.flush()
            self._leave(span, config, output)
            return output

    def _span(self, ctx: RunContext[Any], config: RunnableConfig) -> _Inside:
        metadata = config.get("metadata") or {}
        log = edge_log(config)
        arrive(self.node, ctx, metadata, log, self._ways)
        span = ctx.services.tracer.start(
            "node", self.node, tenant=ctx.principal.tenant, trace_id=ctx.trace_id, run_id=ctx.run_id,
            parent_id=ctx.span_id,
        )  # fmt: skip
        span.set(segue__step=metadata.get("langgraph_step"), segue__agent=ctx.agent or None)
        return _Inside(self, span, ctx, config)

    def _leave(self, span: Span, config: RunnableConfig, output: Any) -> None:
        changed = _changed(output)
        span.set(segue__changed=changed or None)
        log, namespace = edge_log(config), namespace_of(config.get("metadata") or {})
        for departure in self._departures(output, changed):
            log.leave(namespace, departure)

    def _departures(self, output: Any, changed: dict[str, int]) -> Iterator[Departure]:
        for target in self._ways.static.get(self.node, ()):
            channel = branch_channel(target)
            yield Departure(source=self.node, target=target, channel=channel, kind="static", changed=changed)
        for target, channel, count in self._ways.joins.get(self.node, ()):
            yield Departure(
                source=self.node, target=target, channel=channel, waits_for=count, kind="join", changed=changed
            )
        for command in output if isinstance(output, list | tuple) else [output]:
            if not isinstance(command, Command) or command.graph is not None:
                continue
            goto = command.goto if isinstance(command.goto, list | tuple) else [command.goto]
            targets = [step.node if isinstance(step, Send) else str(step) for step in goto]
            others = tuple(name for name in self._ways.ends.get(self.node, ()) if name not in targets)
            for step, target in zip(goto, targets, strict=True):
                sent = isinstance(step, Send)
                yield Departure(
                    source=self.node,
                    target=target,
                    kind="send" if sent else "goto",
                    channel=PUSH if sent else branch_channel(target),
                    reason=reason_of(command),
                    not_taken=others,
                    changed=changed,
                )


class _Inside:
    """Around what a node does: its span, and the config that carries the context inside it."""

    __slots__ = ("_config", "_ctx", "_node", "_span")

    def __init__(self, node: TracedNode, span: Span, ctx: RunContext[Any], config: RunnableConfig) -> None:
        self._node, self._span, self._ctx, self._config = node, span, ctx, config

    def __enter__(self) -> tuple[Span, RunnableConfig]:
        span = self._span.__enter__()
        inside = self._ctx.at(span_id=span.span_id, place=place_of(self._config))
        return span, with_context(self._config, inside)

    def __exit__(self, kind: Any, error: BaseException | None, where: Any) -> None:
        self._span.__exit__(kind, error, where)
        if isinstance(error, ParentCommand) and (command := error.args[0]).graph in _names_of(self._config):
            # a graph inside says where this one goes
            self._node._leave(self._span, self._config, Command(update=command.update, goto=command.goto))


class TracedPath(Runnable[Any, Any]):
    """The router function of a conditional edge, with word left of what it said."""

    def __init__(self, source: str, inner: Runnable[Any, Any], ends: dict[Any, str] | None, reason: str) -> None:
        self.name = getattr(inner, "name", None) or "condition"
        self.inner = inner
        self._source = source
        self._ends = ends
        self._reason = reason

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002
        """Ask the router function."""
        return self._said(await self.inner.ainvoke(input, config, **kwargs), config)

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002
        """Ask the router function of a graph that is run synchronously."""
        return self._said(self.inner.invoke(input, config, **kwargs), config)

    def _said(self, value: Any, config: RunnableConfig | None) -> Any:
        if config is None or found_context(config) is None:
            return value
        log, namespace = edge_log(config), namespace_of(config.get("metadata") or {})
        said = value if isinstance(value, list | tuple) else [value]
        taken = [each.node if isinstance(each, Send) else (self._ends or {}).get(each, str(each)) for each in said]
        others = tuple(name for name in (self._ends or {}).values() if name not in taken)
        for each, target in zip(said, taken, strict=True):
            sent = isinstance(each, Send)
            departure = Departure(
                source=self._source,
                target=target,
                kind="send" if sent else "conditional",
                channel=PUSH if sent else branch_channel(target),
                reason=reason_of(each) or self._reason,
                value=f"Send({target})" if sent else str(each),
                not_taken=others,
            )
            log.leave(namespace, departure)
        return value


class Ways:
    """The ways out of each node that the graph's structure fixes."""

    def __init__(
        self,
        edges: set[tuple[str, str]],
        waiting: set[tuple[tuple[str, ...], str]],
        ends: dict[str, Sequence[str]],
    ) -> None:
        self.edges = edges
        self.static: dict[str, list[str]] = {}
        self.joins: dict[str, list[tuple[str, str, int]]] = {}
        self.ends = ends
        for source, target in sorted(edges):
            self.static.setdefault(source, []).append(target)
        for sources, target in sorted(waiting):
            for source in sources:
                self.joins.setdefault(source, []).append((target, join_channel(sources, target), len(set(sources))))


def arrive(name: str, ctx: RunContext[Any], metadata: dict[str, Any], log: EdgeLog, ways: Ways) -> None:
    """Record the edges that made this task start."""
    triggers = tuple(metadata.get("langgraph_triggers") or ())
    namespace, step = namespace_of(metadata), int(metadata.get("langgraph_step") or 0)
    departures, begins = log.arrive(namespace, name, triggers), log.begins(namespace, step)
    if not departures:
        fresh = (START, name) in ways.edges and begins
        source = START if fresh else structural(name, ways.edges, ways.ends)
        departures = [Departure(source=source, target=name, kind="start" if fresh else "recovered")]
    task_id = str(metadata.get("langgraph_checkpoint_ns", "")).rpartition(":")[2]
    for index, departure in enumerate(departures):
        record_edge(departure, ctx, task_id, edge_span_id(task_id, index), step)


def record_edge(departure: Departure, ctx: RunContext[Any], task_id: str, span_id: str, step: int) -> None:
    """Tell of one edge that was taken: its span, and its event."""
    at = ctx.now()
    attributes: dict[str, Any] = {
        "segue.edge.source": departure.source,
        "segue.edge.target": departure.target,
        "segue.edge.kind": departure.kind,
        "segue.step": step,
        "segue.graph_task": task_id,
    }
    reason = departure.reason or _plain_reason(departure)
    if reason:
        attributes["segue.edge.reason"] = reason
    if departure.value:
        attributes["segue.edge.value"] = departure.value
    if departure.not_taken:
        attributes["segue.edge.not_taken"] = list(departure.not_taken)
    if departure.changed:
        attributes["segue.edge.changed"] = departure.changed
    ns = int(at * 1e9)
    ctx.services.tracer.record(new_row(SpanRow, (
        ctx.principal.tenant, ctx.trace_id, span_id, ctx.span_id, ctx.run_id, "edge",
        f"{departure.source} → {departure.target}", ns, ns, "ok", attributes, None,
    )))  # fmt: skip
    if departure.kind == "recovered":
        return
    ctx.emit(
        EdgeTaken(run_id=ctx.run_id, at=at, source=departure.source, target=departure.target, reason=reason, step=step)
    )


def _plain_reason(departure: Departure) -> str:
    match departure.kind:
        case "static" | "start":
            return "always"
        case "join":
            return "all branches are in"
        case "conditional":
            return f"the condition said {departure.value}"
        case "recovered":
            return "taken up again after a stop"
        case _:
            return ""


def _names_of(config: RunnableConfig) -> tuple[str, str]:
    """What a command may call the task of this node by: with the ids of the tasks around it, and without."""
    found = str((config.get("metadata") or {}).get("langgraph_checkpoint_ns", ""))
    return found, "|".join(part.partition(":")[0] for part in found.split("|"))


def namespace_of(metadata: dict[str, Any]) -> str:
    """Which instance of which graph a task belongs to: its checkpoint namespace without the task itself."""
    return str(metadata.get("langgraph_checkpoint_ns", "")).rpartition("|")[0]


def _changed(output: Any) -> dict[str, int]:
    if isinstance(output, Command):
        return sizes(output.update)
    if isinstance(output, list | tuple):
        merged: dict[str, int] = {}
        for each in output:
            merged |= _changed(each)
        return merged
    return sizes(output)
