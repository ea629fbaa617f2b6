"""The line in which requests wait for a deployment whose limits are used up: fair between tenants, then between runs.

In: requests that wait, each for any of some deployments. Out: whose turn it is at one that has become free. Tenants
take turns, a tenant's runs take turns, and the requests of one run go in the order of coming; who was away does not
catch up. Nobody who comes later slips in before those who wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


class Ticket:
    """One request that waits."""

    __slots__ = ("loop", "names", "number", "run", "tenant", "turn")

    def __init__(self, number: int, names: frozenset[str], tenant: str, run: str) -> None:
        self.number = number
        self.names = names
        self.tenant = tenant
        self.run = run
        self.turn = asyncio.Event()
        """Set when it is worth looking again."""
        self.loop = asyncio.get_running_loop()


class Line:
    """All requests that wait."""

    def __init__(self) -> None:
        self._tickets: dict[int, Ticket] = {}
        self._number = 0
        self._served: dict[str, float] = {}
        """How often each tenant that waits had its turn, of those that count; and each run of one."""
        self._least: dict[str, float] = {"": 0.0}

    def __len__(self) -> int:
        return len(self._tickets)

    def join(self, names: Iterable[str], tenant: str, run: str) -> Ticket:
        """Stand in line for any of these deployments."""
        self._number += 1
        ticket = Ticket(self._number, frozenset(names), tenant, run)
        for key, inside in _keys(ticket):
            if key not in self._served:
                self._served[key] = self._least.get(inside, 0.0)
        self._tickets[ticket.number] = ticket
        return ticket

    def first(self, name: str) -> Ticket | None:
        """Whose turn it is at a deployment; `None` where nobody waits for it."""
        waiting = [ticket for ticket in self._tickets.values() if name in ticket.names]
        return min(waiting, key=self._place) if waiting else None

    def lets(self, ticket: Ticket | None, name: str) -> bool:
        """Whether a request may go there, as far as others wait: none does, or it is the first of them."""
        if not self._tickets:
            return True
        first = self.first(name)
        return first is None or first is ticket

    def leave(self, ticket: Ticket, *, served: bool) -> None:
        """It waits no more; those who are first now look again."""
        if self._tickets.pop(ticket.number, None) is None:
            return
        if served:
            for key, inside in _keys(ticket):
                self._least[inside] = self._served.get(key, 0.0)
                self._served[key] = self._served.get(key, 0.0) + 1.0
        waiting = {key for each in self._tickets.values() for key, _ in _keys(each)}
        if not waiting:
            self._served, self._least = {}, {"": 0.0}
        elif len(self._served) > 2 * len(waiting) + 64:
            self._served = {key: value for key, value in self._served.items() if key in waiting}
        for name in ticket.names:
            self.wake(name)

    def wake(self, name: str) -> None:
        """Something became free at a deployment."""
        first = self.first(name) if self._tickets else None
        if first is None:
            return
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if first.loop is here:
            first.turn.set()
        elif not first.loop.is_closed():
            first.loop.call_soon_threadsafe(first.turn.set)

    def _place(self, ticket: Ticket) -> tuple[float, float, int]:
        (tenant, _), (run, _) = _keys(ticket)
        return self._served.get(tenant, 0.0), self._served.get(run, 0.0), ticket.number


def _keys(ticket: Ticket) -> tuple[tuple[str, str], tuple[str, str]]:
    """The tenant, and the run in it; each with what it is counted inside of."""
    tenant = f"t:{ticket.tenant}"
    return (tenant, ""), (f"{tenant}/r:{ticket.run}", tenant)
