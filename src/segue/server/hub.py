"""The hub: what runs tell in; to each reader every durable event once and in order, and text as it comes, out.

An event is durable before anybody reads it, written together with whatever else is ready, and numbered within its run;
a reader that comes back names the last number it had. Text is not durable: who comes late, comes back or is slow gets
a `text_reset` and what there is of it. A slow reader never holds up a run: beyond a bound it reads on from the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import orjson

from segue.agents.run import RunRecord
from segue.base.errors import SegueError, StoreError
from segue.context.events import Event, GenerationFinished, RunFinished, TextAdded, TextReset
from segue.memory.database import Clash
from segue.server.store import Entry, Logged, ServerStore
from segue.workspace.run import RunHandle

_log = logging.getLogger("segue.server")
KEEP_ALIVE = b": still here\n\n"
FINISHED = RunFinished.type
_UNDER_WAY = ("queued", "running")
_TRIES = 5
_PAUSE_S = 0.2
_GATHER_S = 0.004
"""After something was sent, what comes next is gathered for so long: a fast model's tokens go out together."""
_LOOK_S = 0.5
"""How often the log is read of a run that goes on in another process."""
_Speaker = tuple[str, str]
"""An agent, and the task that it is at."""


class _Item(NamedTuple):
    seq: int
    """0 for what is not durable."""
    frame: bytes
    speaker: _Speaker | None = None
    text: str | None = None
    """Added to what the speaker is saying; `None` ends it."""


