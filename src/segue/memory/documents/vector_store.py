"""A LangChain vector store over an index: texts or a folder in, LangChain documents out.

`IndexVectorStore` keeps texts that a program adds; `FolderVectorStore` is a `Collection` as LangChain sees it, filled
by its files. Both find by words and by likeness at once. What is not async runs in a thread of the store's own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import uuid4

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from segue.base.errors import BadInput, UserError
from segue.base.ids import content_hash
from segue.memory.documents.by_url import open_index
from segue.memory.documents.chunk import Chunk
from segue.memory.documents.collection import Collection
from segue.memory.documents.embed import Embedder, HashingEmbedder
from segue.memory.documents.filters import Condition, PassageFilter, Value
from segue.memory.documents.index import Entry, Index, Scope, Source
from segue.memory.documents.passage import Passage

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_T = TypeVar("_T")


class LangChainEmbedder:
    """An embedder of LangChain's as one of ours.

    Args:
        model: What embeds.
        name: Names it; vectors of another name are made anew. The class and its `model`, where it says one, by default.
    """

    def __init__(self, model: Embeddings, *, name: str = "") -> None:
        said = getattr(model, "model", "") or getattr(model, "model_name", "")
        self.name = name or "/".join(each for each in (type(model).__name__, str(said)) if each)
        self.model = model
        self.dims = 0
        """Known once something was embedded."""

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text, each of length 1."""
        import numpy as np

        made = np.array(await self.model.aembed_documents(list(texts)), dtype=np.float32)
        out = made.reshape(len(texts), -1) if len(texts) else np.zeros((0, self.dims), dtype=np.float32)
        lengths = np.linalg.norm(out, axis=1, keepdims=True)
        self.dims = out.shape[1]
        unit: NDArray[np.float32] = np.divide(out, lengths, out=np.zeros_like(out), where=lengths > 0)
        return unit


