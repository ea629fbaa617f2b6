"""Checkpoints: a place in, LangGraph's saver for it out, strict about what it will construct when it reads.

A checkpoint holds plain data only. Types of the developer's own are constructed on reading only where settings name
them; anything else comes back as the data that it was written from.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from segue.base.errors import ConfigError, StoreError
from segue.base.stores import use_wal


def strict_serde(types: Sequence[str] = ()) -> Any:
    """A serialiser that constructs only LangGraph's own safe types and those named, as `module:Class`.

    Raises:
        ConfigError: A name is not of that form.
    """
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    allowed: list[tuple[str, ...]] = []
    for name in types:
        module, colon, attribute = name.partition(":")
        if not (module and colon and attribute):
            raise ConfigError(f"checkpoint_types holds {name!r}; a type is named as 'module:Class'")
        allowed.append((module, attribute))
    serde = JsonPlusSerializer(allowed_msgpack_modules=allowed or None)
    _prove_strict(serde)
    return serde


def _prove_strict(serde: Any) -> None:
    """A row that names something importable must come back as data, not as the result of calling it."""
    import ormsgpack

    row = ormsgpack.packb(ormsgpack.Ext(0, ormsgpack.packb(("os", "getcwd", None))))
    import logging

    logging.getLogger("langgraph.checkpoint.serde.jsonplus").addFilter(_quiet)
    if isinstance(serde.loads_typed(("msgpack", row)), str):
        raise StoreError(
            "the checkpoint serialiser constructs arbitrary types; this version of LangGraph is not usable"
        )


def _quiet(record: Any) -> bool:
    """Leave out the one line that the proof itself provokes."""
    return "os.getcwd" not in record.getMessage()


def open_saver(path: Path, *, types: Sequence[str] = ()) -> AbstractAsyncContextManager[Any]:
    """LangGraph's SQLite saver on a file, made if missing, closed at the end.

    Raises:
        StoreError: On entering: the file cannot be opened.
    """
    return _OpenSaver(path, types)


class _OpenSaver(AbstractAsyncContextManager[Any]):
    """A class, not a generator: a loop that ends closes every generator by itself, beside whoever holds this one."""

    def __init__(self, path: Path, types: Sequence[str]) -> None:
        self._path = path
        self._types = types
        self._db: Any = None

    async def __aenter__(self) -> Any:
        import aiosqlite

        try:
            await asyncio.to_thread(_prepared, self._path)
            self._db = await aiosqlite.connect(self._path)
        except Exception as error:
            raise StoreError(f"the checkpoint file {self._path} cannot be opened: {error}") from error
        try:
            return await self._saver()
        except BaseException:
            await self._db.close()
            raise

    async def __aexit__(self, *error: object) -> None:
        await self._db.close()

    async def _saver(self) -> Any:
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        await self._db.execute("PRAGMA synchronous=NORMAL")
        await self._db.execute("PRAGMA secure_delete=ON")
        saver = AsyncSqliteSaver(self._db, serde=strict_serde(self._types))
        await saver.setup()
        return saver


def _prepared(path: Path) -> None:
    """The file, in write-ahead logging, so that nobody who starts at the same time finds it locked."""
    db = sqlite3.connect(path)
    try:
        use_wal(db)
    finally:
        db.close()
