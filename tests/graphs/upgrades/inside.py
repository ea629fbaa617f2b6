"""Pairs of graphs with graphs inside, and of nodes that ask people."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from tests.graphs.upgrades.building import asking, line, node
from tests.graphs.upgrades.pair import Build, Pair, Seen, answer, turn

from segue.graphs import Graph
from segue.graphs.migration import Migration


class State(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    said: str


class Inner(State, total=False):
    draft: str


class Remark(State, total=False):
    remark: str


class Counted(State, total=False):
    draft: int


def ended(*names: str, said: Any = "yes") -> Callable[[Any], bool]:
    """The thread went to its end with a person's answer, and each of these stands in its log once."""
    return lambda out: (
        not out.error
        and not out.waits
        and out.values.get("said") == said
        and all(out.values.get("log", []).count(name) == 1 for name in names)
    )


def waiting(name: str, old: Build, new: Build, wanted: tuple[str, ...], verdict: Any = "resumes", **more: Any) -> Pair:
    """A thread that waits for a person, who says yes."""
    more.setdefault("well", ended(*wanted))
    return Pair(name=name, old=old, new=new, verdict=verdict, request={"log": []}, go_on=answer("yes"), **more)


def inner(
    seen: Seen, ask: str = "ask", state: Any = Inner, *, draft: Any = "milk", key: str = "draft", tail: bool = False
) -> Any:
    """A graph that writes a draft, asks a person, and tells what the draft was."""

    async def tell(held: Any) -> Any:
        return {"log": [f"told {held[key] + held[key]}"]}

    nodes = {
        "write": node(seen, "write", log=["wrote"], **({key: draft} if key else {})),
        ask: asking(seen, ask, "said"),
        "tell": tell if key else node(seen, "tell", log=["told"]),
    }
    if tail:
        nodes["tail"] = node(seen, "tail", log=["tail"])
    return line(state, **nodes)


def outer(seen: Seen, work: Any, name: str = "work") -> Any:
    """A graph with another one as a node."""
    graph = Graph(State)
    graph.add_node("first", node(seen, "first"))
    graph.add_node(name, work)
    graph.add_node("last", node(seen, "last", log=["last"]))
    for source, target in ((START, "first"), ("first", name), (name, "last"), ("last", END)):
        graph.add_edge(source, target)
    return graph


def held(seen: Seen, name: str = "work", **more: Any) -> Any:
    return outer(seen, inner(seen, **more).compile(), name)


def called(seen: Seen, **more: Any) -> Any:
    """The graph inside is called by a node function."""
    graph = inner(seen, **more).compile()

    async def work(state: State, config: RunnableConfig) -> Any:
        final = await graph.ainvoke({"log": []}, config)
        return {"log": final["log"], "said": final["said"]}

    return outer(seen, work)


def deep(seen: Seen, ask: str = "ask", middle: str = "middle") -> Any:
    """A graph in a graph in a graph."""
    graph = Graph(State)
    graph.add_node(middle, inner(seen, ask).compile())
    graph.add_edge(START, middle)
    graph.add_edge(middle, END)
    return outer(seen, graph.compile())


def flat(seen: Seen) -> Any:
    return outer(seen, asking(seen, "work", "said"))


def lasting(seen: Seen, state: Any = Inner, key: str = "draft") -> Any:
    """The graph inside keeps its state from turn to turn."""

    async def tell(held: Any) -> Any:
        seen.ran.append("tell")
        return {"log": [f"told {held.get(key)}"], **({} if held.get(key) else {key: "milk"})}

    return outer(seen, line(state, tell=tell).compile(checkpointer=True))


def hidden(seen: Seen, *, ask: bool = True) -> Any:
    """The graph inside is called by a way that cannot be seen."""

    class Holder:
        graph = review(seen, ask=ask).compile()

    holder = Holder()

    async def work(state: State, config: RunnableConfig) -> Any:
        final = await holder.graph.ainvoke({"log": []}, config)
        return {"log": final["log"], "said": final["said"]}

    return outer(seen, work)


def became_graph(seen: Seen) -> Any:
    """The node that asked by itself is a graph now, which asks nobody."""
    return outer(seen, review(seen, ask=False).compile())


