"""Playing a scenario in this process: from wherever its folder stands to the end, watched or not.

In: the scenario and its place. Out: an `Outcome`, plain data that can be compared with that of another process.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segue.base.errors import UserError
from segue.testing.crash_scenario import Scenario
from segue.testing.crash_watch import Point, Watcher, watched_writes

THREAD = "crash-points"
_GOES_ON = ("crashed", "cancelled", "drained")


@dataclass(frozen=True)
class Place:
    """Where a scenario is played."""

    folder: Path

    @property
    def world(self) -> Path:
        """The scenario's own folder."""
        return self.folder / "world"

    @property
    def data(self) -> Path:
        """The workspace's."""
        return self.folder / "data"


@dataclass(kw_only=True)
class Outcome:
    """What came of a scenario, as far as it got."""

    turns: list[Any] = field(default_factory=list)
    """Status, stop reason and output of each run; or what `play` returned."""
    messages: list[Any] = field(default_factory=list)
    """The conversation: role, text and called tools of each message."""
    ledger: list[Any] = field(default_factory=list)
    """What the ledger holds: tool, arguments, and whether that was done."""
    effects: list[Hashable] = field(default_factory=list)
    state: Any = None
    asked: int = 0
    """How often a person was asked what came of an effect."""
    given_up: int = 0
    """How many of these they could not say."""
    error: str = ""
    """What ended it where it should not have ended."""
    awaits: int = 0
    """Of the scenario itself, without opening and closing the workspace."""
    boundaries: int = 0
    """All that were passed."""
    cancelled_at: str = ""
    """Where the cancel came; empty where the boundary was never reached."""
    resumed: bool = False
    """Whether the cancelled run was gone on with: the end is that of a run which nothing stopped, then."""
    late: list[str] = field(default_factory=list)
    """What went on after it was cancelled."""
    modules: list[str] = field(default_factory=list)
    """What was imported."""


class Player:
    """Plays a scenario on an open workspace."""

    def __init__(self, scenario: Scenario, ws: Any, world: Path, out: Outcome) -> None:
        self.scenario = scenario
        self.handle: Any = None
        """The run that is under way."""
        self.agent: Any = None
        self.stopped = False
        """Whether to leave it at the run that is under way."""
        self._ws = ws
        self._world = world
        self._out = out

    async def play(self) -> None:
        """Go on from wherever things stand, to the end."""
        scenario, ws = self.scenario, self._ws
        if scenario.play is not None:
            self._out.turns = [scenario.same(_plain(await scenario.play(ws, self._world)))]
            return
        self.agent = self.agent or (scenario.agent(self._world) if scenario.agent else None)
        self._out.turns = []
        runs = ws.runs(principal=scenario.principal, thread_id=THREAD, limit=1000)[::-1]
        for index, request in enumerate(scenario.requests):
            run = runs[index] if index < len(runs) else None
            self._out.turns.append(self._told(await self._turn(request, run)))
            if self.stopped:
                return
        self._out.messages = await self._messages()
        self._out.ledger = await self._ledger()

    async def turn(self, request: Any) -> Any:
        """One more request on the same thread."""
        self.stopped = False
        return await self._turn(request, None)

    async def _turn(self, request: Any, run: Any) -> Any:
        scenario, ws = self.scenario, self._ws
        given = {"deps": scenario.deps(self._world), "principal": scenario.principal}
        if run is None:
            self.handle = ws.start(self.agent, request, thread_id=THREAD, **given)
            run = await self.handle
        elif run.status == "running" or run.stop_reason in _GOES_ON:
            self.handle = await ws.start_resume(run.id, agent=self.agent, **given)
            run = await self.handle
        while run.status == "waiting" and not self.stopped:
            answers = {each.id: self._answer(each) for each in run.interrupts}
            self.handle = await ws.start_resume(run.id, answers, agent=self.agent, **given)
            run = await self.handle
        return run

    def _answer(self, request: Any) -> Any:
        response = self.scenario.person(request, self._world)
        if request.kind not in ("approval", "question"):
            self._out.asked += 1
            self._out.given_up += type(response).__name__ == "Reject"
        return response

    def _told(self, run: Any) -> Any:
        return [run.status, run.stop_reason, self.scenario.same(run.record.output), self.scenario.same(run.error)]

    async def _messages(self) -> list[Any]:
        held = await self._ws.messages(THREAD, agent=self.agent, principal=self.scenario.principal)
        said = [
            [each["role"], each.get("content"), [call["function"]["name"] for call in each.get("tool_calls", ())]]
            for each in held
        ]
        return list(self.scenario.same(said))

    async def _ledger(self) -> list[Any]:
        held = await self._ws.effects(thread_id=THREAD, principal=self.scenario.principal, limit=100_000)
        done = {"recorded": "done", "settled": "done"}
        rows = [[each.tool, self.scenario.same(each.arguments), done.get(each.state, each.state)] for each in held]
        return sorted(rows, key=repr)

    def look(self) -> None:
        """Write down what became of the world."""
        self._out.effects = sorted(self.scenario.effects(self._world), key=repr)
        self._out.state = self.scenario.state(self._world) if self.scenario.state is not None else None


def played(scenario: Scenario, place: Place, reached: Callable[[Point], None] | None = None) -> Outcome:
    """Play to the end, in an event loop of its own; `reached` is told of every boundary."""
    watcher = Watcher(reached or (lambda point: None))

    async def whole(out: Outcome) -> None:
        watcher.on = reached is not None
        async with scenario.open(place.world, place.data) as ws:
            watcher.saver(ws.saver)
            watcher.on = watcher.playing = True
            player = Player(scenario, ws, place.world, out)
            await player.play()
            watcher.playing = False
            watcher.on = reached is not None
        watcher.on = False
        player.look()

    return in_loop(scenario, watcher, whole)


def in_loop(scenario: Scenario, watcher: Watcher, work: Callable[[Outcome], Any]) -> Outcome:
    """Do the work in an event loop that is watched; what it raises is the outcome's error."""
    out = Outcome()

    async def bounded() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(watcher.task)
        loop.time = lambda: time.monotonic() - watcher.looked_s  # type: ignore[method-assign]  # looks use up no limit
        async with asyncio.timeout(scenario.limit_s):
            await work(out)

    try:
        with watched_writes(watcher):
            asyncio.new_event_loop().run_until_complete(bounded())  # never closed: a task that does not end may be left
    except BaseException as error:
        out.error = _traced(error)
    out.awaits, out.boundaries = watcher.awaits, watcher.boundaries
    out.modules = list(sys.modules)
    return out


def _plain(value: Any) -> Any:
    """What `play` returned: a run by its outcome, anything else as it is.

    Raises:
        UserError: It cannot be handed to another process.
    """
    record = getattr(value, "record", None)
    if record is not None:
        return [record.status, record.stop_reason, record.output]
    try:
        pickle.dumps(value)
    except Exception as error:
        raise UserError(f"play returned a {type(value).__name__}, which cannot be compared: {error}") from error
    return value


def _traced(error: BaseException) -> str:
    last = traceback.format_exception(error)
    return "".join(last)[-3000:]
