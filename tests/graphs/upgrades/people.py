"""Pairs of agents and teams."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from langgraph.graph import START as BEGIN
from langgraph.graph import MessagesState, StateGraph
from pydantic import BaseModel
from tests.graphs.upgrades.pair import Build, Crash, Outcome, Pair, Seen, answer, turn

from segue import Agent, Planner, Team, tool
from segue.agents import GraphWorker
from segue.base.messages import user
from segue.graphs.migration import Migration
from segue.graphs.plan import SUBMIT_PLAN
from segue.testing import ScriptedModel, call
from segue.testing.scripted import calls


class Answer(BaseModel):
    text: str


def refund(seen: Seen, *, name: str = "refund", **options: Any) -> Any:
    async def refund(order: str, amount: int = 5) -> str:
        """Pay it back."""
        seen.ran.append(f"{name} {order} {amount}")
        return "paid"

    refund.__name__ = name
    return tool(refund, **{"effect": "write", "approval": True, **options})


def refund_with_reason(seen: Seen, reason: Any = str, *, default: bool = False) -> Any:
    async def plain(order: str, reason: str) -> str:
        """Pay it back."""
        seen.ran.append(f"refund {order} {reason}")
        return "paid"

    async def optional(order: str, amount: int = 5, reason: str = "none") -> str:
        """Pay it back."""
        seen.ran.append(f"refund {order} {amount}")
        return "paid"

    function = optional if default else plain
    function.__name__ = "refund"
    return tool(function, effect="write", approval=True)


def refund_of_known(seen: Seen) -> Any:
    async def refund(order: Literal["1042", "1043"], amount: int = 5) -> str:
        """Pay it back."""
        seen.ran.append(f"refund {order} {amount}")
        return "paid"

    return tool(refund, effect="write", approval=True)


def look(seen: Seen, **options: Any) -> Any:
    async def look(order: str) -> str:
        """Look at it."""
        if seen.broken:
            raise Crash
        seen.ran.append(f"look {order}")
        return "there"

    return tool(look, **{"effect": "read", **options})


class _Dying(ScriptedModel):
    """Takes the process with it where it is told to."""

    def __init__(self, replies: Any, seen: Seen, at: int) -> None:
        super().__init__(replies)
        self._seen, self._at = seen, at

    async def generate(self, request: Any, **more: Any) -> Any:
        if self._seen.broken and len(self.requests) == self._at:
            raise Crash
        return await super().generate(request, **more)


def clerk(
    seen: Seen,
    *tools: Any,
    says: Any = "done",
    asks: Any = None,
    dies_at: int = -1,
    name: str = "clerk",
    **options: Any,
) -> Agent:
    """An agent that calls a tool, then says something; it looks at its messages to know which."""
    asked = asks or call("refund", "c1", order="7")

    def reply(request: Any) -> Any:
        last = request.messages[-1]
        return says if last["role"] == "tool" or asks == "nothing" else asked

    model = _Dying(reply, seen, dies_at) if dies_at >= 0 else ScriptedModel(reply)
    return Agent(name, model=model, tools=tools, description="Pays back.", **options)


REQUEST = {"messages": [user("please")], "rounds": 0, "blocked": ""}
NEXT = {"messages": [user("again")], "rounds": 0, "blocked": ""}


def paid(text: str = "refund 7 5", output: Any = "done") -> Callable[[Any], bool]:
    """The tool ran once and the agent came to its answer."""
    return lambda out: (
        not out.error and not out.waits and out.ran.count(text) == 1 and out.values.get("output") == output
    )


def approving(name: str, old: Build, new: Build, verdict: Any = "resumes", **more: Any) -> Pair:
    """A run that waits for an approval, which is given."""
    given = {"request": REQUEST, "go_on": answer({"type": "approve"}), "well": paid(), **more}
    return Pair(name=name, old=old, new=new, verdict=verdict, **given)


def rejecting(name: str, old: Build, new: Build, verdict: Any = "resumes", **more: Any) -> Pair:
    """The same, and the person rejects."""
    well = lambda out: not out.error and not out.ran and out.values.get("output") == "done"  # noqa: E731
    given = {"request": REQUEST, "go_on": answer({"type": "reject"}), "well": well, **more}
    return Pair(name=name, old=old, new=new, verdict=verdict, **given)


def asks_again(out: Outcome) -> bool:
    """A call that is another one now is not the one that was approved."""
    return out.waits and not out.ran and not out.error


def waits(seen: Seen) -> Agent:
    return clerk(seen, refund(seen))


def changed_calls(change: Callable[[str, dict[str, Any]], tuple[str, dict[str, Any]]]) -> Callable[[Any], Any]:
    """A migration of the calls in the last message."""

    def migrate(state: dict[str, Any]) -> dict[str, Any]:
        *before, last = state["messages"]
        made = []
        for each in last["tool_calls"]:
            name, arguments = change(each["function"]["name"], json.loads(each["function"]["arguments"]))
            made.append({**each, "function": {"name": name, "arguments": json.dumps(arguments)}})
        return {**state, "messages": [*before, {**last, "tool_calls": made}]}

    return migrate


def rest(name: str, old: Build, new: Build, well: Any, **more: Any) -> Pair:
    """A thread at rest."""
    return Pair(name=name, old=old, new=new, verdict="resumes", request=REQUEST, go_on=turn(NEXT), well=well, **more)


def quiet(seen: Seen, *tools: Any, **options: Any) -> Agent:
    return clerk(seen, *tools, **{"asks": "nothing", **options})


def both(seen: Seen, *tools: Any) -> Agent:
    return clerk(seen, *tools, asks=calls(call("refund", "c1", order="7"), call("look", "c2", order="7")))


def boss(seen: Seen, inner: Any) -> Agent:
    """An agent that has another one do it."""
    asked = call("clerk", "b1", task="pay back")
    model = ScriptedModel(lambda request: "all done" if request.messages[-1]["role"] == "tool" else asked)
    return Agent("boss", model=model, tools=[inner.as_tool()])


def handing(seen: Seen, *, second: str = "refunds", moves: bool = True) -> Agent:
    """An agent that hands the thread over to another one."""
    moving = call(f"transfer_to_{second}", "h1", reason="money")
    model = ScriptedModel(lambda request: moving if moves else "first done")
    other = Agent(second, model=ScriptedModel(lambda request: f"{second} done"), description="Pays back.")
    return Agent("front", model=model, description="Greets.", handoffs=[other])


AGENTS = [
    approving("an approval waits", waits, waits),
    approving(
        "an approval waits, and instructions, model and descriptions change",
        waits,
        lambda seen: clerk(seen, refund(seen), instructions="Be kind.", temperature=0.5),
    ),
    approving("an approval waits, and a tool is new", waits, lambda seen: clerk(seen, refund(seen), look(seen))),
    approving(
        "an approval waits, and its tool is gone",
        waits,
        lambda seen: clerk(seen, look(seen, effect="write", approval=True)),
        "needs migration",
        where="tool refund",
        well=lambda out: out.ran == ["look 7"],
        mended=asks_again,
        migrations={"": changed_calls(lambda name, arguments: ("look", arguments))},
    ),
    approving(
        "an approval waits, and its tool is renamed",
        waits,
        lambda seen: clerk(seen, refund(seen, name="pay_back")),
        "needs migration",
        where="tool refund",
        well=paid("pay_back 7 5"),
        mended=asks_again,
        migrations={"": changed_calls(lambda name, arguments: ("pay_back", arguments))},
    ),
    approving(
        "an approval waits, and its tool wants one more argument",
        waits,
        lambda seen: clerk(seen, refund_with_reason(seen)),
        "needs migration",
        where="tool refund.reason",
        well=paid("refund 7 late"),
        mended=asks_again,
        migrations={"": changed_calls(lambda name, arguments: (name, {**arguments, "reason": "late"}))},
    ),
    approving(
        "an approval waits, and its tool takes one more argument",
        waits,
        lambda seen: clerk(seen, refund_with_reason(seen, default=True)),
    ),
    approving(
        "an approval waits, and its argument is none of the choices",
        waits,
        lambda seen: clerk(seen, refund_of_known(seen)),
        "needs migration",
        where="tool refund.order",
        well=paid("refund 1042 5"),
        mended=asks_again,
        migrations={"": changed_calls(lambda name, arguments: (name, {**arguments, "order": "1042"}))},
    ),
    approving(
        "an approval waits, and the tool is irreversible now",
        waits,
        lambda seen: clerk(seen, refund(seen, effect="irreversible")),
    ),
    rejecting("an approval waits, and is rejected", waits, waits),
    rejecting(
        "an approval waits, and its tool asks nobody any more",
        waits,
        lambda seen: clerk(seen, refund(seen, approval=False)),
        "breaks",
        where="tool refund",
    ),
    rejecting(
        "an approval waits, and its tool asks only about large amounts now",
        waits,
        lambda seen: clerk(seen, refund(seen, approval=lambda amount: amount > 100)),
        "breaks",
        where="tool refund",
    ),
    rejecting(
        "an approval waits, and its tool asks only about amounts like this one",
        waits,
        lambda seen: clerk(seen, refund(seen, approval=lambda amount: amount > 1)),
    ),
    Pair(
        name="a tool died, and wants approval now",
        old=lambda seen: clerk(seen, look(seen), asks=call("look", "c1", order="7")),
        new=lambda seen: clerk(seen, look(seen, effect="write", approval=True), asks=call("look", "c1", order="7")),
        verdict="resumes",
        request=REQUEST,
        crash=True,
        well=lambda out: out.waits and not out.ran,
    ),
    Pair(
        name="a tool died, and writes now",
        old=lambda seen: clerk(seen, look(seen), asks=call("look", "c1", order="7")),
        new=lambda seen: clerk(seen, look(seen, effect="write"), asks=call("look", "c1", order="7")),
        verdict="resumes",
        request=REQUEST,
        crash=True,
        well=paid("look 7"),
    ),
    approving(
        "one of two calls has no tool any more",
        lambda seen: both(seen, refund(seen), look(seen)),
        lambda seen: both(seen, refund(seen)),
        "needs migration",
        where="tool look",
        well=lambda out: sorted(out.ran) == ["refund 7 5", "refund 7 5"],
        mended=asks_again,
        migrations={"": changed_calls(lambda name, arguments: ("refund", arguments))},
    ),
    approving(
        "fewer rounds are allowed than were used",
        waits,
        lambda seen: clerk(seen, refund(seen), max_rounds=1),
        "needs migration",
        where="channel rounds",
        migrations={"": lambda state: {**state, "rounds": 0}},
    ),
    approving("fewer rounds are allowed, and enough", waits, lambda seen: clerk(seen, refund(seen), max_rounds=2)),
    approving(
        "the answer has a type now",
        waits,
        lambda seen: clerk(seen, refund(seen), says={"text": "done"}, output_type=Answer),
        well=paid(output={"text": "done"}),
    ),
    Pair(
        name="the model died",
        old=lambda seen: clerk(seen, look(seen), asks=call("look", "c1", order="7"), dies_at=0),
        new=lambda seen: clerk(seen, refund(seen, approval=False)),
        verdict="resumes",
        request=REQUEST,
        crash=True,
        well=paid(),
    ),
    rest(
        "a thread at rest, and its tool is gone",
        lambda seen: clerk(seen, refund(seen, approval=False)),
        quiet,
        lambda out: out.values["output"] == "done" and len(out.values["messages"]) == 6,
    ),
    rest(
        "a thread at rest, and its answers have a type now",
        quiet,
        lambda seen: quiet(seen, says={"text": "done"}, output_type=Answer),
        lambda out: out.values["output"] == {"text": "done"},
    ),
    rest(
        "a thread at rest, and there are rails now",
        quiet,
        lambda seen: quiet(seen, guards=[_on_topic]),
        lambda out: out.values["output"] == "done",
    ),
    rejecting(
        "an approval waits, its tool asks nobody any more, and there are rails",
        lambda seen: clerk(seen, refund(seen), guards=[_on_topic]),
        lambda seen: clerk(seen, refund(seen, approval=False), guards=[_on_topic]),
        "breaks",
        where="tool refund",
    ),
    approving(
        "an approval waits in an agent that is another one's tool",
        lambda seen: boss(seen, waits(seen)),
        lambda seen: boss(seen, waits(seen)),
        well=paid(output="all done"),
    ),
    approving(
        "an approval waits in an agent that is another one's tool, and its tool is renamed",
        lambda seen: boss(seen, waits(seen)),
        lambda seen: boss(seen, clerk(seen, refund(seen, name="pay_back"))),
        "needs migration",
        where="act > tool refund",
        well=paid("pay_back 7 5", output="all done"),
        mended=asks_again,
        migrations={"": Migration(inside={"act": Migration(changed_calls(lambda name, given: ("pay_back", given)))})},
    ),
    Pair(
        name="the agent that leads the thread is gone",
        old=handing,
        new=lambda seen: handing(seen, second="billing", moves=False),
        verdict="needs migration",
        where="channel active",
        request=REQUEST,
        go_on=turn(NEXT),
        well=lambda out: not out.error and out.values["output"] == "billing done",
        migrations={"": lambda state: {**state, "active": "billing"}},
    ),
    Pair(
        name="another agent leads the thread",
        old=handing,
        new=handing,
        verdict="resumes",
        request=REQUEST,
        go_on=turn(NEXT),
        well=lambda out: out.values["output"] == "refunds done",
    ),
    rest(
        "a thread at rest, and fewer rounds", quiet, lambda seen: quiet(seen, max_rounds=1), lambda out: not out.error
    ),
]


async def _on_topic(text: str, ctx: Any) -> bool:
    return True


def plan(*tasks: tuple[str, str, list[str]]) -> Any:
    held = [{"id": key, "worker": worker, "task": "do it", "depends_on": needs} for key, worker, needs in tasks]
    return call(SUBMIT_PLAN, "p1", tasks=held)


def desk(seen: Seen, *workers: Any, tasks: Any = None, dies_at: int = -1, **options: Any) -> Team:
    """A team that makes a plan, then says what came of it."""
    planned = tasks or plan(("t1", "clerk", []))

    def reply(request: Any) -> Any:
        return "all done" if request.messages[-1]["role"] == "tool" else planned

    model = _Dying(reply, seen, dies_at) if dies_at >= 0 else ScriptedModel(reply)
    return Team("desk", planner=Planner(model=model, **options), workers=workers)


def helper(seen: Seen, name: str = "helper") -> Agent:
    return Agent(name, model=ScriptedModel(lambda request: f"{name} helped"), description="Helps.")


TWO_WAVES = plan(("t1", "clerk", []), ("t2", "helper", ["t1"]))
ASKED = {"messages": [user("please")], "plan": [], "results": None, "plans": 0, "wave": 0, "blocked": ""}


def team(name: str, old: Build, new: Build, verdict: Any = "resumes", **more: Any) -> Pair:
    """A team that waits for an approval inside a worker, which is given."""
    well = lambda out: (  # noqa: E731
        not out.error and not out.waits and out.ran == ["refund 7 5"] and out.values.get("output") == "all done"
        and not any(each["failed"] for each in out.values["results"].values())
    )  # fmt: skip
    given = {"request": ASKED, "go_on": answer({"type": "approve"}), "well": well, **more}
    return Pair(name=name, old=old, new=new, verdict=verdict, **given)


def plain_worker(seen: Seen) -> Any:
    """A worker that LangGraph alone drew."""
    graph = StateGraph(MessagesState)

    async def speak(state: MessagesState) -> Any:
        return {"messages": [("ai", "spoke")]}

    graph.add_node("speak", speak)
    graph.add_edge(BEGIN, "speak")
    return GraphWorker("clerk", graph.compile(), description="Speaks.")


def _to_support(state: dict[str, Any]) -> dict[str, Any]:
    return {**state, "plan": [{**task, "worker": "support"} for task in state["plan"]]}


def two_waves(seen: Seen, *workers: Any) -> Team:
    return desk(seen, waits(seen), *workers, tasks=TWO_WAVES)


TEAMS = [
    team("a worker waits", lambda seen: desk(seen, waits(seen)), lambda seen: desk(seen, waits(seen))),
    team(
        "a worker waits, and another is new",
        lambda seen: desk(seen, waits(seen)),
        lambda seen: desk(seen, waits(seen), helper(seen)),
    ),
    team(
        "a worker waits, and the planner has other instructions",
        lambda seen: desk(seen, waits(seen)),
        lambda seen: desk(seen, waits(seen), instructions="Be quick.", max_tasks=3),
    ),
    team(
        "a worker waits, and it is renamed",
        lambda seen: desk(seen, waits(seen)),
        lambda seen: desk(seen, clerk(seen, refund(seen), name="support")),
        "needs migration",
        where="node clerk",
        migrations={"": Migration(_to_support, renames={"clerk": "support"})},
    ),
    team(
        "a worker waits, and the one of the next wave is gone",
        lambda seen: two_waves(seen, helper(seen)),
        lambda seen: two_waves(seen),
        "needs migration",
        where="worker helper",
        migrations={"": lambda state: {**state, "plan": state["plan"][:1]}},
    ),
    team(
        "a worker waits, and the one of the next wave is renamed",
        lambda seen: two_waves(seen, helper(seen)),
        lambda seen: two_waves(seen, helper(seen, "support")),
        "needs migration",
        where="worker helper",
        migrations={"": lambda state: {**state, "plan": [state["plan"][0], {**state["plan"][1], "worker": "support"}]}},
    ),
    team(
        "a worker waits, and its tool wants one more argument",
        lambda seen: desk(seen, waits(seen)),
        lambda seen: desk(seen, clerk(seen, refund_with_reason(seen))),
        "needs migration",
        where="clerk > tool refund.reason",
        well=lambda out: out.ran == ["refund 7 late"] and out.values.get("output") == "all done",
        mended=asks_again,
        migrations={
            "": Migration(
                inside={"clerk": Migration(changed_calls(lambda name, given: (name, {**given, "reason": "late"})))}
            )
        },
    ),
    team(
        "a worker waits, and its tool asks nobody any more",
        lambda seen: desk(seen, waits(seen)),
        lambda seen: desk(seen, clerk(seen, refund(seen, approval=False))),
        "breaks",
        where="clerk > tool refund",
        go_on=answer({"type": "reject"}),
        well=lambda out: not out.ran and not out.error,
    ),
    team(
        "a worker waits, and a plain graph stands in its place",
        lambda seen: desk(seen, waits(seen)),
        lambda seen: desk(seen, plain_worker(seen)),
        "breaks",
        where="clerk > node act",
    ),
    Pair(
        name="the planner died, and its workers are others",
        old=lambda seen: desk(seen, waits(seen), dies_at=0),
        new=lambda seen: desk(seen, helper(seen), tasks=plan(("t1", "helper", []))),
        verdict="resumes",
        request=ASKED,
        crash=True,
        well=lambda out: out.values.get("output") == "all done",
    ),
    Pair(
        name="a team at rest, and its workers are others",
        old=lambda seen: desk(seen, helper(seen), tasks=plan(("t1", "helper", []))),
        new=lambda seen: desk(seen, helper(seen, "other"), tasks=plan(("t1", "other", []))),
        verdict="resumes",
        request=ASKED,
        go_on=turn({**ASKED, "messages": [user("again")]}),
        well=lambda out: out.values.get("output") == "all done",
    ),
]

PAIRS = [*AGENTS, *TEAMS]