def asks_in_work(seen: Seen) -> Any:
    async def work(state: State) -> Any:
        return {"said": interrupt("Go on?"), "log": ["review"]}

    return outer(seen, work)


TOLD = ("wrote", "told milkmilk", "last")
SUBGRAPHS = [
    waiting("a graph inside waits", held, held, TOLD),
    waiting("a graph inside waits, and has one more node", held, lambda seen: held(seen, tail=True), (*TOLD, "tail")),
    waiting(
        "the node that asks inside is renamed",
        held,
        lambda seen: held(seen, ask="confirm"),
        TOLD,
        "needs migration",
        where="work > node ask",
        migrations={"": Migration(inside={"work": Migration(renames={"ask": "confirm"})})},
    ),
    waiting(
        "the node that holds the graph is renamed",
        held,
        lambda seen: held(seen, "labour"),
        TOLD,
        "needs migration",
        where="node work",
        migrations={"": Migration(renames={"work": "labour"})},
    ),
    waiting(
        "a channel inside is renamed",
        held,
        lambda seen: held(seen, state=Remark, key="remark"),
        TOLD,
        "needs migration",
        where="work > channel draft",
        migrations={"": Migration(inside={"work": Migration(lambda s: {"log": s["log"], "remark": s["draft"]})})},
    ),
    waiting(
        "a channel inside has another type",
        held,
        lambda seen: held(seen, state=Counted, draft=2),
        ("wrote", "told 14", "last"),
        "needs migration",
        where="work > channel draft",
        migrations={"": Migration(inside={"work": Migration(lambda s: {**s, "draft": 7})})},
    ),
    waiting(
        "a node that held a graph holds none",
        held,
        flat,
        TOLD,
        "breaks",
        where="node work",
    ),
    waiting("a graph that a node calls waits", called, called, TOLD),
    waiting(
        "the node that asks is renamed in a graph that a node calls",
        called,
        lambda seen: called(seen, ask="confirm"),
        TOLD,
        "needs migration",
        where="work > node ask",
        migrations={"": Migration(inside={"work": Migration(renames={"ask": "confirm"})})},
    ),
    waiting(
        "a node that asked by itself is a graph now",
        asks_in_work,
        became_graph,
        ("review", "last"),
        "breaks",
        where="node work",
    ),
    waiting("a graph that cannot be seen waits", hidden, hidden, ("review", "last")),
    Pair(
        name="a graph inside keeps its state",
        old=lasting,
        new=lambda seen: lasting(seen),
        verdict="resumes",
        request={"log": []},
        go_on=turn({"log": []}),
        well=lambda out: "told milk" in out.values["log"],
    ),
    Pair(
        name="a channel is gone in a graph inside that keeps its state",
        old=lasting,
        new=lambda seen: lasting(seen, Remark, "remark"),
        verdict="needs migration",
        where="work > channel draft",
        request={"log": []},
        go_on=turn({"log": []}),
        well=lambda out: "told milk" in out.values["log"],
    ),
    waiting("a graph two levels down waits", deep, deep, TOLD),
    waiting(
        "the node that asks two levels down is renamed, and so is the level between",
        deep,
        lambda seen: deep(seen, "confirm", "centre"),
        TOLD,
        "needs migration",
        where="work > node middle",
        migrations={
            "": Migration(
                inside={
                    "work": Migration(
                        renames={"middle": "centre"}, inside={"middle": Migration(renames={"ask": "confirm"})}
                    )
                }
            )
        },
    ),
]


def review(seen: Seen, question: Any = "Go on?", *, ask: bool = True, later: bool = False) -> Any:
    """One node that asks, or not; another one behind it that may ask instead."""

    async def quiet(state: State) -> Any:
        seen.ran.append("review")
        return {"said": "nobody", "log": ["review"]}

    async def loud(state: State) -> Any:
        said = interrupt(question)
        seen.ran.append("review")
        return {"said": said, "log": ["review"]}

    async def asks_later(state: State) -> Any:
        return {"said": interrupt(question), "log": ["later"]}

    nodes: dict[str, Any] = {"review": loud if ask else quiet}
    if later:
        nodes["later"] = asks_later
    return line(State, **nodes)


def _consult(question: str) -> Any:
    return interrupt(question)


