"""Upgrade: a stored thread and a graph that has changed in, a verdict out: resumes, needs migration, breaks.

Nothing is run: the checkpoint is loaded into the graph as LangGraph would load it, and looked at. Migrations that the
graph brings are applied to a copy first. What each room finds is in `upgrade_state`, `upgrade_flow`, `upgrade_agents`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from segue.base.errors import UserError
from segue.graphs.carrying import inner_graphs, inner_stored, migrated_copy, stored_at
from segue.graphs.functions import function_of, runs_graphs
from segue.graphs.stored import Stored
from segue.graphs.upgrade_agents import agent_findings
from segue.graphs.upgrade_flow import TaskNow, about_of, flow_findings, tasks_now
from segue.graphs.upgrade_state import state_findings
from segue.graphs.verdicts import Finding, Verdict, VerdictKind, verdict_of
from segue.graphs.versions import STAMP

__all__ = ["Finding", "Verdict", "VerdictKind", "check_thread"]


async def check_thread(graph: Any, config: Any) -> Verdict:
    """What will become of a thread when this graph goes on with it.

    Args:
        graph: A compiled graph with the checkpointer that holds the thread.
        config: LangGraph's, with the thread's id.

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
    try:
        if (copied := await migrated_copy(graph, config)) is not None:
            steps = tuple(map(str, copied.steps))
            saver, held = copied.saver, await stored_at(copied.saver, config) or held
    except UserError as error:
        return verdict_of([_failed(error)], stored=stamp)
    now = tasks_now(graph, held)
    findings = [each async for each in _level(graph, saver, held)]
    if not any(each.kind == "breaks" for each in findings) and (broken := await _dry(graph, saver, config, findings)):
        findings.append(broken)
    following = tuple(each.name for each in now if each.id not in held.outputs)
    return verdict_of(findings, stored=stamp, migrations=steps, next=following)


async def _level(graph: Any, saver: Any, held: Stored) -> AsyncIterator[Finding]:
    """What is found in one graph, and in the graphs inside of it."""
    now = tasks_now(graph, held)
    for each in _here(graph, held, now):
        yield each
    for task in now:
        if task.id in held.outputs:
            continue
        inner = await inner_stored(saver, held, task.name, task.id)
        graphs = inner_graphs(graph, task.name, held)
        if inner and not graphs:
            for each in _no_graph(graph, task):
                yield each
        for index, each_held in enumerate(inner if graphs else ()):
            async for found in _level(graphs[min(index, len(graphs) - 1)], saver, each_held):
                yield found.inside(task.name)


def _here(graph: Any, held: Stored, now: list[TaskNow]) -> Iterator[Finding]:
    yield from state_findings(graph, held, frozenset())
    yield from flow_findings(graph, held, now)
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
