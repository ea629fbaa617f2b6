"""Pairs in which the state changed: channels gone, renamed, of another type, another reducer."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.channels import EphemeralValue, UntrackedValue
from langgraph.graph import MessagesState, StateGraph
from pydantic import BaseModel, Field
from tests.graphs.upgrades.building import crashing, line, node, reading
from tests.graphs.upgrades.pair import Build, Pair, turn

from segue.graphs import traced
from segue.memory.checkpoints import strict_serde


class Base(TypedDict, total=False):
    log: Annotated[list[str], operator.add]


def with_field(kind: Any, name: str = "held", base: Any = Base) -> Any:
    """A state of `log` and one more channel."""
    hints = {"log": Annotated[list[str], operator.add], name: kind}
    return TypedDict("State", hints, total=False)  # type: ignore[operator]


def rests(state: Any, **writes: Any) -> Build:
    """A graph that writes once and is at rest."""
    return lambda seen: line(state, first=node(seen, "first", log=["first"], **writes))


def reads(state: Any, read: Callable[[Any], Any]) -> Build:
    """A graph whose only node reads what the turn before wrote."""
    return lambda seen: line(state, first=reading(seen, "first", lambda held: [str(read(held))], "log"))


def dies(state: Any, **writes: Any) -> Build:
    """A graph that writes, then dies in its second node."""
    return lambda seen: line(
        state,
        first=node(seen, "first", log=["first"], **writes),
        second=crashing(seen, "second", log=["second"]),
    )


def then_reads(state: Any, read: Callable[[Any], Any]) -> Build:
    """The same graph, whose second node reads."""
    return lambda seen: line(
        state,
        first=node(seen, "first", log=["first"]),
        second=reading(seen, "second", lambda held: [str(read(held))], "log"),
    )


def says(text: str) -> Callable[[Any], bool]:
    """The thread went to its end, and this text stands in what it holds."""
    return lambda outcome: not outcome.error and not outcome.waits and text in str(outcome.values)


NEXT = turn({"log": ["turn"]})
START_ = {"log": ["start"]}


def at_rest(name: str, old: Build, new: Build, text: str, verdict: Any = "resumes", **more: Any) -> Pair:
    """A thread at rest that takes its next turn."""
    return Pair(name=name, old=old, new=new, verdict=verdict, well=says(text), request=START_, go_on=NEXT, **more)


def cut(name: str, old: Build, new: Build, text: str, verdict: Any = "resumes", **more: Any) -> Pair:
    """A thread that was cut short before its second node."""
    return Pair(name=name, old=old, new=new, verdict=verdict, well=says(text), request=START_, crash=True, **more)


REST = [
    at_rest(
        "a channel with data is gone",
        rests(with_field(str, "notes"), notes="milk"),
        rests(Base),
        "milk",
        "needs migration",
        where="channel notes",
        migrations={"": lambda state: {"log": [*state["log"], state["notes"]]}},
    ),
    at_rest("a channel that held nothing is gone", rests(with_field(str, "notes"), notes=""), rests(Base), "first"),
    at_rest(
        "a channel is renamed",
        rests(with_field(str, "notes"), notes="milk"),
        rests(with_field(str, "remarks")),
        "milk",
        "needs migration",
        where="channel notes",
        migrations={"": lambda state: {"log": state["log"], "remarks": state["notes"]}},
    ),
    at_rest("a channel is new", rests(Base), rests(with_field(str, "notes")), "first"),
    at_rest(
        "a text is a number now",
        rests(with_field(str), held="5"),
        reads(with_field(int), lambda state: state["held"] + 1),
        "'6'",
        "needs migration",
        where="channel held",
        migrations={"": lambda state: {**state, "held": int(state["held"])}},
    ),
    at_rest(
        "a whole number may have a fraction now",
        rests(with_field(int), held=5),
        reads(with_field(float), lambda state: state["held"] + 0.5),
        "5.5",
    ),
    at_rest(
        "what may be missing must be there",
        rests(with_field(str | None), held=None),
        reads(with_field(str), lambda state: state["held"].upper()),
        "MILK",
        "needs migration",
        where="channel held",
        migrations={"": lambda state: {**state, "held": "milk"}},
    ),
    at_rest(
        "pairs that come back as lists",
        rests(with_field(tuple[int, str] | None), held=(5, "milk")),
        reads(with_field(tuple[int, str] | tuple[int, str, str] | None), lambda state: state["held"][1]),
        "milk",
    ),
    at_rest(
        "a number may be a text too",
        rests(with_field(int), held=5),
        reads(with_field(int | str), lambda state: state["held"]),
        "'5'",
    ),
    at_rest(
        "a choice is gone",
        rests(with_field(Literal["low", "high"]), held="low"),
        reads(with_field(Literal["calm", "high"]), lambda state: {"calm": 1, "high": 2}[state["held"]]),
        "'1'",
        "needs migration",
        where="channel held",
        migrations={"": lambda state: {**state, "held": "calm"}},
    ),
    at_rest(
        "a choice is new",
        rests(with_field(Literal["low", "high"]), held="low"),
        reads(with_field(Literal["low", "high", "off"]), lambda state: state["held"]),
        "low",
    ),
    at_rest(
        "a channel is kept for one step only",
        lambda seen: line(
            with_field(str), first=node(seen, "first", held="milk"), second=node(seen, "second", log=["second"])
        ),
        rests(with_field(Annotated[str, EphemeralValue(str)])),
        "milk",
        "needs migration",
        where="channel held",
        migrations={"": lambda state: {"log": [*state["log"], state["held"]]}},
    ),
    at_rest(
        "a channel is not kept any more",
        rests(with_field(str), held="milk"),
        rests(with_field(Annotated[str, UntrackedValue(str)])),
        "milk",
        "needs migration",
        where="channel held",
        migrations={"": lambda state: {"log": [*state["log"], state["held"]]}},
    ),
    at_rest(
        "messages of LangChain beside a new channel",
        lambda seen: line(MessagesState, first=node(seen, "first", messages=[AIMessage("milk")])),
        lambda seen: line(
            TypedDict("More", {**MessagesState.__annotations__, "held": str}),  # type: ignore[operator]
            first=node(seen, "first", messages=[AIMessage("again")]),
        ),
        "milk",
    ),
]
REST[-1] = Pair(
    name=REST[-1].name, old=REST[-1].old, new=REST[-1].new, verdict="resumes", well=says("milk"),
    request={"messages": [HumanMessage("hello")]}, go_on=turn({"messages": [HumanMessage("more")]}),
)  # fmt: skip


def merged(left: Any, right: Any) -> Any:
    """A reducer of dicts."""
    return {**left, **right}


REDUCERS = [
    at_rest(
        "a list that grows is a dict that grows",
        rests(with_field(Annotated[list[str], operator.add]), held=["milk"]),
        rests(with_field(Annotated[dict[str, int], merged]), held={"eggs": 1}),
        "milk",
        "needs migration",
        where="channel held",
        migrations={"": lambda state: {**state, "held": dict.fromkeys(state["held"], 1)}},
    ),
    at_rest(
        "a text is a list that grows",
        rests(with_field(str), held="milk"),
        rests(with_field(Annotated[list[str], operator.add]), held=["eggs"]),
        "milk', 'eggs",
        "needs migration",
        where="channel held",
        migrations={"": lambda state: {**state, "held": [state["held"]]}},
    ),
    at_rest(
        "a list is a list that grows",
        rests(with_field(list[str]), held=["milk"]),
        rests(with_field(Annotated[list[str], operator.add]), held=["eggs"]),
        "milk', 'eggs",
    ),
    at_rest(
        "a list that grew is replaced from now on",
        rests(with_field(Annotated[list[str], operator.add]), held=["milk"]),
        reads(with_field(list[str]), lambda state: state["held"]),
        "milk",
    ),
    at_rest(
        "a list of anything is merged like a dict",
        rests(with_field(Annotated[Any, operator.add]), held=["milk"]),
        rests(with_field(Annotated[Any, merged]), held={"eggs": 1}),
        "milk",
        "needs migration",
        where="channel held",
        migrations={"": lambda state: {**state, "held": dict.fromkeys(state["held"], 1)}},
    ),
    at_rest(
        "a list is a set",
        rests(with_field(Annotated[list[str], operator.add]), held=["milk"]),
        rests(with_field(Annotated[set[str], operator.or_]), held={"eggs"}),
        "milk",
        "needs migration",
        where="channel held",
        migrations={"": lambda state: {**state, "held": set(state["held"])}},
    ),
    at_rest(
        "a sum is kept as the last number",
        rests(with_field(Annotated[int, operator.add]), held=7),
        reads(with_field(int), lambda state: state["held"]),
        "'7'",
    ),
]


class Profile(TypedDict):
    name: str


class ProfileWithCity(TypedDict):
    name: str
    city: str


class Cart(BaseModel):
    """What a checkpoint holds; what it is called stays, what it is changes."""

    lines: list[str] = Field(default_factory=list)


class _Owned(Cart):
    owner: str


class _Noted(Cart):
    note: str = "none"


_OLD_CART = Cart


def _instead(other: Any) -> Callable[[], None]:
    """The module's class of this name is another one from now on."""

    def swap() -> None:
        held = vars(sys.modules[__name__])
        held.pop("Cart", None)
        if other is not None:
            other.__name__ = other.__qualname__ = "Cart"
            held["Cart"] = other

    return swap