def in_a_thread(seen: Seen, *, ask: bool = True, kind: Any = Graph) -> Any:
    """The node is not async."""

    def loud(state: State) -> Any:
        return {"said": interrupt("Go on?"), "log": ["review"]}

    def quiet(state: State) -> Any:
        return {"said": "nobody", "log": ["review"]}

    return line(State, kind=kind, review=loud if ask else quiet)


class Reviewer:
    """A node that is a method, and one that is an object."""

    def __init__(self, *, ask: bool = True) -> None:
        self.ask = ask

    async def method(self, state: State) -> Any:
        return {"said": interrupt("Go on?") if self.ask else "nobody", "log": ["review"]}

    async def __call__(self, state: State) -> Any:
        return await self.method(state)


def with_model(seen: Seen, *, ask: bool = True) -> Any:
    model = GenericFakeChatModel(messages=iter([AIMessage("fine")]))

    async def loud(state: State) -> Any:
        said = interrupt("Go on?")
        await model.ainvoke("hello")
        return {"said": said, "log": ["review"]}

    async def quiet(state: State) -> Any:
        await model.ainvoke("hello")
        return {"said": "nobody", "log": ["review"]}

    return line(State, review=loud if ask else quiet)


def by_helper(seen: Seen) -> Any:
    async def loud(state: State) -> Any:
        said = _consult("Go on?")
        return {"said": said, "log": ["review"]}

    return line(State, review=loud)


def twice(seen: Seen, second: str = "Sure?") -> Any:
    async def loud(state: State) -> Any:
        first = interrupt("Go on?")
        return {"said": f"{first} {interrupt(second)}", "log": ["review"]}

    return line(State, review=loud)


def two_ask(seen: Seen, left: str = "left") -> Any:
    async def one(state: State) -> Any:
        return {"log": [interrupt("Left?"), "left"]}

    graph = Graph(State)
    graph.add_node(left, one)
    graph.add_node("right", asking(seen, "right", "said"))
    for name in (left, "right"):
        graph.add_edge(START, name)
        graph.add_edge(name, END)
    return graph


INTERRUPTS = [
    waiting("a person is asked otherwise", review, lambda seen: review(seen, "Shall we?"), ("review",)),
    waiting("a node that calls a model asks", with_model, with_model, ("review",)),
    waiting(
        "a node that calls a model asks no more",
        with_model,
        lambda seen: with_model(seen, ask=False),
        ("review",),
        "breaks",
        where="node review",
    ),
    waiting("a person is asked in a thread", in_a_thread, in_a_thread, ("review",)),
    waiting(
        "a person is asked in a thread, in a graph of LangGraph",
        lambda seen: in_a_thread(seen, kind=StateGraph),
        lambda seen: in_a_thread(seen, kind=StateGraph),
        ("review",),
    ),
    waiting(
        "nobody asks in the thread any more",
        in_a_thread,
        lambda seen: in_a_thread(seen, ask=False),
        ("review",),
        "breaks",
        where="node review",
    ),
    waiting(
        "a method asks",
        lambda seen: line(State, review=Reviewer().method),
        lambda seen: line(State, review=Reviewer().method),
        ("review",),
    ),
    waiting(
        "an object asks",
        lambda seen: line(State, review=Reviewer()),
        lambda seen: line(State, review=Reviewer()),
        ("review",),
    ),
    waiting("a person is asked by a helper", by_helper, by_helper, ("review",)),
    waiting("a helper asks the person from now on", review, by_helper, ("review",)),
    waiting(
        "nobody asks any more", review, lambda seen: review(seen, ask=False), ("review",), "breaks", where="node review"
    ),
    waiting(
        "another node asks now",
        review,
        lambda seen: review(seen, ask=False, later=True),
        ("review", "later"),
        "breaks",
        where="node review",
    ),
    waiting(
        "a node asks a second time now",
        review,
        twice,
        (),
        well=lambda out: not out.error and out.waits,
    ),
    waiting("two nodes ask", two_ask, two_ask, ("left",)),
    waiting(
        "one of two nodes that ask is renamed",
        two_ask,
        lambda seen: two_ask(seen, "links"),
        ("left",),
        "needs migration",
        where="node left",
        migrations={"": Migration(renames={"left": "links"})},
    ),
]

PAIRS = [*SUBGRAPHS, *INTERRUPTS]
