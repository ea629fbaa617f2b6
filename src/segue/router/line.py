"""The line in which requests wait for a deployment whose limits are used up: fair between tenants, then between runs.

In: requests that wait, each for any of some deployments. Out: whose turn it is at one that has become free. Tenants
take turns, a tenant's runs take turns, and the requests of one run go in the order of coming, whichever deployments
they wait for; whoever comes anew stands at the end. Nobody who comes later slips in before those who wait.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Iterable
from threading import RLock


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


class _Run:
    """The requests of one run that wait, by the deployments that they wait for."""

    def __init__(self) -> None:
        self._held: dict[frozenset[str], OrderedDict[int, Ticket]] = {}

    def __bool__(self) -> bool:
        return bool(self._held)

    def add(self, ticket: Ticket) -> None:
        self._held.setdefault(ticket.names, OrderedDict())[ticket.number] = ticket

    def first(self, name: str) -> Ticket | None:
        """The one that came first of those that wait for a deployment."""
        found = [next(iter(tickets.values())) for names, tickets in self._held.items() if name in names]
        return min(found, key=lambda ticket: ticket.number, default=None)

    def remove(self, ticket: Ticket) -> None:
        tickets = self._held[ticket.names]
        del tickets[ticket.number]
        if not tickets:
            del self._held[ticket.names]


class Line:
    """All requests that wait; whoever is first of the tenants, and of their runs, has the next turn."""

    def __init__(self) -> None:
        self._tenants: OrderedDict[str, OrderedDict[str, _Run]] = OrderedDict()
        self._waiting: set[int] = set()
        self._names: Counter[str] = Counter()
        """How many wait for each deployment."""
        self._number = 0
        self._lock = RLock()
        """Event loops of several threads may stand in one line."""

    @property
    def waiting(self) -> bool:
        """Whether anybody does."""
        return bool(self._waiting)

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, names: Iterable[str], tenant: str, run: str) -> Ticket:
        """Stand in line for any of these deployments."""
        with self._lock:
            self._number += 1
            ticket = Ticket(self._number, frozenset(names), tenant, run)
            before = [name for name in ticket.names if self.first(name) is not None]
            self._waiting.add(ticket.number)
            self._names.update(ticket.names)
            self._tenants.setdefault(tenant, OrderedDict()).setdefault(run, _Run()).add(ticket)
            if any(self.first(name) is ticket for name in before):
                ticket.turn.set()  # its tenant's turn comes before that of those who were first
            return ticket

    def first(self, name: str) -> Ticket | None:
        """Whose turn it is at a deployment; `None` where nobody waits for it."""
        with self._lock:
            while (ticket := self._first(name)) is not None and ticket.loop.is_closed():
                self._remove(ticket, served=False)  # nobody is left who could take its turn
            return ticket

    def lets(self, ticket: Ticket | None, name: str) -> bool:
        """Whether a request may go there, as far as others wait: none does, or it is the first of them."""
        if not self._waiting:
            return True
        first = self.first(name)
        return first is None or first is ticket

    def leave(self, ticket: Ticket, *, served: bool) -> None:
        """It waits no more; those who are first now look again. Where it had its turn, others have theirs first."""
        with self._lock:
            moved = self._remove(ticket, served=served)
            for name in list(self._names) if moved else ticket.names:
                self.wake(name)

    def wake(self, name: str) -> None:
        """Something became free at a deployment."""
        if self._waiting and (first := self.first(name)) is not None:
            first.look()

    def _first(self, name: str) -> Ticket | None:
        for runs in self._tenants.values():
            for run in runs.values():
                if (ticket := run.first(name)) is not None:
                    return ticket
        return None

    def _remove(self, ticket: Ticket, *, served: bool) -> bool:
        """Take it out; true where others of its run or tenant wait on, and have moved behind the others."""
        if ticket.number not in self._waiting:
            return False
        self._waiting.discard(ticket.number)
        self._names -= Counter(ticket.names)
        runs = self._tenants[ticket.tenant]
        run = runs[ticket.run]
        run.remove(ticket)
        if not run:
            del runs[ticket.run]
        elif served:
            runs.move_to_end(ticket.run)
        if not runs:
            del self._tenants[ticket.tenant]
        elif served:
            self._tenants.move_to_end(ticket.tenant)
        return served and bool(runs)
