"""Stages: the checkpoints of runs in, as they come; a few transactions out.

A checkpoint that is staged is written with those that come within the next milliseconds, of all runs, in one commit.
`durable` waits for all that a run has put: whoever is about to do what cannot be taken back, or says that a run has
ended, asks for that first. What a loss of the process takes along is at most `STAGE_S` of work, which is done again;
every checkpoint that is there is whole, and so are all before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Self

from segue.base.errors import StoreError
from segue.memory.database import Clash, Database, Statement
from segue.memory.savers.core import Core, Note
from segue.memory.savers.live import Head, Place
from segue.memory.savers.reading import Run

STAGE_S = 0.02
"""Seconds that a checkpoint waits for the ones after it."""
_SLACK_S = 0.001
"""Nobody waits once more for less than that."""
SEEN_S = 0.1
"""A run's commits follow each other: its file is looked for in its place only so often."""
_FEW = 4
"""Up to so many runs at a time, each commits at once."""
_MOST = 64
"""Checkpoints of one run that may wait."""
Before = Callable[[], Awaitable[None]]
Put = tuple[str | None, Any, Any, Any]
"""The parent's id, the checkpoint, its metadata, and the versions that are new."""
LATER_S = 1.0
"""Seconds after which what is in no hurry is written by itself."""


class Staging:
    """The stages of one event loop that have something to write."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.runs = 0
        """How many run just now: where there are many, they wait for one another's commits."""
        self._waiting: dict[Stage, float] = {}
        """What has something to write, and since when; the oldest first."""
        self._timer: asyncio.TimerHandle | None = None
        self._later: list[Statement] = []
        self._later_since = 0.0
        self._watched = False
        """Whether somebody will look how long `_later` waits."""
        self._writing: set[asyncio.Task[Any]] = set()

    def later(self, statement: Statement, database: Database) -> None:
        """Run a statement that is in no hurry with the next commit."""
        if not self._later:
            self._later_since = self.loop.time()
        self._later.append(statement)
        if not self._watched:
            self._watched = True
            self.loop.call_later(LATER_S, self._by_itself, database)

    def overdue(self) -> list[Statement]:
        """What was in no hurry, for a commit that happens anyway."""
        found, self._later = self._later, []
        return found

    def _by_itself(self, database: Database) -> None:
        """The time of what waited when this was set is up: see `_look`."""
        self._watched = False
        if not self._later:
            return
        left = self._later_since + LATER_S - self.loop.time()
        if left > _SLACK_S:
            self._watched = True
            self.loop.call_later(left, self._by_itself, database)
            return
        task = self.loop.create_task(_quietly(database, self.overdue()))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    def add(self, stage: Stage) -> None:
        """Have it written before long."""
        if stage not in self._waiting:
            self._waiting[stage] = self.loop.time()
        if self._timer is None:
            self._timer = self.loop.call_later(STAGE_S, self._look)

    def drop(self, stage: Stage) -> None:
        """It has nothing to write any more."""
        self._waiting.pop(stage, None)

    def _look(self) -> None:
        """The time of what waited first is up; it may be written by now, and the next one's time is later."""
        self._timer = None
        left = next(iter(self._waiting.values()), 0.0) + STAGE_S - self.loop.time()
        if self._waiting and left > _SLACK_S:
            self._timer = self.loop.call_later(left, self._look)
        else:
            self._begin()

    def _begin(self) -> None:
        """Write whatever waits: the last one takes the others along into one commit."""
        stages = list(self._waiting)
        self._waiting.clear()
        for at, stage in enumerate(stages, 1):
            stage.begin(soon=at == len(stages))

    async def durable(self, tenant: str, thread: str | None = None) -> None:
        """Until what waits of a thread, or of all, is durable; who put it is told where it cannot be."""
        for stage in [each for each in self._waiting if thread is None or each.place[:2] == (tenant, thread)]:
            await asyncio.wait([stage.begin(soon=True)])


