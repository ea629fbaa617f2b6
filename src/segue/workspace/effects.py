"""Effects of a workspace: what tool calls that write did, listed; and an open one settled by a person who knows.

The ledger lies in the database of the checkpoints. What happens to a call that was cut short is decided in
`segue.tools.effects`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from segue.base.errors import BadInput, names
from segue.base.labels import atoms
from segue.base.principal import LOCAL, Principal
from segue.context.effects import Came, Effect, Told
from segue.tools.results import jsonable
from segue.tracing.audit import Decided
from segue.workspace.opening import OpenWorkspace


class Effects(OpenWorkspace):
    """The effects that the ledger holds, within one tenant."""

    async def effects(
        self,
        *,
        run_id: str = "",
        thread_id: str = "",
        open_only: bool = False,
        limit: int = 100,
        principal: Principal = LOCAL,
    ) -> list[Effect]:
        """The newest effects of tool calls, newest first; with `open_only` those of which nobody knows what came."""
        self._must_be_open()
        return await self.ledger.effects(
            principal.tenant, run_id=run_id, thread_id=thread_id, open_only=open_only, limit=limit
        )

    async def effect(self, key: str, *, principal: Principal = LOCAL) -> Effect:
        """An effect by its key.

        Raises:
            BadInput: There is none in this tenant.
        """
        self._must_be_open()
        found = await self.ledger.find(principal.tenant, keys=[key])
        if not found:
            held = [each.key for each in await self.effects(limit=3, principal=principal)]
            raise BadInput(f"there is no effect {key!r} here; the newest are: {names(held)}")
        return replace(found[0], under_way=await self.ledger.busy(found[0]))

    async def settle_effect(self, key: str, *, done: bool, result: Any = None, principal: Principal = LOCAL) -> Effect:
        """Say what came of an open effect, from having looked.

        Args:
            key: The effect's key.
            done: Whether it took place. Its call, delivered again, is then given the result; else it runs again.
            result: What the tool would have returned; `None` for nothing but that it was done.
            principal: Who says so.

        Raises:
            BadInput: It is not open: a process works on it, or what came of it is known.
        """
        found = await self.effect(key, principal=principal)
        if found.under_way:
            raise BadInput(f"effect {key} is under way: a living process works on it.", way_out="Wait for its end.")
        if not (found.open or (found.came is not None and found.came.told == "left")):
            raise BadInput(f"effect {key} is not open: it is {found.state} already")
        if result is not None and not done:
            raise BadInput(f"effect {key}: what was not done has no result")
        came = self._told(found, "done" if done else "not_done", result, principal)
        at = self.services.clock.now()
        if self.services.audit is not None:
            self.services.audit.record(_decided(found, at, principal))
            await self.services.audit.settle()
        if not await self.ledger.record(replace(found, recorded_at=at), "settled", came):
            raise BadInput(f"effect {key} is not open any more: somebody else went on with it")
        return await self.effect(key, principal=principal)

    def _told(self, found: Effect, told: Told, result: Any, principal: Principal) -> Came:
        if told == "not_done":
            content = f"error: a person says that {found.tool} did not take effect"
            return Came(content=content, failed=True, told=told, by=principal.user)
        if result is None:
            content = f"{found.tool} took effect, as a person says; what it returned is not known"
            return Came(content=content, told=told, by=principal.user)
        value = jsonable(found.tool, result)
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        clean = self.services.redact(text)
        held = tuple((pointer, leaf) for pointer, leaf in atoms(value)) if clean == text else ()
        return Came(content=clean, atoms=held, told=told, by=principal.user)


def _decided(found: Effect, at: float, principal: Principal) -> Decided:
    return Decided(
        kind="answer", verdict="answer", at=at, tenant=found.tenant, user=principal.user, run_id=found.run_id,
        thread_id=found.thread_id, agent=found.agent, task_id=found.task_id, call_id=found.call_id, tool=found.tool,
        effect=found.effect, rule="effect", by=principal.user, subject=found.arguments,
    )  # fmt: skip
