"""Upkeep: taking checkpoints out of threads, copying threads, and what then has to follow, as steps over a database.

What is taken out is really gone: rows are deleted with everything that only they referred to. A thread that loses rows
gets a new number in the same transaction, so that a process which still knows the old state is refused and reads anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from segue.base.errors import BadInput, StoreError
from segue.memory.database import Clash, Row, Statement
from segue.memory.savers import schema
from segue.memory.savers.core import Core
from segue.memory.savers.live import Place
from segue.memory.savers.reading import Body, Reader, Steps, ask, together
from segue.memory.savers.spans import triples

_TRIES = 6


@dataclass(frozen=True, slots=True)
class _Kept:
    """A checkpoint of a thread, opened."""

    number: int
    place: Place
    id: str
    parent: str | None
    runs: tuple[str | None, str | None]
    body: Body


@dataclass(slots=True)
class _Used:
    """Which elements of which lineages are referred to."""

    ranges: dict[int, tuple[int, int]] = field(default_factory=dict)

    def add(self, lineage: int, start: int, stop: int) -> None:
        first, last = self.ranges.get(lineage, (start, stop))
        self.ranges[lineage] = (min(first, start), max(last, stop))

    def entry(self, entry: Any) -> None:
        """An entry of a checkpoint, or a value of a task's writes."""
        if isinstance(entry, int):
            self.add(entry, 0, 1)
        elif isinstance(entry, list) and entry:
            if entry[0] == "text":
                self.add(entry[1], entry[2], entry[2] + 1)
            elif isinstance(entry[0], int) and len(entry) == 2:
                self.add(entry[0], entry[1], entry[1] + 1)
            elif isinstance(entry[0], int):
                for span in triples(entry):
                    self.add(*span)
            else:
                for element in entry:
                    self.entry(element)


def drop_thread(core: Core, thread: str) -> Steps[None]:
    """Take a thread out, with everything that hangs on it."""
    yield from together([(schema.DROP_THREAD, (core.tenant, thread))])
    core.shared.forget(core.tenant, thread)


def drop_runs(core: Core, runs: Sequence[str]) -> Steps[None]:
    """Take out every checkpoint of some runs, by our run id or LangGraph's."""
    if not runs:
        return
    sql = schema.WITH_RUNS.format(marks=schema.marks(len(runs)))
    rows = yield from ask(sql, core.tenant, *runs, *runs)
    by_thread: dict[str, set[int]] = {}
    for thread, number in rows:
        by_thread.setdefault(thread, set()).add(number)
    for thread, numbers in by_thread.items():
        yield from _take_out(core, thread, lambda _, those=numbers: those)


def prune(
    core: Core, thread: str, *, strategy: str = "keep_latest", keep: int = 1, before: datetime | None = None
) -> Steps[None]:
    """Keep the newest checkpoints of each namespace, and what they need; `delete` takes out all.

    With `before`, only what is older than that is taken out.

    Raises:
        BadInput: The strategy is not known, or nothing would be kept.
    """
    if strategy == "delete":
        yield from drop_thread(core, thread)
        return
    if strategy != "keep_latest":
        raise BadInput(f"a thread is pruned by 'keep_latest' or 'delete', not by {strategy!r}")
    if keep < 1:
        raise BadInput(f"keep={keep} would keep nothing; to take out all, prune with strategy='delete'")
    yield from _take_out(core, thread, lambda held: _surplus(held, keep, before))


def _surplus(held: Sequence[_Kept], keep: int, before: datetime | None) -> set[int]:
    """The numbers of those that nobody needs: neither new enough, nor an ancestor that a kept one is rebuilt from."""
    newest: dict[str, list[_Kept]] = {}
    for one in sorted(held, key=lambda one: one.id, reverse=True):
        newest.setdefault(one.place[2], []).append(one)
    stays: set[int] = set()
    by_id = {(one.place[2], one.id): one for one in held}
    for ns, ones in newest.items():
        for at, one in enumerate(ones):
            if at < keep or (before is not None and _time(one.body.ts) >= before):
                stays.add(one.number)
                stays |= _ancestors(one, {key[1]: other for key, other in by_id.items() if key[0] == ns})
    return {one.number for one in held} - stays