_back = _instead(_OLD_CART)


def _named_types() -> Any:
    return strict_serde([f"{__name__}:Cart"])


def _no_types() -> Any:
    return strict_serde()


NESTED = [
    at_rest(
        "a nested dict needs one more key",
        rests(with_field(Profile), held={"name": "ann"}),
        reads(with_field(ProfileWithCity), lambda state: state["held"]["city"]),
        "Bonn",
        "needs migration",
        where="channel held.city",
        migrations={"": lambda state: {**state, "held": {**state["held"], "city": "Bonn"}}},
    ),
    at_rest(
        "a nested dict needs one key less",
        rests(with_field(ProfileWithCity), held={"name": "ann", "city": "Bonn"}),
        reads(with_field(Profile), lambda state: state["held"]["name"]),
        "Bonn",
    ),
    at_rest(
        "items of a list need one more key",
        rests(with_field(list[Profile]), held=[{"name": "ann"}]),
        reads(with_field(list[ProfileWithCity]), lambda state: state["held"][0]["city"]),
        "Bonn",
        "needs migration",
        where="channel held.0.city",
        migrations={"": lambda state: {**state, "held": [{"name": "ann", "city": "Bonn"}]}},
    ),
    at_rest(
        "a model needs one more field",
        rests(with_field(Cart), held=Cart(lines=["milk"])),
        reads(with_field(_Owned), lambda state: state["held"].owner),
        "ann",
        "needs migration",
        where="channel held.owner",
        serde=_named_types,
        between=_instead(_Owned),
        after=_back,
        migrations={"": lambda state: {**state, "held": _Owned(lines=state["held"].lines, owner="ann")}},
    ),
    at_rest(
        "a model may have one more field",
        rests(with_field(Cart), held=Cart(lines=["milk"])),
        reads(with_field(_Noted), lambda state: f"{state['held'].note} {state['held'].lines}"),
        "milk",
        serde=_named_types,
        between=_instead(_Noted),
        after=_back,
    ),
    at_rest(
        "a class is gone from its module",
        rests(with_field(Cart), held=Cart(lines=["milk"])),
        reads(with_field(list[str]), lambda state: state["held"][0]),
        "milk",
        "needs migration",
        where="channel held",
        serde=_named_types,
        between=_instead(None),
        after=_back,
        migrations={"": lambda state: {**state, "held": state["held"]["lines"]}},
    ),
    at_rest(
        "a class is not named in the settings any more",
        rests(with_field(Cart), held=Cart(lines=["milk"])),
        reads(with_field(Cart), lambda state: state["held"].lines),
        "milk",
        "needs migration",
        where="channel held",
        serde=_no_types,
    ),
]


