"""What lasts: checkpoints of threads, and documents with their index. Names are imported when they are first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.memory.locks import FileLocks
    from segue.memory.savers.opening import PostgresSaver, SqliteSaver
    from segue.memory.sealing import Sealer, new_key

_HOMES = {
    "FileLocks": "segue.memory.locks",
    "PostgresSaver": "segue.memory.savers.opening",
    "Sealer": "segue.memory.sealing",
    "SqliteSaver": "segue.memory.savers.opening",
    "new_key": "segue.memory.sealing",
}
__all__ = ["FileLocks", "PostgresSaver", "Sealer", "SqliteSaver", "new_key"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