class _Searched(VectorStore):
    """What both stores share: the search, and the same without async."""

    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread

    async def _find(self, query: str, k: int, wanted: PassageFilter) -> list[Passage]:
        raise UserError(f"{type(self).__name__} does not say how it is searched.")

    async def asimilarity_search_with_score(
        self,
        query: str,
        k: int = 4,
        filter: dict[str, Condition] | PassageFilter | None = None,  # noqa: A002
        **_: Any,
    ) -> list[tuple[Document, float]]:
        """The `k` best with their scores, which are only good for comparing answers to one query; best first.

        Args:
            query: In plain words.
            k: How many at most.
            filter: What the metadata must say, as `PassageFilter.where`; or a whole filter.
        """
        wanted = filter if isinstance(filter, PassageFilter) else PassageFilter(where=filter or {})
        return [(_document(each), each.score) for each in await self._find(query, k, wanted)]

    async def asimilarity_search(self, query: str, k: int = 4, **given: Any) -> list[Document]:
        """The `k` best, best first."""
        return [found for found, _ in await self.asimilarity_search_with_score(query, k, **given)]

    def similarity_search_with_score(self, *args: Any, **given: Any) -> list[tuple[Document, float]]:
        """The same without async."""
        return self._now(self.asimilarity_search_with_score(*args, **given))

    def similarity_search(self, query: str, k: int = 4, **given: Any) -> list[Document]:
        """The same without async."""
        return self._now(self.asimilarity_search(query, k, **given))

    def _now(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run it in the store's own thread, whose event loop keeps the index's connections from call to call."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_serve, args=(self._loop,), name="segue-vector-store", daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop(self) -> None:
        """End the thread."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


class IndexVectorStore(_Searched):
    """Texts that a program adds, in an index.

    Args:
        index: Where they are kept, or its path or URL.
        collection: Tells these texts from others in the same index.
        tenant: Whose they are; no other tenant's search sees them.
        embedder: What makes vectors: an embedder of ours or of LangChain's; hashing by default.
    """

    def __init__(
        self,
        index: Index | Path | str,
        *,
        collection: str = "texts",
        tenant: str = "local",
        embedder: Embedder | Embeddings | None = None,
    ) -> None:
        self.index: Index = index if hasattr(index, "search") else open_index(index)  # type: ignore[assignment]
        self.scope = Scope(tenant, collection)
        made = LangChainEmbedder(embedder) if isinstance(embedder, Embeddings) else embedder
        self.embedder: Embedder = made or HashingEmbedder()

    @property
    def embeddings(self) -> Embeddings | None:
        """LangChain's embedder, where one was given."""
        return self.embedder.model if isinstance(self.embedder, LangChainEmbedder) else None

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **_: Any,
    ) -> list[str]:
        """Add texts and return their ids; a text under an id that is there takes its place.

        Raises:
            BadInput: There are more or fewer ids or metadata than texts, or a metadatum is no text, number or truth.
            StoreError: The index cannot be used.
        """
        held = list(texts)
        said = metadatas or [{} for _ in held]
        names = [each or str(uuid4()) for each in (ids or [""] * len(held))]
        if len(said) != len(held) or len(names) != len(held):
            raise BadInput(f"{len(held)} texts came with {len(said)} metadata and {len(names)} ids.")
        vectors = await self.embedder.embed(held)
        entries = [
            Entry(self._source(name, text, metadata), [Chunk(text, 1, text.count("\n") + 1, "")], vectors[at : at + 1])
            for at, (name, text, metadata) in enumerate(zip(names, held, said, strict=True))
        ]
        await self.index.add(self.scope, list({entry.source.path: entry for entry in entries}.values()))
        return names

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **_: Any,
    ) -> list[str]:
        """The same without async."""
        return self._now(self.aadd_texts(texts, metadatas, ids=ids))

    async def adelete(self, ids: list[str] | None = None, **_: Any) -> bool | None:
        """Take out these texts, or all; an id that is not there is no error."""
        await self.index.remove(self.scope, ids if ids is not None else list(await self.index.sources(self.scope)))
        return True

    def delete(self, ids: list[str] | None = None, **_: Any) -> bool | None:
        """The same without async."""
        return self._now(self.adelete(ids))

    @classmethod
    async def afrom_texts(
        cls, texts: list[str], embedding: Embeddings, metadatas: list[dict[str, Any]] | None = None, **given: Any
    ) -> Self:
        """A store with these texts; `index=` says where."""
        ids = given.pop("ids", None)
        made = cls(given.pop("index", "documents.db"), embedder=embedding, **given)
        await made.aadd_texts(texts, metadatas, ids=ids)
        return made

    @classmethod
    def from_texts(
        cls, texts: list[str], embedding: Embeddings, metadatas: list[dict[str, Any]] | None = None, **given: Any
    ) -> Self:
        """The same without async."""
        ids = given.pop("ids", None)
        made = cls(given.pop("index", "documents.db"), embedder=embedding, **given)
        made.add_texts(texts, metadatas, ids=ids)
        return made

    async def aclose(self) -> None:
        """Let go of connections."""
        await self.index.close()
        self._stop()

    def close(self) -> None:
        """The same without async."""
        self._now(self.index.close())
        self._stop()

    async def _find(self, query: str, k: int, wanted: PassageFilter) -> list[Passage]:
        vector = (await self.embedder.embed([query]))[0]
        return await self.index.search(self.scope, query, vector, k=k, filter=wanted)

    def _source(self, name: str, text: str, metadata: dict[str, Any]) -> Source:
        version = content_hash(text.encode("utf-8", "surrogatepass"))
        return Source(
            path=name,
            size=len(text),
            mtime_ns=0,
            version=version,
            embedder=self.embedder.name,
            metadata={key: _value(key, value) for key, value in metadata.items() if value is not None},
        )


class FolderVectorStore(_Searched):
    """A folder's documents as LangChain sees them. A search looks for changes of the folder first."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection

    def add_texts(self, texts: Iterable[str], metadatas: list[dict[str, Any]] | None = None, **_: Any) -> list[str]:
        """Refuse: a folder is filled by its files.

        Raises:
            UserError: Always.
        """
        raise UserError(
            f"the folder {self.collection.name} is filled by its files, not by add_texts.",
            way_out="Write a file into it, or keep texts in an IndexVectorStore.",
        )

    @classmethod
    def from_texts(cls, texts: list[str], embedding: Embeddings, metadatas: Any = None, **_: Any) -> Self:
        """Refuse; see `add_texts`."""
        raise UserError("a folder is filled by its files.", way_out="Keep texts in an IndexVectorStore.")

    async def _find(self, query: str, k: int, wanted: PassageFilter) -> list[Passage]:
        return await self.collection.search(query, k, wanted)


def _document(passage: Passage) -> Document:
    own = {"source": passage.path, "citation": passage.citation, "heading": passage.heading, "version": passage.version}
    held = {key: list(value) if isinstance(value, tuple) else value for key, value in passage.metadata.items()}
    return Document(id=passage.path, page_content=passage.text, metadata={**own, **held})


def _value(key: str, value: Any) -> Value:
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, list | tuple) and all(isinstance(each, str | int | float) for each in value):
        return tuple(value)
    raise BadInput(
        f"the metadatum {key!r} is {type(value).__name__}; a text, a number, a truth or a list of those can be kept."
    )
