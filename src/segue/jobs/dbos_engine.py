"""The engine on DBOS: segments in its tables, on SQLite or PostgreSQL; how they are worked off is in `dbos_worker`.

A segment is one workflow of DBOS, its id preceded by its tenant. DBOS's status and the outcome that it keeps are the
state of the segment: there is no second column for it. DBOS is loaded when the engine starts.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote

from segue.base.errors import StoreError
from segue.base.stores import use_wal
from segue.jobs.port import JobState, Segment, SegmentStatus, Work, Working
from segue.memory.locks import Locks

if TYPE_CHECKING:
    from dbos import DBOSClient
    from dbos import WorkflowStatus as Row

WORKFLOW = "segue_segment"
QUEUE = "segue_segments"
APPLICATION = "segue"
PROTOCOL = "segue-jobs-1"
"""DBOS's application version: constant, so that a deploy neither orphans nor holds back what is queued."""
_POOL = 3
_FASTEST_S = 0.01
"""What the queue's row says of polling, and of slots 0: each worker puts its own in, and DBOS would come down from a
larger number only slowly."""
_IN_DBOS: dict[JobState, tuple[str, ...]] = {
    "delayed": ("DELAYED",),
    "queued": ("ENQUEUED",),
    "running": ("PENDING",),
    "cancelled": ("CANCELLED",),
    "dead": ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"),
}
_ENDED_IN_DBOS = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_BATCH = 200
_OURS = ("Exception encountered in asynchronous workflow", "Asyncio task cancelled")
_T = TypeVar("_T")


class DbosEngine:
    """Segments in DBOS. `async with` connects.

    Args:
        url: `sqlite:///PATH` or `postgresql://…`.
        locks: Where workers hold what tells that they live; must reach as far as the database does.
        poll_s: How often a worker looks for work.
        tenant_slots: Segments of one tenant at a time, over all workers; 0 for no limit.
        max_deliveries: How many workers may die over a segment.
    """

    def __init__(
        self, url: str, *, locks: Locks, poll_s: float = 0.2, tenant_slots: int = 0, max_deliveries: int = 20
    ) -> None:
        self.url = url
        self.locks = locks
        self.poll_s = poll_s
        self.tenant_slots = tenant_slots
        self.max_deliveries = max_deliveries
        self._client: DBOSClient | None = None

    async def __aenter__(self) -> Self:
        """Load DBOS, bring its tables up to date and connect.

        Raises:
            StoreError: The database cannot be reached.
        """
        await self._ask(self._connect)
        return self

    async def __aexit__(self, *error: object) -> None:
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.destroy)

    async def put(self, segment: Segment, *, delay_s: float = 0.0) -> bool:
        """See `Engine.put`."""
        return await self._ask(partial(self._put, segment, delay_s))

    async def cancel(self, tenant: str, ids: Sequence[str]) -> None:
        """See `Engine.cancel`."""
        if ids:
            named = [place(tenant, each) for each in ids]
            await self._ask(lambda: self.client.cancel_workflows(named))

    async def of_run(self, tenant: str, run_id: str) -> list[SegmentStatus]:
        """See `Engine.of_run`."""
        rows = await self._rows(workflow_id_prefix=place(tenant, run_id))
        found = [each for each in map(status_of, rows) if each.segment.run_id == run_id]
        return sorted(found, key=lambda each: (each.segment.number, each.queued_at), reverse=True)

    async def newest(
        self, tenant: str | None, *, states: Sequence[JobState] = (), limit: int = 50
    ) -> list[SegmentStatus]:
        """See `Engine.newest`."""
        wanted = sorted({status for state in states for status in _IN_DBOS.get(state, ("SUCCESS",))})
        batch = limit if set(states) <= _IN_DBOS.keys() else max(limit, _BATCH)
        found: list[SegmentStatus] = []
        offset = 0
        while len(found) < limit:
            rows = await self._rows(user=tenant, status=wanted or None, sort_desc=True, limit=batch, offset=offset)
            found += [each for each in map(status_of, rows) if not states or each.state in states]
            offset += len(rows)
            if len(rows) < batch:
                break
        return found[:limit]

    async def forget(self, before: float) -> int:
        """See `Engine.forget`."""
        from datetime import UTC, datetime

        until = datetime.fromtimestamp(before, UTC).isoformat()
        rows = await self._rows(status=list(_ENDED_IN_DBOS), completed_before=until, limit=1000)
        ids = [place(each.segment.tenant, each.segment.id) for each in map(status_of, rows) if await self._over(each)]
        if ids:
            await self._ask(lambda: self.client.delete_workflows(ids))
        return len(ids)

    async def _over(self, status: SegmentStatus) -> bool:
        """Whether nobody needs a segment any more: what waits for a person has to be found when they answer."""
        if status.state not in ("waiting", "held"):
            return True
        newest = await self.of_run(status.segment.tenant, status.segment.run_id)
        return newest[0].segment.id != status.segment.id

    async def pending(self) -> list[tuple[str, str]]:
        """What is being worked off: workflow id and worker, also of workers that are dead."""
        rows = await self._rows(status="PENDING", load_input=False, load_output=False)
        return [(row.workflow_id, row.executor_id or "") for row in rows]

    def work(self, work: Work, *, slots: int) -> AbstractAsyncContextManager[Working]:
        """See `Engine.work`. One worker a process: DBOS is one."""
        from segue.jobs.dbos_worker import working

        return working(self, work, slots=slots)

    @property
    def client(self) -> DBOSClient:
        """DBOS's client.

        Raises:
            StoreError: The engine is not open.
        """
        if self._client is None:
            raise StoreError("the job queue is not open.", way_out="Use it inside its `async with`.")
        return self._client

    async def _rows(self, **filters: Any) -> list[Row]:
        return await self._ask(lambda: self.client.list_workflows(name=WORKFLOW, **filters))

    def _connect(self) -> None:
        from dbos import DBOS, DBOSClient

        from segue.jobs.dbos_json import JsonSerializer

        quiet()
        if self.url.startswith("sqlite"):
            _in_wal(Path(self.url.partition(":///")[2]))
        DBOS.migrate(self.url)
        self._client = DBOSClient(
            system_database_url=self.url, serializer=JsonSerializer(), system_database_pool_size=_POOL,
            application_name=APPLICATION, retry_connection_errors=False,
        )  # fmt: skip
        self._client.register_queue(
            QUEUE, worker_concurrency=0, polling_interval_sec=_FASTEST_S, on_conflict="never_update"
        )

    def _put(self, segment: Segment, delay_s: float) -> bool:
        from dbos import EnqueueOptions
        from dbos._error import DBOSWorkflowIDInUseError

        options = EnqueueOptions(
            workflow_name=WORKFLOW, queue_name=QUEUE, workflow_id=place(segment.tenant, segment.id),
            workflow_id_reuse_policy="reject", app_version=PROTOCOL, priority=segment.priority,
            queue_partition_key=segment.tenant, authenticated_user=segment.tenant,
        )  # fmt: skip
        if delay_s > 0:
            options["delay_seconds"] = delay_s
        try:
            self.client.enqueue(options, segment.to_dict())
        except DBOSWorkflowIDInUseError:
            return False
        return True

    async def _ask(self, question: Callable[[], _T]) -> _T:
        with engine_errors(self.url):
            return await asyncio.to_thread(question)


