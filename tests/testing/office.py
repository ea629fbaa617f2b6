"""An office that closes its month: three workers who write 23 times, each in a way of its own.

The outside is a SQLite file. Some of it honours keys, some can be asked what was done, some can only be looked at by a
person; two calls of one reply are the same, two have the same key, and one is approved first.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segue import Agent, Answer, Approve, Planner, RunContext, Team, tool
from segue.graphs.plan import SUBMIT_PLAN
from segue.testing import Scenario, Script, ScriptedModel, call

REQUEST = "Close the month."
MONTH = "Pay the invoices."
LETTERS = "Send the letters."
ROOMS = "Order the rooms."
WRITES = 23


@contextmanager
def outside(world: Path) -> Iterator[sqlite3.Connection]:
    """The file of the outside, committed at the end."""
    db = sqlite3.connect(world / "outside.db", timeout=10)
    try:
        with db:
            yield db
    finally:
        db.close()


def prepare(world: Path) -> None:
    """Nothing was done yet."""
    with outside(world) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE done (what TEXT NOT NULL, key TEXT NOT NULL)")
        db.execute("CREATE TABLE balance (account TEXT PRIMARY KEY, cents INTEGER NOT NULL)")
        db.execute("INSERT INTO balance VALUES ('house', 100000)")


def effects(world: Path) -> list[Hashable]:
    """All that was done."""
    with outside(world) as db:
        return [what for (what,) in db.execute("SELECT what FROM done")]


def state(world: Path) -> list[Any]:
    """What is left on the accounts, and all that was done, in an order of its own."""
    with outside(world) as db:
        return [
            db.execute("SELECT account, cents FROM balance ORDER BY account").fetchall(),
            db.execute("SELECT what FROM done ORDER BY what").fetchall(),
        ]


def _do(world: Path, what: str, key: str, *, once: bool = False) -> str:
    with outside(world) as db:
        if once and db.execute("SELECT 1 FROM done WHERE key = ?", (key,)).fetchone():
            return f"{what}: done"
        db.execute("INSERT INTO done VALUES (?, ?)", (what, key))
        db.execute("UPDATE balance SET cents = cents - 100")
    return f"{what}: done"


def _found(world: Path, key: str) -> str | None:
    with outside(world) as db:
        row = db.execute("SELECT what FROM done WHERE key = ?", (key,)).fetchone()
    return f"{row[0]}: done" if row else None


def tools(world: Path) -> dict[str, Any]:
    """What the workers can do, by name."""

    @tool(effect="write", reach="account", idempotency_key="invoice", retry_safe=True)
    def pay(ctx: RunContext, invoice: int) -> str:
        """Pay an invoice; the bank honours the key.

        Args:
            invoice: Its number.
        """
        return _do(world, f"paid {invoice}", ctx.idempotency_key, once=True)

    async def booked(ctx: RunContext, item: str) -> str | None:
        await asyncio.sleep(0)
        return _found(world, ctx.idempotency_key)

    @tool(effect="write", reconcile=booked)
    async def book(ctx: RunContext, item: str) -> str:
        """Book an item; whether that was done can be looked up.

        Args:
            item: What.
        """
        await asyncio.sleep(0)
        said = _do(world, f"booked {item}", ctx.idempotency_key)
        await asyncio.sleep(0)
        return said

    @tool(effect="write", reach="out", retry_safe=True)
    async def mail(ctx: RunContext, to: str) -> str:
        """Send the letter; the post honours the key.

        Args:
            to: To whom.
        """
        await asyncio.sleep(0)
        return _do(world, f"mailed {to}", ctx.idempotency_key, once=True)

    @tool(effect="write", reach="out")
    async def phone(ctx: RunContext, who: str) -> str:
        """Call somebody; only they know whether it was done.

        Args:
            who: Whom.
        """
        await asyncio.sleep(0)
        said = _do(world, f"phoned {who}", ctx.idempotency_key)
        await asyncio.sleep(0)
        return said

    @tool(effect="irreversible", reach="account", approval=True, reconcile=lambda ctx, cents: _wired(world, ctx))
    def wire(ctx: RunContext, cents: int) -> str:
        """Wire money; a person approves it.

        Args:
            cents: How much.
        """
        return _do(world, f"wired {cents}", ctx.idempotency_key)

    @tool(effect="read")
    def look(item: str) -> str:
        """Look whether an item is there.

        Args:
            item: What.
        """
        return f"{item} is there"

    return {each.name: each for each in (pay, book, mail, phone, wire, look)}


async def _wired(world: Path, ctx: RunContext) -> str | None:
    return _found(world, ctx.idempotency_key)


def office(world: Path) -> Team:
    """The planner and its workers, made anew."""
    held = tools(world)

    def worker(name: str, task: str, *replies: Any) -> Agent:
        model = ScriptedModel(Script({task: [*replies, f"{name} is done."]}))
        return Agent(name, description=f"{name} does.", model=model, tools=list(held.values()))

    planned = call(
        SUBMIT_PLAN,
        tasks=[
            {"id": "a", "worker": "clerk", "task": MONTH},
            {"id": "b", "worker": "writer", "task": LETTERS},
            {"id": "c", "worker": "porter", "task": ROOMS, "depends_on": ["a"]},
        ],
    )
    return Team(
        "office",
        planner=Planner(model=ScriptedModel(Script({REQUEST: [planned, "The month is closed."]}))),
        workers=[
            worker(
                "clerk",
                MONTH,
                [call("pay", invoice=number) for number in (1, 2, 3)],
                [call("pay", invoice=3), call("look", item="safe"), call("pay", invoice=4)],
                [call("wire", cents=700), call("pay", invoice=5)],
                [call("phone", who="bank"), call("phone", who="tax office")],
            ),
            worker(
                "writer",
                LETTERS,
                [call("mail", to="ann"), call("mail", to="ann")],
                [call("mail", to="bob"), call("phone", who="bob"), call("mail", to="cyd")],
                call("mail", to="dan"),
                [call("mail", to="eve"), call("look", item="stamp"), call("look", item="ink")],
            ),
            worker(
                "porter",
                ROOMS,
                [call("book", item=item) for item in ("hall", "hall", "desk")],
                [call("book", item="lamp"), call("pay", invoice=1), call("phone", who="porter")],
                [call("book", item="door"), call("book", item="key"), call("book", item="bell")],
            ),
        ],
    )


def person(request: Any, world: Path) -> Any:
    """Approves, and looks at the outside where nobody else knows."""
    if request.kind == "approval":
        return Approve()
    (argument,) = request.arguments.values()
    what = f"phoned {argument}"
    return Answer(f"{what}: done") if what in effects(world) else Approve()


OFFICE = Scenario(
    agent=office, requests=[REQUEST], prepare=prepare, effects=effects, state=state, person=person,
    expected=[
        *(f"paid {number}" for number in (1, 2, 3, 4, 5)), "wired 700",
        *(f"phoned {who}" for who in ("bank", "tax office", "bob", "porter")),
        *(f"mailed {who}" for who in ("ann", "ann", "bob", "cyd", "dan", "eve")),
        *(f"booked {item}" for item in ("hall", "hall", "desk", "lamp", "door", "key", "bell")),
    ],
)  # fmt: skip
