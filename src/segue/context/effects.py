"""Effects: what a tool call that writes did, as a row that outlives the process, and the ledger of them as a port.

A call that writes is claimed, runs, and is recorded; what is claimed and not recorded is an effect of which nobody
knows whether it took place. Who decides what then happens is `segue.tools.effects`; where the rows lie is
`segue.tools.ledger`. The ledger here lives in memory and as long as one run: for a graph that is used alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

EffectState = Literal["claimed", "recorded", "failed", "settled"]
Told = Literal["", "done", "not_done", "left"]
"""What a person said came of an effect: it took place, it did not, or it is left as it is, unknown."""


@dataclass(frozen=True, kw_only=True)
class Came:
    """What came of an effect, as the model reads it."""

    content: str
    failed: bool = False
    atoms: tuple[tuple[str, str], ...] = ()
    artefact_id: str = ""
    told: Told = ""
    """Set where a person said it; else empty."""
    by: str = ""
    """Who said it."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One tool call that writes, from its claim on."""

    tenant: str
    key: str
    """The idempotency key: one effect in a tenant has one row."""
    delivery: str
    """The same for each delivery of one tool call: made of the run, the place in its graph, and the call."""
    claim: str
    """Made anew by each claim, so that nobody records what another one has taken over."""
    run_id: str
    thread_id: str
    branch: str = ""
    """The fork that the run is in; empty for none."""
    call_id: str
    agent: str = ""
    task_id: str = ""
    tool: str
    effect: str
    """`write` or `irreversible`."""
    reach: str = "own"
    arguments: dict[str, Any]
    """As JSON data; the very ones that ran."""
    state: EffectState = "claimed"
    came: Came | None = None
    """`None` until it is recorded, failed or settled."""
    owner: str = ""
    """Whose process works on it; empty where nobody does and what came of it is not known."""
    claimed_at: float
    """Seconds since 1970."""
    recorded_at: float | None = None
    approved_by: str = ""
    """Who let the call pass, where somebody was asked and said who it was."""
    under_way: bool = False
    """Set in lists: a living process works on it now."""

    @property
    def open(self) -> bool:
        """Whether it was begun and nobody knows what came of it."""
        return self.state == "claimed" and not self.under_way


class Ledger(Protocol):
    """Where effects are written down. Every method but `close` works within the tenant of the effect it is given.

    Raises:
        StoreError: From any of them: the rows cannot be read or written.
    """

    async def claim(self, effect: Effect, *, over: Effect | None = None) -> Effect | None:
        """Take an effect: `None` if it is ours now, else the row that stands there.

        With `over`, a row that was seen there is replaced, if it still stands as it was seen.
        """
        ...

    async def record(self, effect: Effect, state: EffectState, came: Came) -> bool:
        """Write down what came of a claim; `False` where another one has taken it over or closed it."""
        ...

    async def leave(self, effect: Effect) -> None:
        """What came of a claim is not known, and nobody works on it any more."""
        ...

    async def release(self, effect: Effect) -> None:
        """Nothing ran under a claim: forget it."""
        ...

    async def find(self, tenant: str, *, deliveries: Sequence[str] = (), keys: Sequence[str] = ()) -> list[Effect]:
        """The rows of these deliveries and of these keys."""
        ...

    async def busy(self, effect: Effect) -> bool:
        """Whether a living process works on this claim."""
        ...

    async def wait(self, effect: Effect, timeout_s: float) -> None:
        """Until this claim may have ended, at most `timeout_s`."""
        ...

    async def effects(
        self, tenant: str, *, run_id: str = "", thread_id: str = "", open_only: bool = False, limit: int = 100
    ) -> list[Effect]:
        """The newest effects of a tenant, newest first."""
        ...


class InFlight:
    """The claims that this process works on, and who waits for their end."""

    def __init__(self) -> None:
        self._ends: dict[str, asyncio.Event] = {}

    def __contains__(self, claim: object) -> bool:
        return claim in self._ends

    def begin(self, claim: str) -> None:
        """A claim is ours."""
        self._ends[claim] = asyncio.Event()

    def end(self, claim: str) -> None:
        """A claim was recorded, left or released."""
        if event := self._ends.pop(claim, None):
            event.set()

    async def wait(self, claim: str, timeout_s: float) -> None:
        """Until the claim ends, at most `timeout_s`; at once where it is none of ours."""
        if event := self._ends.get(claim):
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), timeout_s)


class MemoryLedger:
    """The ledger of one run, in memory: it holds as long as the process does."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Effect] = {}
        self._flying = InFlight()

    async def claim(self, effect: Effect, *, over: Effect | None = None) -> Effect | None:
        """See `Ledger`."""
        found = self._rows.get((effect.tenant, effect.key))
        if found is not None and not (over and (over.claim, over.state) == (found.claim, found.state)):
            return found
        self._rows[effect.tenant, effect.key] = replace(effect, owner="here")
        self._flying.begin(effect.claim)
        return None

    async def record(self, effect: Effect, state: EffectState, came: Came) -> bool:
        """See `Ledger`."""
        self._flying.end(effect.claim)
        if not self._still(effect, state):
            return False
        found = self._rows[effect.tenant, effect.key]
        self._rows[effect.tenant, effect.key] = replace(found, state=state, came=came, owner="")
        return True

    async def leave(self, effect: Effect) -> None:
        """See `Ledger`."""
        self._flying.end(effect.claim)
        if self._still(effect):
            self._rows[effect.tenant, effect.key] = replace(effect, owner="")

    async def release(self, effect: Effect) -> None:
        """See `Ledger`."""
        self._flying.end(effect.claim)
        if self._still(effect):
            del self._rows[effect.tenant, effect.key]

    def _still(self, effect: Effect, state: EffectState = "recorded") -> bool:
        found = self._rows.get((effect.tenant, effect.key))
        return found is not None and found.claim == effect.claim and found.state in before(state)

    async def find(self, tenant: str, *, deliveries: Sequence[str] = (), keys: Sequence[str] = ()) -> list[Effect]:
        """See `Ledger`."""
        return [
            each
            for each in self._rows.values()
            if each.tenant == tenant and (each.delivery in deliveries or each.key in keys)
        ]

    async def busy(self, effect: Effect) -> bool:
        """See `Ledger`."""
        return effect.claim in self._flying

    async def wait(self, effect: Effect, timeout_s: float) -> None:
        """See `Ledger`."""
        await self._flying.wait(effect.claim, timeout_s)

    async def effects(
        self, tenant: str, *, run_id: str = "", thread_id: str = "", open_only: bool = False, limit: int = 100
    ) -> list[Effect]:
        """See `Ledger`."""
        found = [
            replace(each, under_way=each.claim in self._flying)
            for each in reversed(self._rows.values())
            if each.tenant == tenant and run_id in ("", each.run_id) and thread_id in ("", each.thread_id)
        ]
        return [each for each in found if each.open or not open_only][:limit]


def before(state: EffectState) -> tuple[EffectState, ...]:
    """From which states an effect comes to this one: a failed one may turn out to have taken place."""
    return ("claimed", "failed", "settled") if state == "settled" else ("claimed", "failed")