class Coerced(BaseModel):
    log: Annotated[list[str], operator.add] = Field(default_factory=list)


class WithText(Coerced):
    held: str = ""


class WithNumber(Coerced):
    held: int = 0


class WithNeed(Coerced):
    tone: str


class WithTone(Coerced):
    tone: str = "calm"


class WithBound(Coerced):
    held: int = Field(default=10, ge=10)


class WithCart(Coerced):
    held: Cart = Field(default_factory=Cart)


@dataclass
class Plain:
    log: Annotated[list[str], operator.add]


@dataclass
class PlainWithNeed:
    log: Annotated[list[str], operator.add]
    tone: str


COERCED = [
    cut(
        "a pydantic state makes a number of the text",
        dies(WithText, held="5"),
        then_reads(WithNumber, lambda state: state.held + 1),
        "'6'",
    ),
    cut(
        "a pydantic state cannot make a number of the text",
        dies(WithText, held="five"),
        then_reads(WithNumber, lambda state: state.held + 1),
        "'6'",
        "needs migration",
        where="channel held",
        migrations={"": lambda state: {**state, "held": 5}},
    ),
    cut(
        "a pydantic state needs one more field",
        dies(Coerced),
        then_reads(WithNeed, lambda state: state.tone),
        "calm",
        "needs migration",
        where="channel tone",
        migrations={"": lambda state: {**state, "tone": "calm"}},
    ),
    cut(
        "a pydantic state has one more field with a default",
        dies(Coerced),
        then_reads(WithTone, lambda state: state.tone),
        "calm",
    ),
    cut(
        "a pydantic state has a bound now",
        dies(WithNumber, held=3),
        then_reads(WithBound, lambda state: state.held),
        "'12'",
        "needs migration",
        where="channel held",
        migrations={"": lambda state: {**state, "held": 12}},
    ),
    cut(
        "a pydantic state makes the model of the data of a class that is gone",
        dies(with_field(Cart), held=Cart(lines=["milk"])),
        then_reads(WithCart, lambda state: state.held.lines),
        "milk",
        serde=_no_types,
    ),
    cut(
        "a dataclass needs one more field",
        dies(Plain),
        then_reads(PlainWithNeed, lambda state: state.tone),
        "calm",
        "needs migration",
        where="channel tone",
        migrations={"": lambda state: {**state, "tone": "calm"}},
    ),
]


