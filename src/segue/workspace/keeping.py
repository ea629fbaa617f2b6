"""Where a workspace keeps what it keeps: settings in; its stores, saver and locks on threads out.

A file in the data folder serves one machine. A PostgreSQL database serves many, and then the locks are its too. The
effect ledger lies in the same database as the checkpoints.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator

from segue.base.errors import ConfigError
from segue.base.rows import Rows
from segue.memory.checkpoints import open_saver
from segue.memory.locks import FileLocks, Locks
from segue.router.secrets import is_reference, resolve
from segue.tracing import ArtefactStore, TraceStore
from segue.tracing.redaction import Redactor
from segue.workspace.records import RunRecords

FILE = "state.db"
_POSTGRES = ("postgresql://", "postgres://")


def _place(value: str) -> str:
    if not value or is_reference(value):
        return value
    scheme = value.partition("://")[0]
    if scheme not in ("sqlite", "postgresql", "postgres"):
        raise ValueError("checkpoints lie in sqlite:///PATH or postgresql://…, or where env:NAME or file:PATH says")
    if urlsplit(value).password:
        raise ValueError("a password must not stand in the settings itself; write env:NAME and put the URL there")
    return value


Place = Annotated[str, AfterValidator(_place)]


def _shared(value: str) -> str:
    if value and not is_reference(value) and not value.startswith(_POSTGRES):
        raise ValueError("the database for everything is postgresql://…, or where env:NAME or file:PATH says")
    return _place(value)


SharedPlace = Annotated[str, AfterValidator(_shared)]


def database_url(settings: Any, environ: Mapping[str, str]) -> str:
    """The database for everything; empty where the settings name none.

    Raises:
        ConfigError: A reference leads nowhere, or to something else than PostgreSQL.
    """
    url = _secret(settings.database_url, environ, "database_url") if settings.database_url else ""
    if url and not url.startswith(_POSTGRES):
        raise ConfigError("database_url: what it refers to is not postgresql://…")
    return url


@dataclass(frozen=True)
class Stores:
    """What a workspace keeps of its runs, beside their checkpoints."""

    traces: TraceStore
    artefacts: ArtefactStore
    records: RunRecords


async def open_stores(url: str, data_dir: Path, redact: Redactor, stack: AsyncExitStack) -> Stores:
    """The stores in the database, or in files of the data folder without one; open until the stack is closed.

    Spans have a connection of their own: a batch of them holds up nobody who asks for a run.

    Raises:
        ConfigError: What speaks to PostgreSQL is not installed.
        StoreError: A file or the database cannot be opened.
    """
    traces = await _rows(url, data_dir / "traces.db", stack)
    runs = await _rows(url, data_dir / "runs.db", stack)
    stores = await asyncio.to_thread(
        lambda: Stores(
            TraceStore(traces, redact=redact),
            ArtefactStore(runs if url else data_dir / "artefacts.db"),
            RunRecords(runs),
        )
    )
    for each in (stores.traces, stores.artefacts, stores.records):
        stack.callback(each.close)
    return stores


async def _rows(url: str, path: Path, stack: AsyncExitStack) -> Path | Rows:
    if not url:
        return path
    from segue.memory.postgres_database import PostgresDatabase

    rows = PostgresDatabase(url)
    await asyncio.to_thread(rows.start_now)
    stack.callback(rows.close_now)
    return rows


async def open_state(
    settings: Any,
    shared_url: str,
    folder: Path,
    data_dir: Path,
    environ: Mapping[str, str],
    stack: AsyncExitStack,
) -> tuple[Any, Locks]:
    """The saver and the locks that the settings ask for, open until the stack is closed.

    Where they name no place for checkpoints, these lie in the database for everything, if there is one.

    Raises:
        ConfigError: A secret is not there, or is no key; or what speaks to PostgreSQL is not installed.
        StoreError: The database cannot be opened.
    """
    place = _secret(settings.checkpoints, environ, "checkpoints") if settings.checkpoints else shared_url
    key = _secret(settings.encryption_key, environ, "encryption_key") if settings.encryption_key else None
    old_keys = [_secret(held, environ, "old_encryption_keys") for held in settings.old_encryption_keys]
    shared = place.startswith(_POSTGRES)
    where: str | Path = place if shared else _file(place, folder, data_dir)
    try:
        opening = open_saver(where, types=settings.checkpoint_types, key=key, old_keys=old_keys)
    except ConfigError as error:
        raise ConfigError(f"checkpoints cannot be kept: {error.message}", way_out=error.way_out) from None
    saver = await stack.enter_async_context(opening)
    if isinstance(where, Path):
        return saver, FileLocks(where.parent / "locks")
    from segue.memory.postgres_locks import PostgresLocks

    return saver, await stack.enter_async_context(PostgresLocks(where))


def _file(place: str, folder: Path, data_dir: Path) -> Path:
    """The file of `sqlite:///PATH`, a relative one within the workspace's folder; the usual one where none is named."""
    if not place:
        return data_dir / FILE
    scheme, _, rest = place.partition(":///")
    if scheme != "sqlite" or not rest:
        raise ConfigError("checkpoints: it names no file; write sqlite:///relative.db or sqlite:////absolute.db")
    return folder / rest


def _secret(value: str, environ: Mapping[str, str], wanted_by: str) -> str:
    return resolve(value, environ, wanted_by=wanted_by) if is_reference(value) else value