class Stage:
    """The checkpoints of one run that are not durable yet. One task at a time puts, inside `with`."""

    def __init__(
        self, staging: Staging, core: Core, database: Database, run: Run, place: Place, before: Before
    ) -> None:
        self.place = place
        self._staging = staging
        self._core = core
        self._database = database
        self._run = run
        self._before = before
        self._puts: list[Put] = []
        self._statements: list[Statement] = []
        self._thread = 0
        self._head: Head | None = None
        """Of the checkpoint that was put last, which the next one follows."""
        self._in_cache = ""
        """The id of the one whose head lies in the cache, for others."""
        self._notes: list[Note] = []
        self._writing: asyncio.Task[None] | None = None
        self._broken = False
        """Whether a write was broken off: what lies in the database is not what was thought."""

    def __enter__(self) -> Self:
        self._staging.runs += 1
        return self

    def __exit__(self, *error: object) -> None:
        self._staging.runs -= 1
        self._give_back()

    async def put(self, parent: str | None, checkpoint: Any, metadata: Any, new_versions: Any, note: Note) -> None:
        """Take a checkpoint, which is not changed any more, and a note to be stored with it.

        Raises:
            StoreError: One that was put before could not be written.
        """
        if self._writing is not None or len(self._puts) >= _MOST:
            await self.durable()
        held, found = self._head, None
        if held is not None and held.id == parent:
            found = self._core.follow(self.place, held, checkpoint, metadata, new_versions)
        if found is None:
            self._give_back()
            found = await self._run(
                self._core.stage(self.place, self._thread, parent, checkpoint, metadata, new_versions)
            )
            self._thread, self._in_cache = found[0].thread, found[0].id
        self._head, statements = found
        self._statements += statements
        self._puts.append((parent, checkpoint, metadata, new_versions))
        if note[1]:
            self._notes.append(note)
        self._staging.add(self)

    def let_go(self, checkpoint_id: str) -> None:
        """The thread is at its end, as far as one can see: it need not be kept in memory."""
        self._core.shared.cache.let_go(self.place, self._in_cache or checkpoint_id)
        self._head = None

    def _give_back(self) -> None:
        """Into the cache, for whoever goes on with the thread."""
        head, self._head = self._head, None
        if head is not None and head.id != self._in_cache:
            self._core.shared.cache.put(self.place, head, instead_of=self._in_cache)
            self._in_cache = head.id

    async def durable(self) -> None:
        """Until all that was put is durable; where many run, in one commit with theirs.

        Raises:
            StoreError: It could not be written.
        """
        if self._writing is not None:
            await self._written(self._writing)
        if self._puts:
            await self.write(soon=self._staging.runs <= _FEW)

    def begin(self, *, soon: bool) -> asyncio.Task[None]:
        """Write what was put."""
        if self._writing is None or self._writing.done():
            self._writing = self._staging.loop.create_task(self.write(soon))
        return self._writing

    async def _written(self, writing: asyncio.Task[None]) -> None:
        try:
            await asyncio.shield(writing)
        finally:
            if writing.done():
                self._writing = None

    async def write(self, soon: bool) -> None:
        """Write what was put, in one transaction."""
        puts, statements, notes, thread = self._puts, self._statements, self._notes, self._thread
        self._puts, self._statements, self._notes = [], [], []
        self._staging.drop(self)
        try:
            await self._before()
            if self._broken:
                await self._again(puts, notes)
                self._broken = False
            elif puts:
                if self._database.dialect == "postgres":
                    statements = _side_by_side(statements)
                if notes:
                    statements.append(self._noted(notes))
                await self._database.transaction([*statements, *self._staging.overdue()], soon=soon, seen_s=SEEN_S)
                self._core.shared.keep_thread(self.place[:2], thread)
        except Clash:  # somebody else changed the thread's rows: once more, each on what is there now
            self._lost()
            await self._again(puts, notes)
        except asyncio.CancelledError:  # nobody knows whether it was written: once more, for whoever asks next
            self._lost()
            self._puts[:0], self._notes[:0] = puts, notes
            self._broken = True
            raise
        except StoreError:
            self._lost()
            raise

    def _lost(self) -> None:
        """Nothing that was thought to be known of the thread holds."""
        self._core.shared.forget(*self.place[:2])
        self._thread, self._head, self._in_cache = 0, None, ""

    async def _again(self, puts: Sequence[Put], notes: Sequence[Note]) -> None:
        for parent, checkpoint, metadata, new_versions in puts:
            await self._run(self._core.put(self.place, parent, checkpoint, metadata, new_versions, []))
        self._thread = await self._run(self._core.thread(self.place))
        if notes:
            await self._database.transaction([self._noted(notes)])

    def _noted(self, notes: Sequence[Note]) -> Statement:
        """The notes of one commit as one row: a line each."""
        return self._core.note(self.place, self._thread, (notes[0][0], b"\n".join([body for _, body in notes])))


def _side_by_side(statements: Sequence[Statement]) -> list[Statement]:
    """What a stage inserts, with rows of one table one after the other: a server is told of them in one statement.

    The order of the tables is the one in which they came first, and so is that of each table's rows.
    """
    by_sql: dict[str, list[Statement]] = {}
    for each in statements:
        by_sql.setdefault(each[0], []).append(each)
    return [each for group in by_sql.values() for each in group]


async def _quietly(database: Database, statements: Sequence[Statement]) -> None:
    with suppress(StoreError):  # it is tidying up
        await database.transaction(statements, soon=False)