def reads_tone(seen: Any) -> Any:
    """Its pending node reads a channel that is new."""

    async def second(state: Any) -> Any:
        tone = state["tone"]
        seen.ran.append("second")
        return {"log": [tone]}

    return line(with_field(str, "tone"), first=node(seen, "first"), second=second)


def reads_tone_in_a_thread(seen: Any) -> Any:
    """The same, in a node that is not async."""

    def second(state: Any) -> Any:
        seen.ran.append("second")
        return {"log": [state["tone"]]}

    return line(with_field(str, "tone"), first=node(seen, "first"), second=second)


def reads_tone_if_there(seen: Any) -> Any:
    """The same, and it knows what to do without."""

    async def second(state: Any) -> Any:
        tone = "calm"
        if "tone" in state:
            tone = state["tone"]
        seen.ran.append("second")
        return {"log": [tone]}

    return line(with_field(str, "tone"), first=node(seen, "first"), second=second)


PENDING = [
    cut(
        "the node that is next reads a new channel",
        dies(Base),
        reads_tone,
        "calm",
        "needs migration",
        where="channel tone",
        migrations={"": lambda state: {**state, "tone": "calm"}},
    ),
    cut(
        "the node that is next reads a new channel in a thread",
        dies(Base),
        reads_tone_in_a_thread,
        "calm",
        "needs migration",
        where="channel tone",
        migrations={"": lambda state: {**state, "tone": "calm"}},
    ),
    cut("the node that is next reads a new channel if it is there", dies(Base), reads_tone_if_there, "calm"),
    cut(
        "the node that is next reads a new channel that grows",
        dies(Base),
        then_reads(with_field(Annotated[list[str], operator.add]), lambda state: len(state["held"])),
        "'0'",
    ),
    cut(
        "a channel with data is gone in the middle of a run",
        dies(with_field(str, "notes"), notes="milk"),
        dies(Base),
        "milk",
        "needs migration",
        where="channel notes",
        migrations={"": lambda state: {"log": [*state["log"], state["notes"]]}},
    ),
    cut(
        "a graph of LangGraph, wrapped by traced, loses a channel",
        lambda seen: traced(dies_plain(with_field(str, "notes"), seen, notes="milk")),
        lambda seen: traced(dies_plain(Base, seen)),
        "milk",
        "needs migration",
        where="channel notes",
        migrations={"": lambda state: {"log": [*state["log"], state["notes"]]}},
    ),
]


def dies_plain(state: Any, seen: Any, **writes: Any) -> Any:
    """As `dies`, with LangGraph's own class."""
    return line(
        state, kind=StateGraph, first=node(seen, "first", log=["first"], **writes),
        second=crashing(seen, "second", log=["second"]),
    )  # fmt: skip


PAIRS = [*REST, *REDUCERS, *NESTED, *COERCED, *PENDING]