def _ancestors(one: _Kept, known: dict[str, _Kept]) -> set[int]:
    """Those whose writes a `DeltaChannel` of this checkpoint is rebuilt from: up to its last snapshot."""
    counters = one.body.metadata.get("counters_since_delta_snapshot") or {}
    wanted = {channel for channel in counters if channel in one.body.versions and channel not in one.body.entries}
    found: set[int] = set()
    at = one
    while wanted and at.parent is not None and at.parent in known:
        at = known[at.parent]
        found.add(at.number)
        wanted -= set(at.body.entries)
    return found


def _time(ts: Any) -> datetime:
    return datetime.fromisoformat(ts)


def _take_out(core: Core, thread: str, choose: Any) -> Steps[None]:
    """Take out the checkpoints that `choose` names, their writes, and the elements that only they referred to."""
    for _ in range(_TRIES):
        number = yield from _number(core, thread)
        if number is None:
            return
        held, reader = yield from _all_of(core, thread, number)
        gone: Collection[int] = choose(held)
        writes = yield from ask(schema.ALL_WRITES_OF, number)
        if not gone:
            return
        left = [one for one in held if one.number not in gone]
        lost = {(one.place[2], one.id) for one in held if one.number in gone}
        statements: list[Statement] = [(schema.DROP_CHECKPOINT, (at,)) for at in sorted(gone)]
        statements += [(schema.DROP_WRITES, (row[0],)) for row in writes if (row[1], row[2]) in lost]
        used = _used(core, thread, reader, left, [row for row in writes if (row[1], row[2]) not in lost])
        statements += yield from _unused(core.shared.segments, number, used)
        yield from core.shared.reserve("thread", 1)
        new = core.shared.number("thread")
        highest = max((one.number for one in held), default=0)
        guard = [(schema.RENUMBER, (new, number)), (schema.UNCHANGED, (new, new, highest, new, len(held)))]
        core.shared.forget(core.tenant, thread)
        try:
            yield from together([*guard, *statements])
        except Clash:
            continue
        return
    raise StoreError(
        f"thread {thread!r} is written to by others without pause.", way_out="Prune it when no run is under way."
    )


def _number(core: Core, thread: str) -> Steps[int | None]:
    rows = yield from ask(schema.THREAD, core.tenant, thread)
    return int(rows[0][0]) if rows else None


def _all_of(core: Core, thread: str, number: int) -> Steps[tuple[list[_Kept], Reader]]:
    rows = yield from ask(schema.ALL_OF, number)
    reader = core.reader()
    out = []
    for at, ns, checkpoint_id, parent, run, other, row in rows:
        place = (core.tenant, thread, ns)
        body = reader.body(place, checkpoint_id, parent, row)
        out.append(_Kept(at, place, checkpoint_id, parent, (run, other), body))
    return out, reader


def _used(core: Core, thread: str, reader: Reader, left: Iterable[_Kept], writes: Iterable[Row]) -> _Used:
    used = _Used()
    for one in left:
        for entry in one.body.entries.values():
            used.entry(entry)
    for _, ns, checkpoint_id, task, path, row in writes:
        place = (core.tenant, thread, ns, checkpoint_id, task, path)
        for _, held in reader.codec.unpack(reader.seal.open(row, "writes", *place)):
            used.entry(held)
    return used