def place(tenant: str, segment_id: str) -> str:
    """The workflow's id in DBOS: no tenant can name another one's."""
    return f"{quote(tenant, safe='')}/{segment_id}"


def status_of(row: Row) -> SegmentStatus:
    """A segment as a row of DBOS says it stands."""
    args = list(row.input["args"]) if row.input else [{}]
    output = row.output if isinstance(row.output, dict) else {}
    state, reason = _state(row, output)
    segment_id = row.workflow_id.partition("/")[2]
    segment = {"id": segment_id, "tenant": row.authenticated_user or "", "run_id": segment_id, **args[0]}
    return SegmentStatus(
        segment=Segment.from_dict(segment), state=state, reason=reason, error_id=_error_id(row, output),
        worker=row.executor_id or "", deliveries=row.recovery_attempts or 0, queued_at=(row.created_at or 0) / 1000,
        begun_at=row.dequeued_at / 1000 if row.dequeued_at else None,
        ended_at=row.completed_at / 1000 if row.completed_at else None,
    )  # fmt: skip


def _error_id(row: Row, output: dict[str, Any]) -> str:
    return str(output.get("error_id") or getattr(row.error, "error_id", ""))


def _state(row: Row, output: dict[str, Any]) -> tuple[JobState, str]:
    match row.status:
        case "DELAYED":
            return "delayed", ""
        case "ENQUEUED":
            return "queued", ""
        case "PENDING":
            return "running", ""
        case "CANCELLED":
            return "cancelled", ""
        case "SUCCESS":
            return output.get("state", "completed"), output.get("reason", "")
        case "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
            return "dead", f"{row.recovery_attempts} workers died over it"
        case _:
            return "dead", str(row.error.args[-1]) if row.error and row.error.args else ""


def quiet() -> None:
    """DBOS's warnings go where the program's do; that a segment went to the dead-letter list is told by us."""
    import logging

    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    if not any(each is _told_by_us for each in logger.filters):
        logger.addFilter(_told_by_us)
    logger.setLevel(logging.WARNING)


def _told_by_us(record: Any) -> bool:
    message = record.getMessage()
    return not (message.startswith(_OURS) or "was cancelled during execution" in message)


def _in_wal(path: Path) -> None:
    """DBOS leaves SQLite in rollback journals, which makes each enqueue three times as slow."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=10)
    try:
        use_wal(db)
    finally:
        db.close()


@contextmanager
def engine_errors(url: str) -> Iterator[None]:
    """Turn what DBOS raises over its database into a `StoreError`; anything else passes."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise _told(url, error) from error
    except Exception as error:
        with suppress(ImportError):
            from sqlalchemy.exc import SQLAlchemyError

            if isinstance(error, SQLAlchemyError):
                raise _told(url, error) from error
        raise


def _told(url: str, error: Exception) -> StoreError:
    said = str(getattr(error, "orig", None) or error).strip().splitlines()
    return StoreError(
        f"the job queue in {without_password(url)} cannot be read or written: {said[0] if said else error!r}.",
        way_out="See that the database runs and may be written, and try again.",
    )


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    scheme, _, rest = url.partition("://")
    credentials, at, host = rest.rpartition("@")
    return f"{scheme}://{credentials.partition(':')[0]}{at}{host}" if at else url
