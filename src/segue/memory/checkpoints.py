"""Checkpoints: a place in, LangGraph's saver for it out, strict about what it will construct when it reads.

A checkpoint holds plain data only. Types of the developer's own are constructed on reading only where settings name
them; anything else comes back as the data that it was written from.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from segue.base.errors import ConfigError, StoreError


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


def open_saver(
    place: Path | str,
    *,
    types: Sequence[str] = (),
    key: bytes | str | None = None,
    old_keys: Sequence[bytes | str] = (),
) -> AbstractAsyncContextManager[Any]:
    """The saver of a path or of a database's URL, open inside `async with`; it is made where missing.

    Its `database` and `sealer` are there for what else belongs beside the checkpoints.

    Raises:
        ConfigError: The URL, the key or the name of a type is unusable.
        StoreError: On entering: the database cannot be opened.
    """
    from segue.memory.savers.opening import PostgresSaver, SqliteSaver

    if str(place).startswith(("postgresql://", "postgres://")):
        return PostgresSaver.open(str(place), key=key, old_keys=old_keys, types=types)
    return SqliteSaver.open(place, key=key, old_keys=old_keys, types=types)
