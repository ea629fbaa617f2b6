"""Upgrade: a stored thread and a graph that has changed in, a verdict out: resumes, needs migration, breaks.

Nothing is run: the checkpoint is loaded into the graph as LangGraph would load it, and looked at. Migrations that the
graph brings are applied to a copy first. What each room finds is in `upgrade_state`, `upgrade_flow`, `upgrade_agents`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from segue.base.errors import UserError
from segue.graphs.carrying import inner_graphs, inner_stored, migrated_copy, same_value, stored_at
from segue.graphs.functions import function_of, runs_graphs
from segue.graphs.stored import Stored
from segue.graphs.upgrade_agents import agent_findings
from segue.graphs.upgrade_flow import about_of, flow_findings, tasks_now
from segue.graphs.upgrade_joins import TaskNow
from segue.graphs.upgrade_state import Before, state_findings
from segue.graphs.verdicts import Finding, Verdict, VerdictKind, verdict_of
from segue.graphs.versions import STAMP, differences, graph_shape, graph_version, read_stamp

__all__ = ["Finding", "Verdict", "VerdictKind", "check_thread"]


Shapes = Callable[[str], Mapping[str, Any] | None]
"""The shape of a graph by its hash, as `versions.graph_shape` gives it; `None` where it is not known."""


async def check_thread(graph: Any, config: Any, *, shapes: Shapes = lambda digest: None) -> Verdict:
    """What will become of a thread when this graph goes on with it.

    Args:
        graph: A compiled graph with the checkpointer that holds the thread.
        config: LangGraph's, with the thread's id.
        shapes: Knows graphs that wrote threads: what was no otherwise there is not told. Without it every value is
            looked at.

    Returns:
        The verdict over its newest checkpoint, after the migrations that the graph brings. A thread without
        checkpoints resumes.
    """
    saver = graph.checkpointer
    try:
        held = await stored_at(saver, config)
    except Exception as error:
        return verdict_of([_unreadable(error)])
    if held is None:
        return verdict_of(())
    stamp = str(held.tup.metadata.get(STAMP) or "")
    steps: tuple[str, ...] = ()
    before: Stored | None = None
    try:
        if (copied := await migrated_copy(graph, config)) is not None:
            steps = tuple(map(str, copied.steps))
            before, saver, held = held, copied.saver, await stored_at(copied.saver, config) or held
    except UserError as error:
        return verdict_of([_failed(error)], stored=stamp)
    now, new = tasks_now(graph, held), graph_shape(graph)
    _, digest = read_stamp(stamp)
    old = new if digest == graph_version(graph) else shapes(digest) if digest else None
    was = old
    if old and before is not None:
        old = _without(old, {name for name in held.state if not same_value(before.state.get(name), held.state[name])})
    findings = [each async for each in _level(graph, saver, held, old, new)]
    if not any(each.kind == "breaks" for each in findings) and (broken := await _dry(graph, saver, config, findings)):
        findings.append(broken)
    following = tuple(each.name for each in now if each.id not in held.outputs)
    return verdict_of(
        findings,
        stored=stamp,
        migrations=steps,
        next=following,
        changes=tuple(differences(was, new)) if was else (),
    )


def _without(shape: Mapping[str, Any], touched: set[str]) -> dict[str, Any]:
    """A shape without the channels that a migration has written: what they hold is not what they held."""
    return {**shape, "channels": {name: each for name, each in shape["channels"].items() if name not in touched}}


async def _level(
    graph: Any, saver: Any, held: Stored, old: Mapping[str, Any] | None, new: Mapping[str, Any]
) -> AsyncIterator[Finding]:
    """What is found in one graph, and in the graphs inside of it; `old` and `new` are its shapes."""
    now = tasks_now(graph, held)
    for each in _here(graph, held, now, old, new):
        yield each
    async for name, each_graph, each_held in _lasting(graph, saver, held):
        was = (old or {}).get("inside", {}).get(name)
        async for found in _level(each_graph, saver, each_held, was, graph_shape(each_graph)):
            yield found.inside(name)
    for task in now:
        if task.id in held.outputs:
            continue
        inner = await inner_stored(saver, held, task.name, task.id)
        graphs = inner_graphs(graph, task.name, held)
        if inner and not graphs:
            for each in _no_graph(graph, task):
                yield each
        for index, each_held in enumerate(inner if graphs else ()):
            within = graphs[min(index, len(graphs) - 1)]
            was = (old or {}).get("inside", {}).get(task.name)
            async for found in _level(within, saver, each_held, was, graph_shape(within)):
                yield found.inside(task.name)


async def _lasting(graph: Any, saver: Any, held: Stored) -> AsyncIterator[tuple[str, Any, Stored]]:
    """Graphs inside that keep a state of their own from turn to turn (`checkpointer=True`), by their nodes."""
    thread = held.tup.config["configurable"]["thread_id"]
    around = "|".join(part.partition(":")[0] for part in held.namespace.split("|")) if held.namespace else ""
    for name, node in graph.nodes.items():
        for each in node.subgraphs:
            if getattr(each, "checkpointer", None) is True and hasattr(each, "builder"):
                place = {"thread_id": thread, "checkpoint_ns": f"{around}|{name}" if around else name}
                if (found := await stored_at(saver, {"configurable": place})) is not None:
                    yield name, each, found


def _here(
    graph: Any, held: Stored, now: list[TaskNow], old: Mapping[str, Any] | None, new: Mapping[str, Any]
) -> Iterator[Finding]:
    yield from state_findings(graph, held, Before.of(old, new))
    yield from flow_findings(graph, held, now, old)
    yield from agent_findings(graph, held, now)


def _no_graph(graph: Any, task: TaskNow) -> Iterator[Finding]:
    """A graph inside has a state, and the node shows none: proof only where its code calls no graph."""
    if about_of(graph):
        return
    spec = graph.builder.nodes.get(task.name)
    if spec is not None and runs_graphs(function_of(spec.runnable)) is False:
        yield Finding(
            kind="breaks",
            where=f"node {task.name}",
            expected="a node without a graph inside",
            found="the state of a graph that is under way inside: it would be lost",
            way_out="Let the run end before the change.",
        )


async def _dry(graph: Any, saver: Any, config: Any, findings: list[Finding]) -> Finding | None:
    """Load the checkpoint as LangGraph does; what it says if it cannot, where nothing that was found explains it."""
    try:
        await graph.copy({"checkpointer": saver}).aget_state(config)
    except Exception as error:
        if findings:
            return None
        return Finding(
            kind="breaks",
            where="the checkpoint",
            expected="one that the graph can load",
            found=f"one that it cannot: {type(error).__name__}: {error}",
            way_out="Let the run end before the change.",
        )
    return None


def _unreadable(error: Exception) -> Finding:
    return Finding(
        kind="breaks",
        where="the checkpoint",
        expected="one that can be read",
        found=f"{type(error).__name__}: {error}",
        way_out="Bring back the code or the key that it was written with.",
    )


def _failed(error: UserError) -> Finding:
    return Finding(
        kind="breaks",
        where="the migration",
        expected="one that goes through",
        found=error.message,
        way_out=error.way_out,
    )