class Reader:
    """One who reads a stream. It takes everything that is ready at once."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._frames: list[bytes] = []
        self._size = self._last = 0
        self.seen = 0
        """The last durable event that was taken."""
        self.behind = False
        """Whether it was too slow, and has to read the log."""
        self.ended = False
        self.more = asyncio.Event()

    def put(self, seq: int, frame: bytes) -> None:
        """One more frame; nothing, once it is behind."""
        if self.behind:
            return
        self._size += len(frame)
        self.behind = self._size > self._most
        if self.behind:
            self._frames.clear()
            self._last = self.seen
        else:
            self._frames.append(frame)
            self._last = seq or self._last
        self.more.set()

    def take(self) -> bytes:
        """What is ready; empty where nothing is."""
        self.more.clear()
        taken = b"".join(self._frames)
        self._frames.clear()
        self._size, self.seen = 0, max(self.seen, self._last)
        return taken

    def idle(self) -> bool:
        """Whether nothing is ready."""
        return not self._frames and not self.behind

    def begin(self, seen: int) -> None:
        """From here on it hears what comes; it has read the log up to a number."""
        self._frames.clear()
        self._size, self._last, self.behind = 0, seen, False


class Live:
    """A stretch of a run that goes on here."""

    def __init__(self, tenant: str, run_id: str) -> None:
        self.tenant, self.run_id = tenant, run_id
        self.seq = 0
        """The last number that was given out."""
        self.written = 0
        self.published = 0
        self.waiting: list[_Item] = []
        """What waits for an event before it to be written."""
        self.texts: dict[_Speaker, list[str]] = {}
        self.readers: set[Reader] = set()
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()
        self.clear = asyncio.Event()
        """Set while nothing waits."""
        self.clear.set()

    def put(self, item: _Item) -> None:
        """In order: at once, or behind what is not durable yet."""
        if item.seq or self.waiting:
            self.waiting.append(item)
            self.clear.clear()
        else:
            self._publish(item)

    def publish(self) -> None:
        """Let out what is durable by now, and the text behind it."""
        count = 0
        for item in self.waiting:
            if item.seq > self.written:
                break
            self._publish(item)
            count += 1
        del self.waiting[:count]
        if not self.waiting:
            self.clear.set()

    def _publish(self, item: _Item) -> None:
        self.published = item.seq or self.published
        if item.speaker is not None:
            if item.text is None:
                self.texts.pop(item.speaker, None)
            else:
                self.texts.setdefault(item.speaker, []).append(item.text)
        for reader in self.readers:
            reader.put(item.seq, item.frame)

    def end(self) -> None:
        """Nothing more comes."""
        self.ended.set()
        self.ready.set()
        for reader in self.readers:
            reader.ended = True
            reader.more.set()


class Hub:
    """Events of all runs of a workspace."""

    def __init__(
        self,
        store: ServerStore,
        *,
        record: Callable[[str, str], RunRecord | None],
        now: Callable[[], float],
        buffer_bytes: int,
        keep_alive_s: float,
        grace_s: float = 0.0,
    ) -> None:
        """`record` looks up what a run has come to, by its tenant and id.

        `grace_s`: how long another server may take to write the last events of a run that has ended there.
        """
        self._store, self._record, self._now = store, record, now
        self._buffer_bytes, self._keep_alive_s, self._grace_s = buffer_bytes, keep_alive_s, grace_s
        self._live: dict[tuple[str, str], Live] = {}
        self._entries: list[tuple[Live, Entry]] = []
        self._more = asyncio.Event()
        self._pumps: set[asyncio.Task[None]] = set()

    def follow(self, tenant: str, handle: RunHandle) -> None:
        """Write down and pass on what a run tells from now on."""
        key = (tenant, handle.id)
        before, live = self._live.get(key), Live(tenant, handle.id)
        self._live[key] = live
        task = asyncio.get_running_loop().create_task(self._pump(live, handle, before))
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)

    async def run(self) -> None:
        """Write what comes, and keep idle streams open, until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write_all())
            tasks.create_task(self._tick())

    async def settle(self, timeout_s: float = 5.0) -> None:
        """Wait until what ended is written; streams end then."""
        if self._pumps:
            await asyncio.wait(self._pumps, timeout=timeout_s)

    async def stream(self, tenant: str, run_id: str, *, after: int = 0) -> AsyncIterator[bytes]:
        """The events of a run behind a number as server-sent events: what was, then what comes, to the end of it.

        It ends with the run, or where the run waits for a person or was stopped. The run is there.
        """
        reader = Reader(self._buffer_bytes)
        reader.seen = after
        if after:
            yield _reset(run_id, self._now(), "reconnected")
        while (live := self._live.get((tenant, run_id))) is not None:
            async for chunk in self._listen(live, reader):
                yield chunk
            if self._live.get((tenant, run_id)) in (live, None):
                break
        async for chunk in self._read_on(tenant, run_id, reader):
            yield chunk

    async def _listen(self, live: Live, reader: Reader) -> AsyncIterator[bytes]:
        """Of a stretch that goes on here, to its end."""
        await live.ready.wait()
        reader.ended = live.ended.is_set()
        try:
            while True:
                upto, texts = live.published, {key: "".join(held) for key, held in live.texts.items()}
                live.readers.add(reader)
                slow, seen = reader.behind, reader.seen
                reader.begin(upto)
                if slow:
                    yield _reset(live.run_id, self._now(), "too slow")
                async for logged in self._logged(live.tenant, live.run_id, seen, upto):
                    reader.seen = logged.seq
                    yield _frame(logged.seq, logged.type, logged.body.encode())
                for (agent, task_id), text in texts.items():
                    added = TextAdded(run_id=live.run_id, at=self._now(), agent=agent, text=text, task_id=task_id)
                    yield _frame(0, added.type, _body(added))
                while not reader.behind:
                    if taken := reader.take():
                        yield taken
                        await asyncio.sleep(_GATHER_S)
                    elif reader.ended:
                        return
                    else:
                        await reader.more.wait()
        finally:
            live.readers.discard(reader)

    async def _read_on(self, tenant: str, run_id: str, reader: Reader) -> AsyncIterator[bytes]:
        """From the log alone, until nothing more will come of this stretch."""
        silent_s, last = 0.0, ""
        while True:
            record = self._record(tenant, run_id)
            over = record is None or record.status not in _UNDER_WAY
            async for logged in self._logged(tenant, run_id, reader.seen):
                reader.seen, last, silent_s = logged.seq, logged.type, 0.0
                yield _frame(logged.seq, logged.type, logged.body.encode())
            if over and (record is None or last == FINISHED or self._now() - record.updated_at >= self._grace_s):
                end = await self.finish(record) if record is not None and last != FINISHED else None
                if end is not None and end.seq > reader.seen:
                    yield _frame(end.seq, end.type, end.body.encode())
                return
            if (tenant, run_id) in self._live:
                async for chunk in self._listen(self._live[tenant, run_id], reader):
                    yield chunk
                continue
            await asyncio.sleep(_LOOK_S)
            silent_s += _LOOK_S
            if silent_s >= self._keep_alive_s:
                silent_s = 0.0
                yield KEEP_ALIVE

    async def finish(self, record: RunRecord) -> Logged | None:
        """Have the log of a run that does not go on end by saying so, as a process that died could not."""
        last = await self._store.last(record.tenant, record.run_id)
        if (last is not None and last.type == FINISHED) or (record.tenant, record.run_id) in self._live:
            return last
        event = RunFinished(
            run_id=record.run_id, at=self._now(), status=record.status, stop_reason=record.stop_reason,
            error=record.error,
        )  # fmt: skip
        seq = last.seq + 1 if last else 1
        entry = Entry(record.tenant, record.run_id, Logged(seq, event.type, _body(event).decode()), event.at)
        with suppress(Clash):
            await self._store.append([entry])
        return await self._store.last(record.tenant, record.run_id)

    async def _logged(self, tenant: str, run_id: str, after: int, upto: int | None = None) -> AsyncIterator[Logged]:
        while upto is None or after < upto:
            page = await self._store.events(tenant, run_id, after=after)
            for logged in page:
                if upto is not None and logged.seq > upto:
                    return
                after = logged.seq
                yield logged
            if not page:
                return

    async def _pump(self, live: Live, handle: RunHandle, before: Live | None) -> None:
        try:
            live.seq = await self._base(live, before)
            live.written = live.published = live.seq
            live.ready.set()
            handle.listen(partial(self._take, live))
            await ended(handle)
            await live.clear.wait()
        except StoreError as error:
            _log.error("the events of run %s cannot be written: %s", live.run_id, error)
        finally:
            if self._live.get((live.tenant, live.run_id)) is live:
                del self._live[live.tenant, live.run_id]
            live.end()

    async def _base(self, live: Live, before: Live | None) -> int:
        if before is not None:
            await before.ended.wait()
            return before.seq
        last = await self._store.last(live.tenant, live.run_id)
        return last.seq if last else 0

    def _take(self, live: Live, event: Event) -> None:
        body = _body(event)
        if isinstance(event, TextAdded | TextReset):
            speaker = (event.agent, event.task_id)
            text = event.text if isinstance(event, TextAdded) else None
            live.put(_Item(0, _frame(0, event.type, body), speaker, text))
            return
        live.seq += 1
        done = (event.agent, event.task_id) if isinstance(event, GenerationFinished) else None
        logged = Logged(live.seq, event.type, body.decode())
        self._entries.append((live, Entry(live.tenant, live.run_id, logged, event.at)))
        live.put(_Item(live.seq, _frame(live.seq, event.type, body), done))
        self._more.set()

    async def _write_all(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            entries, self._entries = self._entries, []
            await self._write([entry for _, entry in entries])
            for live, entry in entries:
                live.written = entry.logged.seq
            for live in dict.fromkeys(live for live, _ in entries):
                live.publish()

    async def _write(self, entries: list[Entry]) -> None:
        for tried in range(_TRIES):
            try:
                return await self._store.append(entries)
            except Clash:
                return await self._write_apart(entries)
            except StoreError as error:
                _log.error("events cannot be written, try %d of %d: %s", tried + 1, _TRIES, error)
                await asyncio.sleep(_PAUSE_S * 2**tried)
        return None

    async def _write_apart(self, entries: list[Entry]) -> None:
        """One of them is there already: each by itself, so that the others are not lost with it."""
        for each in entries:
            try:
                await self._store.append([each])
            except Clash:
                _log.error("event %d of run %s is in the log already", each.logged.seq, each.run_id)
            except StoreError as error:
                _log.error("event %d of run %s cannot be written: %s", each.logged.seq, each.run_id, error)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._keep_alive_s)
            for live in list(self._live.values()):
                for reader in live.readers:
                    if reader.idle():
                        reader.put(0, KEEP_ALIVE)


async def ended(handle: RunHandle) -> None:
    """Wait until a stretch of a run is over, however it ended."""
    try:
        await handle
    except (SegueError, asyncio.CancelledError):
        if not handle.done:
            raise


def _body(event: Event) -> bytes:
    return b'{"type":"' + event.type.encode() + b'",' + orjson.dumps(event, default=str)[1:]


def _frame(seq: int, type_: str, body: bytes) -> bytes:
    return b"%sevent: %s\ndata: %s\n\n" % (b"id: %d\n" % seq if seq else b"", type_.encode(), body)


def _reset(run_id: str, at: float, reason: str) -> bytes:
    """What the client shows of unfinished text, of every agent, is void."""
    event = TextReset(run_id=run_id, at=at, agent="", reason=reason)
    return _frame(0, event.type, _body(event))