def _unused(segments: schema.Segments, number: int, used: _Used) -> Steps[list[Statement]]:
    """What drops the lineages and the parts of them that nobody refers to."""
    out: list[Statement] = []
    starts: dict[int, list[int]] = {}
    for lineage, pos in (yield from ask(segments.positions, number)):
        starts.setdefault(lineage, []).append(pos)
    for (lineage,) in (yield from ask(schema.LINEAGES, number)):
        if lineage not in used.ranges:
            out.append((schema.DROP_LINEAGE, (lineage,)))
            continue
        first, last = used.ranges[lineage]
        held = starts.get(lineage, [])
        begins = max((pos for pos in held if pos <= first), default=0)
        if held and held[0] < begins:
            out.append((segments.drop, (lineage, 0, begins)))
        if held and held[-1] >= last:
            out.append((segments.drop, (lineage, last, held[-1] + 1)))
    return out


def copy_thread(core: Core, source: str, target: str) -> Steps[None]:
    """Copy every checkpoint of a thread to another one of the tenant's, which has none yet.

    Raises:
        BadInput: The target has checkpoints.
    """
    number = yield from _number(core, source)
    if number is None:
        return
    there = yield from _number(core, target)
    if there is not None and (yield from ask(schema.ALL_OF, there)):
        raise BadInput(f"thread {target!r} has checkpoints; copy to a thread that has none, or delete it first")
    held, reader = yield from _all_of(core, source, number)
    writes = yield from ask(schema.ALL_WRITES_OF, number)
    segments = yield from ask(core.shared.segments.whole, number)
    lineages = sorted({row[0] for row in segments})
    yield from core.shared.reserve("lineage", len(lineages))
    moved = {old: core.shared.number("lineage") for old in lineages}
    new = yield from core.thread((core.tenant, target, ""))
    seal, place = core.shared.seal, (core.tenant, target)
    out: list[Statement] = [(schema.NEW_LINEAGE, (moved[old], new)) for old in lineages]
    for old, pos, row in segments:
        data = seal.open(row, "segment", core.tenant, source, str(old), str(pos))
        sealed = seal.seal(data, "segment", *place, str(moved[old]), str(pos))
        out.append((core.shared.segments.put, (moved[old], pos, sealed)))
    out += [_checkpoint_row(core, one, (*place, one.place[2]), new, moved) for one in held]
    for _, ns, checkpoint_id, task, path, row in writes:
        data = seal.open(row, "writes", core.tenant, source, ns, checkpoint_id, task, path)
        held_writes = [[channel, _moved(value, moved)] for channel, value in reader.codec.unpack(data)]
        sealed = seal.seal(reader.codec.pack(held_writes), "writes", *place, ns, checkpoint_id, task, path)
        out.append((schema.PUT_WRITES, (new, ns, checkpoint_id, task, path, sealed)))
    yield from together(out)


def _checkpoint_row(core: Core, one: _Kept, place: Place, thread: int, moved: dict[int, int]) -> Statement:
    entries = {channel: _moved(entry, moved) for channel, entry in one.body.entries.items()}
    body = replace(one.body, entries=entries)
    row = [body.v, body.ts, body.versions, body.seen, body.updated, body.entries, body.rest, body.metadata]
    sealed = core.shared.seal.seal(core.codec.pack(row), "checkpoint", *place, one.id, one.parent or "")
    return (schema.PUT, (thread, place[2], one.id, one.parent, *one.runs, sealed))


def _moved(entry: Any, to: dict[int, int]) -> Any:
    """An entry, or a written value, with its lineages' new numbers."""
    try:
        if isinstance(entry, int):
            return to[entry]
        if not isinstance(entry, list) or not entry:
            return entry
        if entry[0] == "text":
            return ["text", to[entry[1]], *entry[2:]]
        if isinstance(entry[0], int):
            step = 2 if len(entry) == 2 else 3
            return [to[item] if at % step == 0 else item for at, item in enumerate(entry)]
        return [_moved(element, to) for element in entry]
    except KeyError:
        raise StoreError("the thread was pruned while it was copied.", way_out="Try again.") from None
