"""Naming: nodes, channels and tasks of a thread under the names that they had and have, level by level.

In: the migrations and a graph. Out: what each old name is now, and to which new task an old task's writes belong.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from langgraph.types import Send

from segue.graphs.migration import Migration, Step
from segue.graphs.stored import BRANCH, JOIN, Stored


@dataclass(frozen=True)
class Level:
    """What the migrations say of one graph: of the thread's own, or of one inside."""

    steps: tuple[Step, ...]

    def renamed(self, name: str) -> str:
        """The name of a node as it is now."""
        for step in self.steps:
            name = step.migration.renames.get(name, name)
        return name

    def inside(self, name: str) -> Level:
        """What they say of the graph that this node, by its old name, holds."""
        found: list[Step] = []
        for step in self.steps:
            found.append(Step(step.start, replace(_inner(step, name), end=step.migration.end)))
            name = step.migration.renames.get(name, name)
        return Level(tuple(found))


def _inner(step: Step, name: str) -> Migration:
    return step.migration.inside.get(name, Migration())


class Names:
    """Nodes, channels and tasks under their old and new names, in one graph."""

    def __init__(self, graph: Any, level: Level) -> None:
        self._graph = graph
        self._level = level

    def renamed(self, name: str) -> str:
        """A node's name as it is now."""
        return self._level.renamed(name)

    def channel(self, name: str) -> str:
        """A channel's name as it is now."""
        if name.startswith(BRANCH):
            return BRANCH + self.renamed(name.removeprefix(BRANCH))
        if not name.startswith(JOIN):
            return name
        sources, _, target = name.removeprefix(JOIN).rpartition(":")
        wanted, end = [self.renamed(each) for each in sources.split("+")], self.renamed(target)
        for held, to in self._graph.builder.waiting_edges:
            if to == end and set(held) == set(wanted):
                wanted = list(held)
        return f"{JOIN}{'+'.join(wanted)}:{end}"

    def channels(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """By their names as they are now."""
        return {self.channel(name): value for name, value in values.items()}

    def versions(self, versions: Mapping[str, Any]) -> dict[str, Any]:
        """The same; of two that become one, the newer."""
        out: dict[str, Any] = {}
        for name, version in versions.items():
            now = self.channel(name)
            out[now] = max(out[now], version) if now in out else version
        return out

    def value(self, channel: str, value: Any) -> Any:
        """What stands in a channel of LangGraph's own, as the graph now wants it."""
        if channel.startswith(BRANCH):
            return self._trigger(channel, value)
        if channel.startswith(JOIN):
            if isinstance(value, set | frozenset | list):
                return {self.renamed(each) for each in value}
            seen, finished = value
            return ({self.renamed(each) for each in seen}, finished)
        return value

    def _trigger(self, channel: str, value: Any) -> Any:
        spec = self._graph.channels.get(channel)
        if spec is None:
            return value
        try:
            spec.from_checkpoint(value)
        except (TypeError, ValueError):
            return (value, True)  # it was to run at once, and waits for all others now: they are done
        return value

    def sent(self, send: Any) -> Any:
        """Work that was sent, to whoever does it now."""
        if not isinstance(send, Send) or self.renamed(send.node) == send.node:
            return send
        made = copy.copy(send)
        made.node = self.renamed(send.node)
        return made

    def seen(self, seen: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """What each node has seen."""
        out: dict[str, dict[str, Any]] = {}
        for node, held in seen.items():
            now = out.setdefault(self.renamed(node), {})
            for name, version in held.items():
                channel = self.channel(name)
                now[channel] = max(now[channel], version) if channel in now else version
        return out

    def tasks(self, held: Stored, new: Stored) -> dict[str, tuple[str, str, str]]:
        """By a task's old id: the node's old name, the task's new id, the node's new name."""
        found: dict[str, tuple[str, str, str]] = {}
        for name, node in self._graph.nodes.items():
            now = new.pull_id(name, node.triggers)
            for old in self._old_names(name, held):
                triggers = [self._back(each, name, old) for each in node.triggers]
                for each in held.likely_ids(old, triggers):
                    found.setdefault(each, (old, now, name))
        for index, send in enumerate(held.sends):
            name = self.renamed(send.node)
            if name in self._graph.nodes:
                found[held.push_id(send.node, index)] = (send.node, new.push_id(name, index), name)
        return found

    def _old_names(self, name: str, held: Stored) -> list[str]:
        known = {*held.branches, *held.tup.checkpoint["versions_seen"], name}
        known |= {old for step in self._level.steps for old in step.migration.renames}
        return sorted(old for old in known if self.renamed(old) == name)

    def _back(self, trigger: str, name: str, old: str) -> str:
        """A trigger of a node as it was called before."""
        if trigger == BRANCH + name:
            return BRANCH + old
        if not trigger.startswith(JOIN):
            return trigger
        sources, _, _ = trigger.removeprefix(JOIN).rpartition(":")
        before = {now: was for step in self._level.steps for was, now in step.migration.renames.items()}
        return f"{JOIN}{'+'.join(before.get(each, each) for each in sources.split('+'))}:{old}"
