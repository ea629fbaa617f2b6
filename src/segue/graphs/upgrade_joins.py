"""What a thread's next steps are to the joins of the graph as it is now, and which nodes may still run.

Found here: joins that some sources have arrived at and that are there no more, and new joins that wait for a node that
the thread is past.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langgraph.types import Send

from segue.graphs.functions import function_of, goes_by_itself
from segue.graphs.stored import BRANCH, JOIN, SENDS, Join, Stored, join_of
from segue.graphs.verdicts import Finding

RENAME = "Name it in a migration: renames={{{0!r}: '…'}}."
"""With the name filled in: the way out where a node is gone."""


@dataclass(frozen=True)
class TaskNow:
    """A task that runs next in the new graph."""

    id: str
    name: str
    sent: Any = None
    """What was sent to it, where it was."""


def join_findings(graph: Any, held: Stored, now: list[TaskNow], old: Mapping[str, Any]) -> Iterator[Finding]:
    """Everything about joins; `old` is the shape of the graph that wrote the thread, empty where it is not known."""
    yield from _arrived(graph, held, now)
    yield from _new_joins(graph, held, now, old)


def _arrived(graph: Any, held: Stored, now: list[TaskNow]) -> Iterator[Finding]:
    """Joins that some have arrived at, and that are none any more."""
    arrived = {join.channel: join for join in held.joins}
    for join in _arriving(held):
        seen = arrived[join.channel].seen if join.channel in arrived else frozenset()
        arrived[join.channel] = replace(join, seen=join.seen | seen)
    for join in arrived.values():
        if join.channel in graph.channels:
            continue
        kind, why, way_out = _lost_join(graph, held, now, join)
        if kind is None:
            continue
        found = f"{', '.join(sorted(join.seen))} arrived already"
        yield Finding(kind=kind, where=str(join), expected=why, found=found, way_out=way_out)


def _lost_join(graph: Any, held: Stored, now: list[TaskNow], join: Join) -> tuple[Any, str, str]:
    names = {*join.sources, join.target}
    if unknown := sorted(names - set(graph.nodes)):
        return "needs migration", f"nodes that are there, not {', '.join(unknown)}", RENAME.format(unknown[0])
    same = [each for each in _joins_to(graph, join.target) if set(each) == set(join.sources)]
    if same:
        wanted = f"the sources in the order {' + '.join(same[0])}"
        return "needs migration", wanted, "A migration of this version carries it over, even an empty one."
    if join.target in reachable(graph, held, now):
        return None, "", ""
    waits = [" + ".join(each) for each in _joins_to(graph, join.target)] or ["nothing that still runs"]
    return "breaks", f"{join.target} to wait for {waits[0]}", "Let the run end before the change."


def _joins_to(graph: Any, target: str) -> list[tuple[str, ...]]:
    return [tuple(sources) for sources, end in sorted(graph.builder.waiting_edges) if end == target]


def _new_joins(graph: Any, held: Stored, now: list[TaskNow], old: Mapping[str, Any]) -> Iterator[Finding]:
    """Joins that were none, and wait for a node that has run already or does not run any more."""
    joins = [(tuple(sources.split("+")), target) for sources, target in map(_ends, old.get("joins", ()))]
    new = sorted(each for each in graph.builder.waiting_edges if (tuple(each[0]), each[1]) not in joins)
    lost = {each.target for each in held.joins if each.channel not in graph.channels}
    lost |= {join.target for join in _arriving(held) if join.channel not in graph.channels}
    if not new or not old:
        return
    edges: dict[str, set[str]] = {name: set(ends) for name, ends in old["nodes"].items()}
    for source, target in map(_ends, old["edges"]):
        edges.setdefault(source, set()).add(target)
    for source, branches in old["branches"].items():
        edges.setdefault(source, set()).update(*branches.values())
    before = _spread(held, now, lambda name: edges.get(name, set()), joins) or set()
    after = reachable(graph, held, now)
    for sources, target in new:
        if target in before - after - lost and target in graph.nodes:
            yield Finding(
                kind="breaks",
                where=f"join {'+'.join(sources)} → {target}",
                expected=f"{', '.join(sorted({*sources} - after))} to run before {target}",
                found="a thread that is past it, or does not come to it",
                way_out="Let the run end before the change.",
            )


def _ends(edge: str) -> tuple[str, str]:
    source, _, target = edge.rpartition(" → ")
    return source, target


def reachable(graph: Any, held: Stored, now: Iterable[TaskNow]) -> set[str]:
    """The nodes that may still run: everything, where a node says by itself where to go."""
    found = _spread(held, now, lambda name: _ways_out(graph.builder, name), graph.builder.waiting_edges)
    return set(graph.nodes) if found is None else found


def _spread(
    held: Stored,
    now: Iterable[TaskNow],
    ways_out: Callable[[str], set[str] | None],
    joins: Iterable[tuple[Sequence[str], str]],
) -> set[str] | None:
    """What may run from here on, begun with the tasks that are not done and where done ones lead to.

    `None` where a node on the way does not say where it leads to.
    """
    found = {each.name for each in now if each.id not in held.outputs} | _led_to(held)
    arrived: dict[str, frozenset[str]] = {}
    for join in (*held.joins, *_arriving(held)):
        arrived[join.channel] = arrived.get(join.channel, frozenset()) | join.seen
    while True:
        before = len(found)
        for name in list(found):
            ends = ways_out(name)
            if ends is None:
                return None
            found |= ends
        for sources, target in joins:
            if set(sources) <= found | arrived.get(f"{JOIN}{'+'.join(sources)}:{target}", frozenset()):
                found.add(target)
        if len(found) == before:
            return found


def _led_to(held: Stored) -> set[str]:
    """The nodes that finished tasks of this step lead to, or sent work to."""
    done = [each for writes in held.outputs.values() for each in writes]
    found = {channel.removeprefix(BRANCH) for channel, _ in done if channel.startswith(BRANCH)}
    return found | {value.node for channel, value in done if channel == SENDS and isinstance(value, Send)}


def _arriving(held: Stored) -> Iterator[Join]:
    """Joins that finished tasks of this step arrive at."""
    for writes in held.outputs.values():
        for channel, value in writes:
            if channel.startswith(JOIN) and (join := join_of(channel, {value})) is not None:
                yield join


def _ways_out(builder: Any, name: str) -> set[str] | None:
    """Where a node leads to, joins left out; `None` where only it knows."""
    out = {target for source, target in builder.edges if source == name}
    for branch in builder.branches.get(name, {}).values():
        if branch.ends is None:
            return None
        out |= set(branch.ends.values())
    spec = builder.nodes.get(name)
    if spec is None:
        return out
    if spec.ends:
        return out | set(spec.ends)
    return None if goes_by_itself(function_of(spec.runnable)) else out
