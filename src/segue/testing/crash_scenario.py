"""Scenario: what the crash-point checker runs, and what it is to look at afterwards.

A scenario is played in many processes, one after the other, on copies of one folder. So it says how things are made,
not what they are: an agent is made anew in each process, as after a deploy or a crash.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segue.base.errors import UserError
from segue.base.principal import LOCAL, Principal
from segue.context.decisions import Approve, InterruptRequest, Reject, Response

if TYPE_CHECKING:
    from segue.agents.runnable import Runnable
    from segue.workspace.workspace import Workspace

_IDS = re.compile(r"\b([a-z]{2,10})_[0-9a-hjkmnp-tv-z]{16,26}\b")


def approve(request: InterruptRequest, world: Path) -> Response:
    """A person who approves whatever wants approval, and does not know what came of an effect that was cut short.

    Raises:
        UserError: A question was asked: what its answer is, only the scenario can say.
    """
    if request.kind == "approval":
        return Approve()
    if request.kind == "question":
        raise UserError(
            f"the scenario asked a person: {request.question or request.reason!r}.",
            way_out="Say what they answer: Scenario(person=lambda request, world: Answer(…)).",
        )
    return Reject("nobody knows")


def without_ids(value: Any) -> Any:
    """The value with ids such as `run_01k9w3c4r57k2m9qf3vd` cut down to their first part."""
    if isinstance(value, str):
        return _IDS.sub(r"\1", value)
    if isinstance(value, dict):
        return {key: without_ids(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_ids(item) for item in value]
    return value


def _nothing(world: Path) -> None:
    return None


def _none(world: Path) -> Iterable[Hashable]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Some requests to an agent, and the world in which it acts.

    The world is a folder. Everything outside of the run that the scenario changes lies in it: the checker looks at it,
    copies it and puts it back. Whatever must be the same after a stop must not depend on time, chance or the process:
    scripted models speak by what they are asked (`Script`).
    """

    agent: Callable[[Path], Runnable] | None = None
    """Makes the agent or team, for the world that it is given; called once in each process."""
    requests: Sequence[Any] = ()
    """What it is asked, one run each, on one thread."""
    effects: Callable[[Path], Iterable[Hashable]] = _none
    """What was done to the world: one item for each time that something was done."""
    prepare: Callable[[Path], None] = _nothing
    """Fills the world as it is before the first request."""
    state: Callable[[Path], Any] | None = None
    """What else of the world must be the same in the end; plain data. `None`: nothing."""
    expected: Collection[Hashable] | None = None
    """The effects of the scenario. `None`: what it does when nothing stops it, and none of them twice."""
    person: Callable[[InterruptRequest, Path], Response] = approve
    """Answers interrupts. One of the kind `effect` asks what came of a call that was cut short: look at the world."""
    next_request: Any = "What came of it?"
    """The turn after a cancelled run; something that has no effect which may happen twice."""
    deps: Callable[[Path], Any] = _nothing
    """What `ctx.deps` is."""
    principal: Principal = LOCAL
    """On whose behalf the runs go; this one answers, too."""
    same: Callable[[Any], Any] = without_ids
    """Takes out of outputs and messages what may differ from run to run."""
    workspace: Callable[[Path, Path], Workspace] | None = None
    """Opens a workspace on the world, its data in the second folder. `None`: as `Workspace.open` does."""
    play: Callable[[Workspace, Path], Awaitable[Any]] | None = None
    """Instead of `agent` and `requests`: goes on from wherever things stand to the end, and returns what came of it.
    It is called again after a stop."""
    limit_s: float = 60.0
    """How long a process may take."""

    def __post_init__(self) -> None:
        if self.play is None and (self.agent is None or not self.requests):
            raise UserError("a Scenario needs an agent and its requests, or play.")

    def open(self, world: Path, data: Path) -> Workspace:
        """A workspace of this scenario, not entered yet."""
        if self.workspace is not None:
            return self.workspace(world, data)
        from segue.workspace.workspace import Workspace

        return Workspace.open(world, data_dir=data)
