"""A pair of an old checkpoint and a changed graph: how to come to the checkpoint, and what must be said of it.

What a pair expects is proven by really resuming: `observe` runs the old graph to where it stops, goes on with it in
the new graph, and gives what became of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from segue.agents.runnable import Runnable
from segue.base.ports import default_workspace
from segue.graphs.carrying import migrate
from segue.graphs.running import with_context
from segue.graphs.upgrade import Verdict, VerdictKind, check_thread

CONFIG: dict[str, Any] = {"configurable": {"thread_id": "t"}}


@dataclass
class Seen:
    """What a graph's nodes and tools did."""

    ran: list[str] = field(default_factory=list)
    broken: bool = False
    """Whether nodes that can crash do so."""


class Crash(BaseException):
    """The process is gone, as far as the graph can tell."""


@dataclass(frozen=True)
class Outcome:
    """What became of a thread."""

    values: Mapping[str, Any]
    ran: list[str]
    """In the new graph."""
    error: str = ""
    waits: bool = False


Build = Callable[[Seen], Any]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An old graph, how far to run it, a new graph, and what is expected of the two."""

    name: str
    old: Build
    new: Build
    verdict: VerdictKind
    where: str = ""
    """Of one of the findings."""
    well: Callable[[Outcome], bool]
    """Whether the thread went on as it should: nothing lost, nothing dropped."""
    request: Any = field(default_factory=dict)
    crash: bool = False
    """Whether the old run is cut short where a node can crash."""
    go_on: Any = None
    """What the new graph is given: nothing, `answer(…)` or `turn(…)`."""
    migrations: Mapping[str, Any] | None = None
    """For a pair that needs a migration: one that mends it."""
    mended: Callable[[Outcome], bool] | None = None
    """Whether it went on as it should after the migration, where that is otherwise than without."""
    serde: Callable[[], Any] | None = None
    between: Callable[[], None] = lambda: None
    """What changes besides the graph: classes, say."""
    after: Callable[[], None] = lambda: None
    extra_turns: tuple[Any, ...] = ()
    """Further input of the old run, after its request."""


def answer(value: Any) -> Callable[[Any], Any]:
    """Resume with this answer to every interrupt; a dict that is keyed by our ids is handed on as it is."""

    def command(snapshot: Any) -> Any:
        return Command(resume={each.id: _given(value, each) for each in snapshot.interrupts})

    return command


def _given(value: Any, interrupt: Any) -> Any:
    if isinstance(interrupt.value, list) and interrupt.value and "id" in interrupt.value[0]:
        return {request["id"]: value for request in interrupt.value}
    return value


def turn(value: Any) -> Callable[[Any], Any]:
    """The next turn of a thread at rest."""
    return lambda snapshot: value


def compiled(made: Any, saver: Any) -> Any:
    """The graph, whatever a pair built: an agent, a drawn graph or one that is compiled."""
    graph = made.graph if isinstance(made, Runnable) else made
    graph = graph.compile() if hasattr(graph, "compile") else graph
    return graph.copy({"checkpointer": saver})


async def invoke(graph: Any, given: Any) -> None:
    """Go on as one and the same run: what people are asked is known by its id."""
    async with default_workspace().borrowed(graph, CONFIG, None) as ctx:
        inside = with_context(cast(RunnableConfig, CONFIG), ctx.at(run_id="run_of_the_pair"))
        await graph.ainvoke(given, inside, durability="sync")


async def stored(pair: Pair) -> Any:
    """A saver that holds the old checkpoint."""
    saver = InMemorySaver(serde=pair.serde() if pair.serde else None)
    seen = Seen(broken=pair.crash)
    graph = compiled(pair.old(seen), saver)
    for request in (pair.request, *pair.extra_turns):
        try:
            await invoke(graph, request)
        except Crash:
            if not pair.crash:
                raise
    pair.between()
    return saver


def new_graph(pair: Pair, saver: Any, seen: Seen, migrations: Mapping[str, Any] | None = None) -> Any:
    """The new graph over the saver, with migrations where they are given."""
    made = pair.new(seen)
    if migrations:
        made = _with(made, migrations)
    return compiled(made, saver)


def _with(made: Any, migrations: Mapping[str, Any]) -> Any:
    from segue.graphs import traced

    drawn = made.draw() if isinstance(made, Runnable) else getattr(made, "builder", made)
    return traced(drawn, version="new", migrations=migrations)


async def observe(pair: Pair, *, migrated: bool = False) -> Outcome:
    """Go on with the old checkpoint in the new graph."""
    try:
        saver, seen = await stored(pair), Seen()
        graph = new_graph(pair, saver, seen, pair.migrations if migrated else None)
        if migrated:
            await migrate(graph, CONFIG)
        return await _went(pair, graph, seen)
    finally:
        pair.after()


async def _went(pair: Pair, graph: Any, seen: Seen) -> Outcome:
    try:
        snapshot = await graph.aget_state(CONFIG) if pair.go_on else None
        given = pair.go_on(snapshot) if pair.go_on else None
        await invoke(graph, given)
        final = await graph.aget_state(CONFIG)
    except Exception as error:
        return Outcome({}, seen.ran, error=f"{type(error).__name__}: {error}")
    return Outcome(final.values, seen.ran, waits=bool(final.interrupts))


async def judged(pair: Pair, *, migrated: bool = False) -> Verdict:
    """What the check says of the pair."""
    try:
        saver = await stored(pair)
        return await check_thread(new_graph(pair, saver, Seen(), pair.migrations if migrated else None), CONFIG)
    finally:
        pair.after()
