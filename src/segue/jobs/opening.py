"""Opening: a workspace in, its jobs out, connected to the queue that its settings name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from segue.base.principal import LOCAL
from segue.jobs.dbos_engine import DbosEngine
from segue.jobs.jobs import Jobs
from segue.jobs.port import Rights
from segue.jobs.store import JobStore
from segue.memory.database import open_database
from segue.memory.locks import FileLocks, Locks
from segue.router.secrets import is_reference, resolve
from segue.workspace.sections import JobsSection
from segue.workspace.settings import environment
from segue.workspace.workspace import Workspace

ENGINE_FILE = "queue.db"
STORE_FILE = "jobs.db"


@asynccontextmanager
async def open_jobs(
    ws: Workspace, *, rights: Rights | None = None, settings: JobsSection | None = None
) -> AsyncIterator[Jobs]:
    """The jobs of an open workspace.

    Args:
        ws: The workspace: its folder holds the queue, unless the settings name a database.
        rights: Looks up a user's current scopes; `None` is what `[jobs.owners]` says.
        settings: Instead of the workspace's.

    Raises:
        ConfigError: The URL is none, or what speaks to it is not installed.
        StoreError: The database cannot be reached.
    """
    section = settings or ws.settings.jobs
    url = _url(ws, section)
    async with AsyncExitStack() as stack:
        locks = await _locks(ws, url, stack)
        database = await stack.enter_async_context(open_database(url or ws.data_dir / STORE_FILE))
        store = JobStore(database)
        await store.open()
        engine = DbosEngine(
            url or f"sqlite:///{ws.data_dir / ENGINE_FILE}", locks=locks, poll_s=section.poll_s,
            tenant_slots=section.tenant_concurrency, max_deliveries=section.max_deliveries,
        )  # fmt: skip
        await stack.enter_async_context(engine)
        yield Jobs(ws, engine, store, settings=section, rights=rights or rights_of(section), locks=locks)


def rights_of(section: JobsSection) -> Rights:
    """Rights as the settings name them; the single user of this machine has all."""

    async def rights(tenant: str, user: str) -> Sequence[str] | None:
        if (tenant, user) == (LOCAL.tenant, LOCAL.user):
            return tuple(LOCAL.scopes)
        return section.owners.get(f"{tenant}/{user}")

    return rights


def _url(ws: Workspace, section: JobsSection) -> str:
    if is_reference(section.url):
        return resolve(section.url, environment(ws.folder), wanted_by="[jobs] url")
    return section.url or ws.database_url


async def _locks(ws: Workspace, url: str, stack: AsyncExitStack) -> Locks:
    """Locks that reach as far as the queue does."""
    if not url:
        return FileLocks(ws.data_dir / "locks")
    from segue.memory.postgres_locks import PostgresLocks

    return await stack.enter_async_context(PostgresLocks(url))
