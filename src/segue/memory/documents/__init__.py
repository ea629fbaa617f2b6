"""Documents: a folder of text files in, passages with citations out.

Load (`load`), cut into chunks with exact line spans (`chunk`), embed (`embed`), keep in an index (`index` is the port,
`sqlite` the adapter in the house, `by_url` opens the others), search by words and by likeness at once (`collection`).
What a model is given of it is decided in `segue.tools.connectors.documents`.
"""

from segue.memory.documents.by_url import open_index
from segue.memory.documents.chunk import Chunk, cut
from segue.memory.documents.collection import Collection, RefreshReport
from segue.memory.documents.embed import Embedder, HashingEmbedder
from segue.memory.documents.filters import Between, PassageFilter
from segue.memory.documents.index import Entry, Index, Scope, Source
from segue.memory.documents.passage import Passage
from segue.memory.documents.sqlite import SqliteIndex

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
