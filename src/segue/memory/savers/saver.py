"""Savers for LangGraph: checkpoints in, into SQLite or PostgreSQL, at a cost that does not grow with the thread.

    async with SqliteSaver.open("state.db") as saver:
        graph = builder.compile(checkpointer=saver)

Lists, messages above all, are stored by what is new in them. Time travel, forks, edits and interrupts work as with
LangGraph's own savers. Every row belongs to a tenant and a thread; with a key every body is encrypted and bound to its
place. A message that is changed in place after it was stored is not stored again: return a new one (`verify=True` finds
who does not).
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Self, TypeVar, cast

from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple, get_checkpoint_metadata

from segue.base.errors import StoreError
from segue.memory.database import Database
from segue.memory.savers import schema, upkeep
from segue.memory.savers.core import Core, Shared, config_of, matches, pages, place_of
from segue.memory.savers.draft import Task
from segue.memory.savers.history import history
from segue.memory.savers.live import LiveCache
from segue.memory.savers.pending import Pending, settle
from segue.memory.savers.reading import Ask, Steps, together
from segue.memory.savers.staging import Before, Stage, Staging
from segue.memory.savers.values import Codec
from segue.memory.sealing import Plain, Seal

_T = TypeVar("_T")
LIVE_HEADS = 1024
LIVE_BYTES = 64 * 1024 * 1024


class FlatSaver(BaseCheckpointSaver[int]):
    """A LangGraph checkpointer over a `Database`; see `SqliteSaver` and `PostgresSaver` for ones that open theirs.

    Args:
        database: Open, for as long as the saver is used. `setup` makes the tables.
        seal: What encrypts rows; plain rows without one.
        tenant: Whose threads it sees; `for_tenant` gives a view for another.
        serde: LangGraph's serialiser; by default one that constructs only safe types.
        verify: Whether to look for values that were changed in place, at the price of encoding all of them again.
        live_bytes: How much of the threads used last is kept in memory.
    """

    def __init__(
        self,
        database: Database,
        *,
        seal: Seal | None = None,
        tenant: str = "local",
        serde: Any = None,
        verify: bool = False,
        live_bytes: int = LIVE_BYTES,
    ) -> None:
        from segue.memory.checkpoints import strict_serde

        super().__init__(serde=serde or strict_serde())
        self.database = database
        cache = LiveCache(most=LIVE_HEADS, most_bytes=live_bytes)
        shared = Shared(seal or Plain(), schema.SEGMENTS[database.dialect], cache, verify)
        self._core = Core(shared, tenant, Codec(self.serde))
        self._pendings: dict[int, Pending] = {}
        self._stagings: dict[int, Staging] = {}
        self._clones: dict[frozenset[tuple[str, ...]], FlatSaver] = {}

    @property
    def tenant(self) -> str:
        """Whose threads it sees."""
        return self._core.tenant

    @property
    def sealer(self) -> Seal:
        """What encrypts the rows; whoever keeps rows beside ours may use it too."""
        return self._core.shared.seal

    def for_tenant(self, tenant: str) -> Self:
        """The same saver for another tenant's threads: one connection, one cache, no row in common."""
        view = copy.copy(self)
        view._core = replace(self._core, tenant=tenant)
        view._clones = {}
        return view

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> Self:
        """The same saver, constructing these types on reading too."""
        key = frozenset(tuple(item) if isinstance(item, tuple | list) else item for item in extra_allowlist)
        known = self._clones.get(key)
        if known is None:
            known = cast(FlatSaver, super().with_allowlist(extra_allowlist))
            if known is not self:
                known._core = replace(self._core, codec=Codec(known.serde))
            self._clones[key] = known
        return cast(Self, known)

    async def setup(self) -> None:
        """Make the tables where they are missing.

        Raises:
            StoreError: They were made by a newer version, or the database cannot be written.
        """
        await self._run(_setup(self.database.dialect))

    def setup_now(self) -> None:
        """`setup` for code that is not async."""
        self._run_now(_setup(self.database.dialect))

    def stage(self, config: Any, *, before: Before) -> Stage:
        """Where a run puts checkpoints that need not be durable at once; `before` is awaited before each commit."""
        place, _ = place_of(self.tenant, config)
        return Stage(self._staging(), self._core, self.database, self._run, place, before)

    def notes_now(self, thread_id: str, run_id: str) -> list[bytes]:
        """What a run has noted in checkpoints since its record was kept, the oldest first. It blocks.

        Raises:
            StoreError: They cannot be read.
        """
        return self._run_now(self._core.notes(thread_id, run_id))

    async def drop_notes(self, thread_id: str, run_id: str, *, soon: bool = True) -> None:
        """Take out what a run has noted: its record holds it; with `soon=False`, with whatever is written next.

        Raises:
            StoreError: With `soon`: they cannot be taken out.
        """
        statement = (schema.DROP_NOTES, (self.tenant, thread_id, run_id))
        if soon:
            await self.database.transaction([statement])
        else:
            self._staging().later(statement, self.database)

    async def settled(self) -> None:
        """Until no writes of this event loop wait."""
        await self._flush()
        pending = self._pendings.pop(id(asyncio.get_running_loop()), None)
        if pending is not None:
            await pending.close()

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        """Store a checkpoint, and with it the writes that wait on its parent; durable on return.

        Raises:
            StoreError: It could not be stored; then nothing of it was.
            ChangedInPlace: With `verify`: a value was changed after it was stored.
        """
        place, parent = place_of(self.tenant, config)
        loop = id(asyncio.get_running_loop())
        if (staging := self._stagings.get(loop)) is not None:
            await staging.durable(*place[:2])
        pending = self._pendings.get(loop)
        waiting = pending.take(place, parent) if pending is not None else []
        tasks = [item.task for item in waiting]
        found = get_checkpoint_metadata(config, metadata)
        try:
            await self._run(self._core.put(place, parent, checkpoint, found, new_versions, tasks))
        except BaseException:
            if pending is not None:
                pending.give_back(waiting)
            raise
        settle(waiting)
        return config_of(place, checkpoint["id"])

    def put(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        """`aput` for code that is not async."""
        place, parent = place_of(self.tenant, config)
        found = get_checkpoint_metadata(config, metadata)
        self._run_now(self._core.put(place, parent, checkpoint, found, new_versions, []))
        return config_of(place, checkpoint["id"])

    async def aput_writes(
        self, config: Any, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store a task's writes: with the next checkpoint of the thread, or after 2 ms; durable on return.

        Raises:
            StoreError: They could not be stored.
        """
        await self._pending().put(self._task(config, writes, task_id, task_path))

    def put_writes(self, config: Any, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = "") -> None:
        """`aput_writes` for code that is not async."""
        self._run_now(self._core.put_writes([self._task(config, writes, task_id, task_path)]))

    async def aget_tuple(self, config: Any) -> CheckpointTuple | None:
        """The checkpoint that the config names, or the newest of its thread; `None` where there is none.

        Raises:
            StoreError: It cannot be read, or a row of it was changed, moved or taken away.
        """
        await self._flush()
        return await self._run(self._core.get(*place_of(self.tenant, config)))

    def get_tuple(self, config: Any) -> CheckpointTuple | None:
        """`aget_tuple` for code that is not async."""
        return self._run_now(self._core.get(*place_of(self.tenant, config)))

    async def alist(
        self,
        config: Any,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangGraph's name
        before: Any = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """The checkpoints of a thread, or of all of the tenant's, the newest first.

        `filter` compares values of the metadata; `before` names a checkpoint that is newer than those wanted.
        """
        await self._flush()
        core, reader = self._core, self._core.reader()
        numbers = await self._run(self._numbers(config, filter, before, limit))
        for page in pages(numbers, limit):
            for opened in await self._run(core.page(reader, page)):
                if matches(opened[-1].metadata, filter):
                    if limit is not None and limit <= 0:
                        return
                    limit = None if limit is None else limit - 1
                    yield await self._run(core.whole(reader, opened))

    def list(
        self,
        config: Any,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangGraph's name
        before: Any = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """`alist` for code that is not async."""
        core, reader = self._core, self._core.reader()
        for page in pages(self._run_now(self._numbers(config, filter, before, limit)), limit):
            for opened in self._run_now(core.page(reader, page)):
                if matches(opened[-1].metadata, filter):
                    if limit is not None and limit <= 0:
                        return
                    limit = None if limit is None else limit - 1
                    yield self._run_now(core.whole(reader, opened))

    async def adelete_thread(self, thread_id: str) -> None:
        """Take out a thread: every row of it."""
        await self._flush()
        await self._run(upkeep.drop_thread(self._core, str(thread_id)))
        await self._bring_home()

    def delete_thread(self, thread_id: str) -> None:
        """`adelete_thread` for code that is not async."""
        self._run_now(upkeep.drop_thread(self._core, str(thread_id)))
        self._bring_home_now()

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Take out the checkpoints of runs, by LangGraph's `run_id` or our `segue_run_id`, in all threads."""
        await self._flush()
        await self._run(upkeep.drop_runs(self._core, run_ids))
        await self._bring_home()

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """`adelete_for_runs` for code that is not async."""
        self._run_now(upkeep.drop_runs(self._core, run_ids))
        self._bring_home_now()

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread to one of the same tenant that has no checkpoints yet.

        Raises:
            BadInput: The target has checkpoints.
        """
        await self._flush()
        await self._run(upkeep.copy_thread(self._core, str(source_thread_id), str(target_thread_id)))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """`acopy_thread` for code that is not async."""
        self._run_now(upkeep.copy_thread(self._core, str(source_thread_id), str(target_thread_id)))

    async def aprune(
        self,
        thread_ids: Sequence[str],
        *,
        strategy: str = "keep_latest",
        keep: int = 1,
        before: datetime | None = None,
    ) -> None:
        """Take out all but the newest `keep` checkpoints of each namespace; with `before`, only older ones.

        What a kept checkpoint is rebuilt from stays too. `strategy="delete"` takes out the threads.

        Raises:
            BadInput: The strategy is not known, or `keep` is less than 1.
        """
        await self._flush()
        for thread in thread_ids:
            await self._run(upkeep.prune(self._core, str(thread), strategy=strategy, keep=keep, before=before))
        await self._bring_home()

    def prune(
        self,
        thread_ids: Sequence[str],
        *,
        strategy: str = "keep_latest",
        keep: int = 1,
        before: datetime | None = None,
    ) -> None:
        """`aprune` for code that is not async."""
        for thread in thread_ids:
            self._run_now(upkeep.prune(self._core, str(thread), strategy=strategy, keep=keep, before=before))
        self._bring_home_now()

    async def aget_delta_channel_history(self, *, config: Any, channels: Sequence[str]) -> Mapping[str, Any]:
        """What `DeltaChannel`s are rebuilt from: their writes since the last stored value, and that value."""
        await self._flush()
        return await self._run(history(self._core, config, channels))

    def get_delta_channel_history(self, *, config: Any, channels: Sequence[str]) -> Mapping[str, Any]:
        """`aget_delta_channel_history` for code that is not async."""
        return self._run_now(history(self._core, config, channels))

    def _task(self, config: Any, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str) -> Task:
        place, checkpoint_id = place_of(self.tenant, config)
        codec = self._core.codec
        encoded = [
            (channel, (codec.elements(value) if type(value) is list else None) or codec.value(value))
            for channel, value in writes
        ]
        return Task(
            place=place, checkpoint_id=checkpoint_id or "", task_id=task_id, task_path=task_path, writes=encoded
        )

    def _numbers(
        self, config: Any, wanted: dict[str, Any] | None, before: Any, limit: int | None
    ) -> Steps[Sequence[int]]:
        cursor = before["configurable"].get("checkpoint_id") if before else None
        run = (wanted or {}).get("segue_run_id")
        return self._core.numbers(config, cursor, run if isinstance(run, str) else None, None if wanted else limit)

    def _pending(self) -> Pending:
        loop = asyncio.get_running_loop()
        pending = self._pendings.get(id(loop))
        if pending is None or pending.loop is not loop:
            for key in [key for key, held in self._pendings.items() if held.loop.is_closed()]:
                del self._pendings[key]
            pending = self._pendings[id(loop)] = Pending(loop, lambda tasks: self._run(self._core.put_writes(tasks)))
        return pending

    def _staging(self) -> Staging:
        loop = asyncio.get_running_loop()
        staging = self._stagings.get(id(loop))
        if staging is None or staging.loop is not loop:
            for key in [key for key, held in self._stagings.items() if held.loop.is_closed()]:
                del self._stagings[key]
            staging = self._stagings[id(loop)] = Staging(loop)
        return staging

    async def _flush(self) -> None:
        loop = id(asyncio.get_running_loop())
        if (staging := self._stagings.get(loop)) is not None:
            await staging.durable(self.tenant)
        pending = self._pendings.get(loop)
        if pending is not None:
            await pending.flush()

    async def _bring_home(self) -> None:
        bring = getattr(self.database, "bring_home", None)
        if bring is not None:
            await bring()

    def _bring_home_now(self) -> None:
        bring = getattr(self.database, "bring_home_now", None)
        if bring is not None:
            bring()

    async def _run(self, steps: Steps[_T]) -> _T:
        """Let the database answer each question of the steps, and give back what they come to."""
        database = self.database
        try:
            asked = next(steps)
            while True:
                try:
                    answer: list[Any]
                    if asked.together:
                        answer = await database.transaction(asked.statements)
                    else:
                        answer = await database.execute(*asked.statements[0])
                except StoreError as error:
                    asked = steps.throw(error)
                else:
                    asked = steps.send(answer)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    def _run_now(self, steps: Steps[_T]) -> _T:
        """`_run` for code that is not async."""
        try:
            asked = next(steps)
            while True:
                try:
                    answer = self._answer_now(asked)
                except StoreError as error:
                    asked = steps.throw(error)
                else:
                    asked = steps.send(answer)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    def _answer_now(self, asked: Ask) -> Any:
        if asked.together:
            return self.database.transaction_now(asked.statements)
        return self.database.execute_now(*asked.statements[0])


def _setup(dialect: Any) -> Steps[None]:
    yield from together(schema.tables(dialect))
    rows = yield Ask([(schema.SCHEMA, ())])
    if rows[0][0] > schema.VERSION:
        error = StoreError(
            f"the tables are of version {rows[0][0]}, and this knows {schema.VERSION}.", way_out="Update segue."
        )
        error.retryable = False
        raise error
