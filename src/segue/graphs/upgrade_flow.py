"""What a thread's next steps are to the nodes and edges of the graph as it is now.

Found here: nodes that are gone and were to run, work that was sent to nobody, tasks whose finished work or open
question nothing belongs to any more, and nodes that ask nobody any more. Joins are looked at in `upgrade_joins`.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from typing import Any

import typing_extensions
from langgraph.channels.base import BaseChannel
from langgraph.constants import START
from langgraph.types import Send

from segue.graphs.fitting import misfits
from segue.graphs.functions import asks, function_of, surely_read
from segue.graphs.stored import BRANCH, INTERRUPT, RESUME, SENDS, Stored, interrupt_id
from segue.graphs.upgrade_joins import RENAME, TaskNow, join_findings
from segue.graphs.upgrade_state import lacking, lacks
from segue.graphs.verdicts import Finding


def tasks_now(graph: Any, held: Stored) -> list[TaskNow]:
    """The tasks that the checkpoint starts in the graph, with the ids that LangGraph will give them."""
    found = [
        TaskNow(held.push_id(each.node, index), each.node, each.arg)
        for index, each in enumerate(held.sends)
        if each.node in graph.nodes
    ]
    for name, node in graph.nodes.items():
        ready = any(_ready(graph, held, trigger, name) for trigger in node.triggers)
        if ready:
            found.append(TaskNow(held.pull_id(name, node.triggers), name))
    return found


def _ready(graph: Any, held: Stored, trigger: str, name: str) -> bool:
    """Whether a channel is there and new to the node."""
    spec, value = graph.channels.get(trigger), held.values.get(trigger, _NOTHING)
    if not isinstance(spec, BaseChannel) or value is _NOTHING or trigger not in held.versions:
        return False
    try:
        available = spec.from_checkpoint(value).is_available()
    except Exception:
        return False
    seen = held.tup.checkpoint["versions_seen"].get(name, {}).get(trigger)
    return available and (seen is None or held.versions[trigger] > seen)


_NOTHING = object()


def flow_findings(
    graph: Any, held: Stored, now: list[TaskNow], old: Mapping[str, Any] | None = None
) -> Iterator[Finding]:
    """Everything about nodes, edges and tasks; `old` is the shape of the graph that wrote them, where it is known."""
    yield from _unloadable(graph, held)
    yield from _gone_nodes(graph, held)
    yield from join_findings(graph, held, now, old or {})
    yield from _orphans(graph, held, now)
    if not about_of(graph):
        yield from _functions(graph, held, now)


def _unloadable(graph: Any, held: Stored) -> Iterator[Finding]:
    for name, value in held.branches.items():
        spec = graph.channels.get(BRANCH + name)
        if spec is None:
            continue
        try:
            spec.from_checkpoint(value)
        except Exception as error:
            yield Finding(
                kind="needs migration",
                where=f"node {name}",
                expected="a node that waits for all others (defer)",
                found=f"one that was to run at once, which cannot be loaded so: {type(error).__name__}: {error}",
                way_out="A migration of this version mends it, even an empty one.",
            )


def _gone_nodes(graph: Any, held: Stored) -> Iterator[Finding]:
    done = [each for task, writes in held.outputs.items() if not _led_on(graph, held, task) for each in writes]
    wanted: dict[str, str] = dict.fromkeys(held.branches, "it was to run next")
    wanted |= {each.node: "work was sent to it" for each in held.sends}
    for channel, value in done:
        if channel.startswith(BRANCH):
            wanted.setdefault(channel.removeprefix(BRANCH), "a node that has finished leads to it")
        elif channel == SENDS and isinstance(value, Send):
            wanted.setdefault(value.node, "a node that has finished sent work to it")
    for name, why in wanted.items():
        if name not in graph.nodes:
            alien = name in _OURS and not about_of(graph)
            yield Finding(
                kind="breaks" if alien else "needs migration",
                where=f"node {name}",
                expected=f"a node {name}" + (": an agent's graph is no more here" if alien else ""),
                found=why,
                way_out="Let the run end before the change." if alien else RENAME.format(name),
            )


def _led_on(graph: Any, held: Stored, task: str) -> bool:
    """Whether the nodes that a finished task leads to now are led to by tasks that still run, too."""
    now = tasks_now(graph, held)
    name = next((each.name for each in now if each.id == task), None)
    edges = graph.builder.edges
    wanted = {target for source, target in edges if source == name}
    others = {each.name for each in now if each.id not in held.outputs}
    return bool(wanted) and wanted <= {target for source, target in edges if source in others}


_OURS = frozenset({"generate", "act", "dispatch", "gather"})


def about_of(graph: Any) -> dict[str, Any]:
    """By node: the spec of the agent or team that it was drawn from; empty for graphs that people draw."""
    return getattr(getattr(graph, "builder", None), "about", None) or {}


def _orphans(graph: Any, held: Stored, now: list[TaskNow]) -> Iterator[Finding]:
    """Tasks that finished or asked, and that no task of the new graph is."""
    known = {each.id for each in now}
    gone = {*held.branches, *(each.node for each in held.sends)} - set(graph.nodes)
    for task in held.writes:
        if task in known or not (task in held.outputs or task in held.waiting or _answered(held, task)):
            continue
        name = _name_of(graph, held, task)
        if name in gone or (name is None and gone):
            continue  # the node that is gone has been told
        what = "its question" if task in held.waiting else "its finished work"
        yield Finding(
            kind="needs migration" if name else "breaks",
            where=f"node {name}" if name else "a task of this step",
            expected="to be led to as it is now",
            found=f"{what}, of when other edges led to it: it would run again",
            way_out="A migration of this version carries it over, even an empty one."
            if name
            else "Let the run end before the change.",
        )


def _answered(held: Stored, task: str) -> bool:
    return any(channel == RESUME for channel, _ in held.writes[task])


def _name_of(graph: Any, held: Stored, task: str) -> str | None:
    names: set[str] = {*graph.nodes, *held.branches, *(join.target for join in held.joins)}
    for name in sorted(names):
        triggers = graph.nodes[name].triggers if name in graph.nodes else [BRANCH + name]
        if task in held.likely_ids(name, triggers):
            return name
    for index, each in enumerate(held.sends):
        if task == held.push_id(each.node, index):
            return each.node
    return None


def _functions(graph: Any, held: Stored, now: list[TaskNow]) -> Iterator[Finding]:
    """What the functions of the next nodes tell: what they read, and whether they still ask."""
    for each in now:
        if each.id in held.outputs or each.name == START:
            continue
        spec = graph.builder.nodes.get(each.name)
        if spec is None:
            continue
        function = function_of(spec.runnable)
        yield from _reads(graph, held, each, spec, function)
        if each.id in held.waiting and _asks_no_more(graph, held, each, function):
            yield Finding(
                kind="breaks",
                where=f"node {each.name}",
                expected="a node that asks nobody",
                found="a question that waits: its answer would be looked at by nobody",
                way_out="Have it answered before the change, or keep asking.",
            )


def _asks_no_more(graph: Any, held: Stored, each: TaskNow, function: Any) -> bool:
    """Whether nobody looks at the answer: the node's code does not ask, or the node is a graph and was none."""
    if not graph.nodes[each.name].subgraphs:
        return asks(function) is False
    own = interrupt_id(held.inner(each.name, each.id))
    asked = [one for channel, value in held.writes[each.id] if channel == INTERRUPT for one in value]
    return function is None and any(getattr(one, "id", None) == own for one in asked)


