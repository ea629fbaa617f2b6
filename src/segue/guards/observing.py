"""Observing: a rail that only looks, for the weeks before it may decide."""

from __future__ import annotations

import asyncio
from typing import Any

from segue.base.errors import UserError
from segue.context.decisions import Allow, Decision
from segue.context.run import RunContext
from segue.guards.rail import Rail, Subject

_LATER_S = 1.0
"""So much later its own time is up: a rail that only looks never fails a run by being slow."""


def observe(rail: Rail) -> Rail:
    """The same rail, allowing everything: the trace tells what it would have done, as in `would block: …`.

    Raises:
        UserError: It is no rail.
    """
    if not isinstance(rail, Rail):
        raise UserError(f"observe takes a rail, not {type(rail).__name__}; make one with @rail")
    return _Observed(rail)


class _Observed(Rail):
    def __init__(self, rail: Rail) -> None:
        self.name, self.places, self.window = rail.name, rail.places, rail.window
        self.timeout_s = rail.timeout_s + _LATER_S
        self._rail = rail

    async def check(self, subject: Subject, ctx: RunContext[Any]) -> Decision:
        """What the rail says is written down, and what it does to a failure too."""
        try:
            async with asyncio.timeout(self._rail.timeout_s):
                said = await self._rail.check(subject, ctx)
        except Exception as error:
            return Allow(f"would block: it raised {type(error).__name__}", self.name)
        if said is None or isinstance(said, Allow):
            return Allow()
        told = type(said).__name__.lower()
        return Allow(f"would {told}: {getattr(said, 'reason', '')}", getattr(said, "rule", "") or self.name)
