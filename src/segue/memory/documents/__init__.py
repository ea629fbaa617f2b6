"""Documents: a folder of text files in, passages with citations out.

Load (`load`), cut into chunks with exact line spans (`chunk`), embed (`embed`), keep in an index (`index` is the port,
`sqlite` the adapter in the house, `by_url` opens the others), search by words and by likeness at once (`collection`).
What a model is given of it is decided in `segue.tools.connectors.documents`. Names are imported when they are first
used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.memory.documents.by_url import open_index
    from segue.memory.documents.chunk import Chunk, cut
    from segue.memory.documents.collection import Collection, RefreshReport
    from segue.memory.documents.embed import Embedder, HashingEmbedder
    from segue.memory.documents.filters import Between, PassageFilter
    from segue.memory.documents.index import Entry, Index, Scope, Source
    from segue.memory.documents.passage import Passage
    from segue.memory.documents.sqlite import SqliteIndex

_HOMES = {
    "Between": "filters",
    "Chunk": "chunk",
    "Collection": "collection",
    "Embedder": "embed",
    "Entry": "index",
    "HashingEmbedder": "embed",
    "Index": "index",
    "Passage": "passage",
    "PassageFilter": "filters",
    "RefreshReport": "collection",
    "Scope": "index",
    "Source": "index",
    "SqliteIndex": "sqlite",
    "cut": "chunk",
    "open_index": "by_url",
}

__all__ = [
    "Between",
    "Chunk",
    "Collection",
    "Embedder",
    "Entry",
    "HashingEmbedder",
    "Index",
    "Passage",
    "PassageFilter",
    "RefreshReport",
    "Scope",
    "Source",
    "SqliteIndex",
    "cut",
    "open_index",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
