"""The line in which requests wait for a deployment whose limits are used up: fair between tenants, then between runs.

In: requests that wait, each for any of some deployments. Out: whose turn it is at one that has become free. Tenants
take turns, a tenant's runs take turns, and the requests of one run go in the order of coming; whoever comes anew
stands at the end. Nobody who comes later slips in before those who wait.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
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

    def look(self) -> None:
        """Have it look again, from whatever thread."""
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if self.loop is here:
            self.turn.set()
        elif not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.turn.set)


class _Turns:
    """Those who wait for the same deployments: by tenant, by run, by number; whoever is first is next."""

    def __init__(self) -> None:
        self._tenants: OrderedDict[str, OrderedDict[str, OrderedDict[int, Ticket]]] = OrderedDict()

    def add(self, ticket: Ticket) -> None:
        runs = self._tenants.setdefault(ticket.tenant, OrderedDict())
        runs.setdefault(ticket.run, OrderedDict())[ticket.number] = ticket

    def first(self) -> Ticket | None:
        for runs in self._tenants.values():
            for tickets in runs.values():
                return next(iter(tickets.values()))
        return None

    def remove(self, ticket: Ticket, *, served: bool) -> None:
        """Take it out; where it had its turn, its run and its tenant go to the end."""
        runs = self._tenants[ticket.tenant]
        tickets = runs[ticket.run]
        del tickets[ticket.number]
        if not tickets:
            del runs[ticket.run]
        elif served:
            runs.move_to_end(ticket.run)
        if not runs:
            del self._tenants[ticket.tenant]
        elif served:
            self._tenants.move_to_end(ticket.tenant)


class Line:
    """All requests that wait."""

    def __init__(self) -> None:
        self._turns: dict[frozenset[str], _Turns] = {}
        self._number = 0
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    def join(self, names: Iterable[str], tenant: str, run: str) -> Ticket:
        """Stand in line for any of these deployments."""
        self._number += 1
        self._waiting += 1
        ticket = Ticket(self._number, frozenset(names), tenant, run)
        self._turns.setdefault(ticket.names, _Turns()).add(ticket)
        return ticket

    def first(self, name: str) -> Ticket | None:
        """Whose turn it is at a deployment; `None` where nobody waits for it."""
        best: Ticket | None = None
        for names, turns in self._turns.items():
            if (
                name in names
                and (ticket := turns.first()) is not None
                and (best is None or ticket.number < best.number)
            ):
                best = ticket
        return best

    def lets(self, ticket: Ticket | None, name: str) -> bool:
        """Whether a request may go there, as far as others wait: none does, or it is the first of them."""
        if not self._waiting:
            return True
        first = self.first(name)
        return first is None or first is ticket

    def leave(self, ticket: Ticket, *, served: bool) -> None:
        """It waits no more; those who are first now look again."""
        turns = self._turns[ticket.names]
        turns.remove(ticket, served=served)
        self._waiting -= 1
        if turns.first() is None:
            del self._turns[ticket.names]
        for name in ticket.names:
            self.wake(name)

    def wake(self, name: str) -> None:
        """Something became free at a deployment."""
        if self._waiting and (first := self.first(name)) is not None:
            first.look()
