"""What those who read along see of an answer where rails stand at the output."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import BaseModel

from segue import Agent, Block, Planner, Rewrite, Team, Workspace
from segue.base.messages import assistant
from segue.context.events import Event, GenerationFinished, TextAdded, TextReset
from segue.guards import no_pii, rail
from segue.guards.rail import Rail
from segue.router import Deployment, GenerationRequest, OnDelta, Reply, TextDelta
from segue.testing import ScriptedModel, call

MAIL = "jane.miller@example-mail.com"
FIND = call("submit_plan", tasks=[{"id": "t1", "worker": "clerk", "task": "find it", "depends_on": []}])
LONG = "The order left this morning and comes tomorrow. " * 30


class Talks(Deployment):
    """Says one thing, word by word, as a model does that takes its time."""

    engine = "scripted"
    name = model = "talks"

    def __init__(self, text: str) -> None:
        self.text = text

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        for word in self.text.split(" "):
            if on_delta is not None:
                on_delta(TextDelta(word if word is self.text else f"{word} "))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return Reply(message=assistant(self.text + " "), model=self.model)


async def told(ws: Workspace, agent: Any, said: str = "hello") -> tuple[list[Event], Any]:
    handle = ws.start(agent, said)
    events = [event async for event in handle.events()]
    return events, await handle


def shown(events: list[Event], task_id: str = "") -> str:
    text = ""
    for event in events:
        if isinstance(event, TextReset) and event.task_id == task_id:
            text = ""
        elif isinstance(event, TextAdded) and event.task_id == task_id:
            text += event.text
    return text


def everything(events: list[Event]) -> str:
    return json.dumps([event.to_dict() for event in events])


async def test_an_answer_comes_piece_by_piece_without_what_the_rails_take_out(ws: Workspace) -> None:
    agent = Agent("clerk", model=Talks(f"{LONG}Write to {MAIL}. {LONG}"), guards=[no_pii()])

    events, run = await told(ws, agent)

    kinds = [event.type for event in events]
    assert kinds.index("text_added") < kinds.index("generation_finished")
    assert sum(isinstance(event, TextAdded) for event in events) > 3
    assert not any(isinstance(event, TextReset) for event in events)
    assert run.output == shown(events) == f"{LONG}Write to [email]. {LONG} "
    assert "jane" not in everything(events)
    assert [event.text for event in events if isinstance(event, GenerationFinished)] == [run.output]


@rail(places=("output",), window=32)
async def no_rival(text: str) -> Any:
    return Block("it names a rival") if "Initech" in text else None


async def test_a_block_in_the_middle_takes_back_what_was_shown(ws: Workspace) -> None:
    agent = Agent("clerk", model=Talks(f"{LONG}Ask Initech. {LONG}"), guards=[no_rival])

    events, run = await told(ws, agent)

    assert (run.status, run.stop_reason) == ("stopped", "blocked")
    assert any(isinstance(event, TextAdded) for event in events)
    assert isinstance([event for event in events if isinstance(event, TextAdded | TextReset)][-1], TextReset)
    assert shown(events) == run.partial == ""
    assert "Initech" not in everything(events)


async def test_where_a_rail_wants_the_whole_nothing_is_told_before_it_has_seen_it(ws: Workspace) -> None:
    @rail(places=("output",))
    async def whole(text: str) -> Any:
        return Rewrite(text.replace("Gizmo", "Widget"))

    agent = Agent("clerk", model=ScriptedModel([f"{LONG}A Gizmo."]), guards=[whole, no_pii()])

    events, run = await told(ws, agent)

    assert run.output == shown(events) == f"{LONG}A Widget."
    assert sum(isinstance(event, TextAdded) for event in events) == 1
    assert "Gizmo" not in everything(events)


class Contact(BaseModel):
    name: str
    mail: str


async def test_data_is_shown_when_it_is_whole_so_that_no_escape_hides_anything(ws: Workspace) -> None:
    hidden = MAIL.replace("@", "\\u0040")
    answer = f'{{"name": "{LONG}", "mail": "{hidden}"}}'
    agent = Agent("clerk", model=ScriptedModel([answer]), output_type=Contact, guards=[no_pii()])

    events, run = await told(ws, agent)

    assert run.output.mail == "[email]"
    assert "jane" not in everything(events)


async def test_a_team_s_rails_hold_for_what_its_workers_are_shown_to_say(ws: Workspace) -> None:
    model = ScriptedModel([f"{LONG}It is {MAIL}."])
    clerk = Agent("clerk", description="Looks up.", model=model)
    planner = Planner(model=ScriptedModel([FIND, f"{LONG}Found: {MAIL}."]))
    team = Team("desk", planner=planner, workers=[clerk], guards=[no_pii()])

    events, run = await told(ws, team)

    assert run.output == shown(events) == f"{LONG}Found: [email]."
    assert shown(events, "t1") == f"{LONG}It is [email]."
    assert "jane" not in everything(events)


async def test_a_worker_s_own_rails_and_its_team_s_hold_together(ws: Workspace) -> None:
    clerk = Agent("clerk", description="Looks up.", model=ScriptedModel([f"{LONG}{MAIL} and Gizmo."]), guards=[gizmo])
    planner = Planner(model=ScriptedModel([FIND, "Done."]))
    team = Team("desk", planner=planner, workers=[clerk], guards=[no_pii()])

    events, _ = await told(ws, team)

    assert shown(events, "t1") == f"{LONG}[email] and Widget."
    assert "jane" not in everything(events)


@rail(places=("output",), window=16)
async def gizmo(text: str) -> Any:
    return Rewrite(text.replace("Gizmo", "Widget"))


@pytest.mark.parametrize("rails", [[gizmo], [no_pii()], [gizmo, no_pii(), no_rival]], ids=len)
async def test_a_short_answer_is_told_once(ws: Workspace, rails: list[Rail]) -> None:
    events, run = await told(ws, Agent("clerk", model=ScriptedModel(["Good morning."]), guards=rails))

    assert [event.text for event in events if isinstance(event, TextAdded)] == ["Good morning."]
    assert run.output == "Good morning."