def _reads(graph: Any, held: Stored, each: TaskNow, spec: Any, function: Any) -> Iterator[Finding]:
    if each.sent is not None:
        if not isinstance(each.sent, dict):
            return
        yield from _sent(graph, each, spec)
        for name in sorted(surely_read(function) - each.sent.keys()):
            yield Finding(
                kind="breaks",
                where=f"node {each.name}",
                expected=f"{name!r} in what is sent to it",
                found=f"work that was sent with {', '.join(map(repr, each.sent)) or 'nothing'}",
                way_out=f"Have the node do without {name!r}, or let the run end before the change.",
            )
        return
    there = _available(graph, held)
    channels = [name for name in graph.builder.schemas.get(spec.input_schema, {}) if name in graph.channels]
    values = {name: None for name in channels if name in there}
    missing = lacking(spec.input_schema, values)
    missing += [name for name in surely_read(function) if name in channels and name not in there]
    for name in sorted({*missing}):
        yield lacks(each.name, name)


def _sent(graph: Any, each: TaskNow, spec: Any) -> Iterator[Finding]:
    """What of the work that was sent is of another type than the node now says."""
    if spec.input_schema is graph.builder.state_schema or not typing_extensions.is_typeddict(spec.input_schema):
        return
    hints = typing.get_type_hints(spec.input_schema, include_extras=True)
    for name in sorted(each.sent.keys() & hints.keys()):
        for misfit in misfits(hints[name], each.sent[name]):
            path = ".".join(str(part) for part in (name, *misfit.path))
            yield Finding(
                kind="breaks",
                where=f"node {each.name}",
                expected=f"{path} in what is sent to it: {misfit.wanted}",
                found=misfit.found,
                way_out="Have the node take both, or let the run end before the change.",
            )


def _available(graph: Any, held: Stored) -> set[str]:
    """The channels that a node finds a value in."""
    found: set[str] = set()
    for name, spec in graph.channels.items():
        if not isinstance(spec, BaseChannel):
            found.add(name)
            continue
        try:
            made = spec.from_checkpoint(held.values[name]) if name in held.values else spec
            if made.is_available():
                found.add(name)
        except Exception:
            found.add(name)
    return found
