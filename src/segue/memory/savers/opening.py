"""SqliteSaver and PostgresSaver: a place in, a saver that owns its database out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

from segue.base.errors import ConfigError
from segue.memory.database import OwnedDatabase, open_database
from segue.memory.savers.saver import LIVE_BYTES, FlatSaver
from segue.memory.sealing import sealer

_S = TypeVar("_S", bound=FlatSaver)


class Opening(Generic[_S]):
    """A saver that is open inside `async with`, or inside `with`."""

    def __init__(self, saver: _S, database: OwnedDatabase) -> None:
        self._saver = saver
        self._database = database

    async def __aenter__(self) -> _S:
        await self._database.start()
        try:
            await self._saver.setup()
        except BaseException:
            await self._database.close()
            raise
        return self._saver

    async def __aexit__(self, kind: type[BaseException] | None, error: object, where: TracebackType | None) -> None:
        try:
            await self._saver.settled()
        finally:
            await self._database.close()

    def __enter__(self) -> _S:
        self._database.start_now()
        try:
            self._saver.setup_now()
        except BaseException:
            self._database.close_now()
            raise
        return self._saver

    def __exit__(self, kind: type[BaseException] | None, error: object, where: TracebackType | None) -> None:
        self._database.close_now()


class SqliteSaver(FlatSaver):
    """Checkpoints in one SQLite file, for one machine: several processes may share it."""

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        key: bytes | str | None = None,
        old_keys: Iterable[bytes | str] = (),
        tenant: str = "local",
        types: Sequence[str] = (),
        serde: Any = None,
        verify: bool = False,
        live_bytes: int = LIVE_BYTES,
    ) -> Opening[SqliteSaver]:
        """A saver on a file, made where missing; open inside `async with` or `with`.

        Args:
            path: The file.
            key: 16, 24 or 32 bytes, as text in hex or base64: encrypts every body. Without it rows are plain.
            old_keys: Keys used before; what they encrypted still opens.
            tenant: Whose threads it sees.
            types: Types of one's own that reading may construct, as `module:Class`.
            serde: LangGraph's serialiser, instead of the strict one that `types` makes.
            verify: Whether to look for values that were changed in place.
            live_bytes: How much of the threads used last is kept in memory.

        Raises:
            ConfigError: The key or the name of a type is unusable.
            StoreError: On entering: the file cannot be opened.
        """
        if "://" in str(path) and not str(path).startswith("sqlite://"):
            raise ConfigError(f"SqliteSaver opens a file, not {str(path).partition('://')[0]}://")
        return _opening(cls, open_database(path), key, old_keys, tenant, types, serde, verify, live_bytes)


class PostgresSaver(FlatSaver):
    """Checkpoints in PostgreSQL, for many machines."""

    @classmethod
    def open(
        cls,
        url: str,
        *,
        key: bytes | str | None = None,
        old_keys: Iterable[bytes | str] = (),
        tenant: str = "local",
        types: Sequence[str] = (),
        serde: Any = None,
        verify: bool = False,
        live_bytes: int = LIVE_BYTES,
    ) -> Opening[PostgresSaver]:
        """A saver on a database by its URL, `postgresql://…`; the rest as for `SqliteSaver.open`.

        Raises:
            ConfigError: It is no such URL, or what speaks to PostgreSQL is not installed.
            StoreError: On entering: the server cannot be reached.
        """
        if not url.startswith(("postgresql://", "postgres://")):
            raise ConfigError(f"PostgresSaver opens postgresql://…, not {url.partition('://')[0]!r}")
        return _opening(cls, open_database(url), key, old_keys, tenant, types, serde, verify, live_bytes)


def _opening(
    kind: type[_S],
    database: OwnedDatabase,
    key: bytes | str | None,
    old_keys: Iterable[bytes | str],
    tenant: str,
    types: Sequence[str],
    serde: Any,
    verify: bool,
    live_bytes: int,
) -> Opening[_S]:
    from segue.memory.checkpoints import strict_serde

    saver = kind(
        database,
        seal=sealer(key, old_keys),
        tenant=tenant,
        serde=serde or strict_serde(types),
        verify=verify,
        live_bytes=live_bytes,
    )
    return Opening(saver, database)
