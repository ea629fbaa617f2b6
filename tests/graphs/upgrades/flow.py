"""Pairs in which the way changed: nodes, edges, joins, sends."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from tests.graphs.upgrades.building import asking, crashing, line, node
from tests.graphs.upgrades.pair import Build, Crash, Pair, Seen, answer

from segue.graphs import Goto, Graph, traced


class State(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    said: str


class WithNotes(State, total=False):
    notes: str


def logs(*names: str) -> Callable[[Any], bool]:
    """The thread went to its end, and these stand in its log, each once."""
    return lambda out: (
        not out.error and not out.waits and all(out.values.get("log", []).count(name) == 1 for name in names)
    )


def cut(name: str, old: Build, new: Build, wanted: tuple[str, ...], verdict: Any = "resumes", **more: Any) -> Pair:
    """A thread that was cut short."""
    return Pair(
        name=name, old=old, new=new, verdict=verdict, well=logs(*wanted), crash=True, request={"log": []}, **more
    )


def waiting(name: str, old: Build, new: Build, wanted: tuple[str, ...], verdict: Any = "resumes", **more: Any) -> Pair:
    """A thread that waits for a person, who says yes."""
    well = logs(*wanted)
    return Pair(
        name=name, old=old, new=new, verdict=verdict, request={"log": []}, go_on=answer("yes"),
        well=lambda out: well(out) and out.values.get("said") == "yes", **more,
    )  # fmt: skip


def three(seen: Seen, second: str = "second", *, kind: Any = Graph, **more: Any) -> Any:
    """first → second → third, dying in the second."""
    nodes = {
        "first": node(seen, "first", log=["first"]),
        second: crashing(seen, second, log=["second"]),
        "third": node(seen, "third", log=["third"]),
    }
    return line(State, kind=kind, **nodes, **more)


def drawn(seen: Seen, nodes: dict[str, Any], edges: list[tuple[Any, str]], state: Any = State) -> Any:
    """A graph of nodes and edges; a list of sources is a join."""
    graph = Graph(state)
    for name, function in nodes.items():
        graph.add_node(name, function)
    for source, target in edges:
        graph.add_edge(source, target)
    return graph


def asks(seen: Seen, name: str = "ask") -> Any:
    nodes = {
        "first": node(seen, "first", log=["first"]),
        name: asking(seen, name, "said"),
        "third": node(seen, "third", log=["third"]),
    }
    return line(State, **nodes)


def stops_before(seen: Seen, second: str = "second", *, stop: bool = True) -> Any:
    graph = three(seen, second)
    return graph.compile(interrupt_before=[second] if stop else None)


def entry(seen: Seen, state: Any = State) -> Any:
    """Dies while it chooses where to begin: its input is all that it has."""

    async def route(held: Any) -> str:
        if seen.broken:
            raise Crash
        return "first"

    graph = Graph(state)
    graph.add_node("first", node(seen, "first", log=["first"]))
    graph.add_conditional_edges(START, route, ["first"])
    graph.add_edge("first", END)
    return graph


def branching(seen: Seen, instead: str = "left") -> Any:
    """A condition behind the node that dies."""

    async def route(held: Any) -> str:
        return instead

    graph = Graph(State)
    graph.add_node("second", crashing(seen, "second", log=["second"]))
    graph.add_node(instead, node(seen, instead, log=["side"]))
    graph.add_edge(START, "second")
    graph.add_conditional_edges("second", route, [instead])
    graph.add_edge(instead, END)
    return graph


def deferred(seen: Seen, *, defer: bool) -> Any:
    graph = Graph(State)
    graph.add_node("first", node(seen, "first", log=["first"]))
    graph.add_node("second", crashing(seen, "second", log=["second"]), defer=defer)
    graph.add_edge(START, "first")
    graph.add_edge("first", "second")
    graph.add_edge("second", END)
    return graph


def renaming(**renames: str) -> Any:
    from segue.graphs.migration import Migration

    return {"": Migration(renames=renames)}


NODES = [
    cut("nothing changed", three, three, ("first", "second", "third")),
    cut(
        "the node that is next is renamed",
        three,
        lambda seen: three(seen, "middle"),
        ("first", "second", "third"),
        "needs migration",
        where="node second",
        migrations=renaming(second="middle"),
    ),
    cut(
        "the node that is next is renamed in a graph of LangGraph",
        lambda seen: three(seen, kind=StateGraph),
        lambda seen: traced(three(seen, "middle", kind=StateGraph)),
        ("first", "second", "third"),
        "needs migration",
        where="node second",
        migrations=renaming(second="middle"),
    ),
    cut(
        "the node that is next is gone",
        three,
        lambda seen: line(State, first=node(seen, "first", log=["first"]), third=node(seen, "third", log=["third"])),
        ("first", "third"),
        "needs migration",
        where="node second",
        migrations=renaming(second="third"),
    ),
    cut(
        "a node that has run is gone",
        three,
        lambda seen: line(State, second=node(seen, "second", log=["second"]), third=node(seen, "third", log=["third"])),
        ("first", "second", "third"),
    ),
    cut(
        "a node that has run is renamed",
        three,
        lambda seen: line(
            State,
            begin=node(seen, "begin", log=["first"]),
            second=node(seen, "second", log=["second"]),
            third=node(seen, "third", log=["third"]),
        ),
        ("first", "second", "third"),
    ),
    cut(
        "a node that comes later is renamed",
        three,
        lambda seen: line(
            State,
            first=node(seen, "first", log=["first"]),
            second=node(seen, "second", log=["second"]),
            last=node(seen, "last", log=["third"]),
        ),
        ("first", "second", "third"),
    ),
    cut(
        "a node is put before the one that is next",
        three,
        lambda seen: line(
            State,
            first=node(seen, "first", log=["first"]),
            between=node(seen, "between", log=["between"]),
            second=node(seen, "second", log=["second"]),
            third=node(seen, "third", log=["third"]),
        ),
        ("first", "second", "third"),
    ),
    cut(
        "a node is put behind the one that is next",
        three,
        lambda seen: line(
            State,
            first=node(seen, "first", log=["first"]),
            second=node(seen, "second", log=["second"]),
            between=node(seen, "between", log=["between"]),
            third=node(seen, "third", log=["third"]),
        ),
        ("first", "second", "third", "between"),
    ),
    cut(
        "the edge behind the node that is next is gone",
        three,
        lambda seen: line(State, first=node(seen, "first"), second=node(seen, "second", log=["second"])),
        ("first", "second"),
    ),
    cut("a condition goes elsewhere", branching, lambda seen: branching(seen, "right"), ("second", "side")),
    cut(
        "the run died before its first node, and a channel of its input is gone",
        lambda seen: entry(seen, WithNotes),
        entry,
        ("first", "milk"),
        "needs migration",
        where="channel notes",
        migrations={"": lambda state: {"log": [*state.get("log", []), state["notes"]]}},
    ),
    cut("the run died before its first node", entry, lambda seen: entry(seen, WithNotes), ("first",)),
    cut(
        "the node that is next waits for all others now",
        lambda seen: deferred(seen, defer=False),
        lambda seen: deferred(seen, defer=True),
        ("first", "second"),
        "needs migration",
        where="node second",
        migrations=renaming(),
    ),
    cut(
        "the node that is next waits for all others no more",
        lambda seen: deferred(seen, defer=True),
        lambda seen: deferred(seen, defer=False),
        ("first", "second"),
    ),
    Pair(
        name="a graph that stops before a node goes on",
        old=stops_before,
        new=lambda seen: stops_before(seen, stop=False),
        verdict="resumes",
        well=logs("first", "second", "third"),
        request={"log": []},
    ),
    Pair(
        name="a graph that stops before a node that is renamed",
        old=stops_before,
        new=lambda seen: stops_before(seen, "middle", stop=False),
        verdict="needs migration",
        where="node second",
        well=logs("first", "second", "third"),
        request={"log": []},
        migrations=renaming(second="middle"),
    ),
    waiting("a person is asked in a node that stays", asks, asks, ("first", "third")),
    waiting(
        "a person is asked in a node that is renamed",
        asks,
        lambda seen: asks(seen, "confirm"),
        ("first", "third"),
        "needs migration",
        where="node ask",
        migrations=renaming(ask="confirm"),
    ),
]
NODES[11] = Pair(**{**NODES[11].__dict__, "request": {"log": [], "notes": "milk"}})


def joining(
    seen: Seen,
    sources: list[str] | None = None,
    *,
    left: str = "left",
    end: str = "end",
    extra: dict[str, Any] | None = None,
) -> Any:
    """left ends at once, right two steps later, where it dies; the end waits for both."""
    sources = sources or [left, "late"]
    nodes = {
        left: node(seen, left, log=["left"]),
        "right": node(seen, "right", log=["right"]),
        "late": crashing(seen, "late", log=["late"]),
        end: node(seen, end, log=["end"]),
        **(extra or {}),
    }
    edges: list[tuple[Any, str]] = [(START, left), (START, "right"), ("right", "late")]
    edges.append((sources if len(sources) > 1 else sources[0], end))
    return drawn(seen, nodes, [*edges, (end, END)])


def three_sources(seen: Seen) -> Any:
    graph = joining(seen, ["left", "late", "third"], extra={"third": node(seen, "third", log=["third"])})
    graph.add_edge(START, "third")
    return graph


def beside_a_join(seen: Seen, sources: list[str]) -> Any:
    """left and right end beside late, which dies in the same step; the end waits for some of the three."""
    nodes = {
        "left": node(seen, "left", log=["left"]),
        "right": node(seen, "right", log=["right"]),
        "late": crashing(seen, "late", log=["late"]),
        "end": node(seen, "end", log=["end"]),
    }
    edges: list[tuple[Any, str]] = [(START, "left"), (START, "right"), (START, "late"), (sources, "end")]
    return drawn(seen, nodes, [*edges, ("end", END)])


def past_a_join(seen: Seen, sources: list[str]) -> Any:
    """first, then the one that dies, then left and right; the end waits for some of them."""
    nodes = {
        "first": node(seen, "first", log=["first"]),
        "late": crashing(seen, "late", log=["late"]),
        "left": node(seen, "left", log=["left"]),
        "right": node(seen, "right", log=["right"]),
        "end": node(seen, "end", log=["end"]),
    }
    edges: list[tuple[Any, str]] = [(START, "first"), ("first", "late"), ("late", "left"), ("late", "right")]
    return drawn(seen, nodes, [*edges, (sources, "end"), ("end", END)])


def gone_join(seen: Seen) -> Any:
    return joining(seen, ["left"])


def beside(seen: Seen, *, after: str = "after", more: bool = False, ask: bool = False) -> Any:
    """Two nodes at once: one ends, the other dies or asks; each has a node behind it."""
    held = asking(seen, "slow", "said") if ask else crashing(seen, "slow", log=["slow"])
    nodes = {
        "fast": node(seen, "fast", log=["fast"]),
        "slow": held,
        after: node(seen, after, log=["after"]),
    }
    edges: list[tuple[Any, str]] = [(START, "fast"), (START, "slow"), ("fast", after), (after, END), ("slow", END)]
    if more:
        nodes["other"] = node(seen, "other", log=["other"])
        nodes["another"] = node(seen, "another")
        edges += [("fast", "other"), ("fast", "another"), (["other", "another"], "slow")]
    return drawn(seen, nodes, edges)


JOINS = [
    cut("a join waits", joining, joining, ("left", "right", "late", "end")),
    cut(
        "a join waits, and its sources are named in another order",
        joining,
        lambda seen: joining(seen, ["late", "left"]),
        ("left", "right", "late", "end"),
        "needs migration",
        where="join left+late → end",
        migrations=renaming(),
    ),
    cut(
        "a join waits for one more that has not run",
        joining,
        three_sources,
        ("left", "right", "late", "end"),
        "breaks",
        where="join left+late → end",
    ),
    cut(
        "a join waits in the step under way, for one more that has ended",
        lambda seen: beside_a_join(seen, ["left", "late"]),
        lambda seen: beside_a_join(seen, ["left", "late", "right"]),
        ("late", "left", "right", "end"),
        "breaks",
        where="join left+late → end",
    ),
    cut(
        "a join waits in the step under way, for one less that has ended",
        lambda seen: beside_a_join(seen, ["left", "late", "right"]),
        lambda seen: beside_a_join(seen, ["left", "late"]),
        ("late", "left", "right", "end"),
        "breaks",
        where="join left+late+right → end",
    ),
    cut(
        "a join that nobody came to yet waits for others that still run",
        lambda seen: past_a_join(seen, ["left", "right"]),
        lambda seen: past_a_join(seen, ["right", "late"]),
        ("first", "late", "left", "right", "end"),
    ),
    cut(
        "a join waits for one less",
        joining,
        lambda seen: joining(seen, ["late"]),
        ("left", "right", "late", "end"),
    ),
    cut(
        "a join waits, and now only the one that has run leads on",
        joining,
        gone_join,
        ("left", "right", "late", "end"),
        "breaks",
        where="join left+late → end",
    ),
    cut(
        "a source of a join that has run is renamed",
        joining,
        lambda seen: joining(seen, left="links"),
        ("left", "right", "late", "end"),
        "needs migration",
        where="join left+late → end",
        migrations=renaming(left="links"),
    ),
    cut(
        "what a join leads to is renamed",
        joining,
        lambda seen: joining(seen, end="finish"),
        ("left", "right", "late", "end"),
        "needs migration",
        where="join left+late → end",
        migrations=renaming(end="finish"),
    ),
    cut("one of two nodes is done", beside, beside, ("fast", "slow", "after")),
    cut(
        "what comes behind a node that is done is renamed",
        beside,
        lambda seen: beside(seen, after="behind"),
        ("fast", "slow", "after"),
        "needs migration",
        where="node after",
        migrations=renaming(after="behind"),
    ),
    waiting(
        "one of two nodes is done, the other asks",
        lambda seen: beside(seen, ask=True),
        lambda seen: beside(seen, ask=True),
        ("fast", "after"),
    ),
    waiting(
        "the node that asks is led to by a join too",
        lambda seen: beside(seen, ask=True),
        lambda seen: beside(seen, ask=True, more=True),
        ("fast", "after"),
        "needs migration",
        where="node slow",
        migrations=renaming(),
    ),
]


class Item(TypedDict):
    name: str


class Numbered(TypedDict):
    name: int


class Sized(Item):
    size: int


def sending(
    seen: Seen,
    worker: str = "worker",
    gather: str = "gather",
    *,
    function: Any = None,
    items: tuple[str, ...] = ("one", "two", "three"),
    dies_at: str = "",
    state: Any = State,
) -> Any:
    """Items sent to a worker each; the worker of one of them can die."""

    async def split(held: Any) -> Any:
        return Goto([Send(worker, {"name": item}) for item in items], because="one each")

    async def work(item: Any) -> Any:
        if seen.broken and dies_at in ("", item["name"]):
            raise Crash
        seen.ran.append(item["name"])
        return {"log": [item["name"]]}

    nodes = {"split": split, worker: function or work, gather: node(seen, gather, log=["gathered"])}
    return drawn(seen, nodes, [(START, "split"), (worker, gather), (gather, END)], state)


def needs_size(seen: Seen) -> Any:
    async def work(item: Sized) -> Any:
        size = item["size"]
        return {"log": [item["name"], str(size)]}

    return sending(seen, function=work)


def numbered(seen: Seen) -> Any:
    """The worker takes numbers for names."""

    async def work(item: Numbered) -> Any:
        return {"log": [str(item["name"] + 1)]}

    return sending(seen, function=work)


ALL = ("one", "two", "three", "gathered")
SENDS = [
    cut("work is sent", sending, sending, ALL),
    cut("work is sent, and other work is split otherwise", sending, lambda seen: sending(seen, items=("x",)), ALL),
    cut(
        "the worker that work is sent to is renamed",
        sending,
        lambda seen: sending(seen, "helper"),
        ALL,
        "needs migration",
        where="node worker",
        migrations=renaming(worker="helper"),
    ),
    cut(
        "two of three workers are done",
        lambda seen: sending(seen, dies_at="two"),
        sending,
        ALL,
    ),
    cut(
        "two of three workers are done, and the worker is renamed",
        lambda seen: sending(seen, dies_at="two"),
        lambda seen: sending(seen, "helper"),
        ALL,
        "needs migration",
        where="node worker",
        migrations=renaming(worker="helper"),
    ),
    cut(
        "two of three workers are done, and who gathers is renamed",
        lambda seen: sending(seen, dies_at="two"),
        lambda seen: sending(seen, gather="collect"),
        ALL,
    ),
    cut("work that was sent is of another type", sending, numbered, ALL, "breaks", where="node worker"),
    cut("work that was sent lacks what its worker reads", sending, needs_size, ALL, "breaks", where="node worker"),
]

PAIRS = [*NODES, *JOINS, *SENDS]
