"""Where a workspace keeps its state: settings in; the saver of its checkpoints and the locks on its threads out.

A file in the data folder serves one machine. A PostgreSQL database serves many, and then the locks are its too. The
effect ledger lies in the same database as the checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator

from segue.base.errors import ConfigError
from segue.memory.checkpoints import open_saver
from segue.memory.locks import FileLocks, Locks
from segue.router.secrets import is_reference, resolve

FILE = "state.db"


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


async def open_state(
    settings: Any, folder: Path, data_dir: Path, environ: Mapping[str, str], stack: AsyncExitStack
) -> tuple[Any, Locks]:
    """The saver and the locks that the settings ask for, open until the stack is closed.

    Raises:
        ConfigError: A secret is not there, or is no key; or what speaks to PostgreSQL is not installed.
        StoreError: The database cannot be opened.
    """
    place = _secret(settings.checkpoints, environ, "checkpoints") if settings.checkpoints else ""
    key = _secret(settings.encryption_key, environ, "encryption_key") if settings.encryption_key else None
    old_keys = [_secret(held, environ, "old_encryption_keys") for held in settings.old_encryption_keys]
    shared = place.startswith(("postgresql://", "postgres://"))
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
