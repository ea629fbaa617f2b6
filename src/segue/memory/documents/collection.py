"""Collection: one folder, kept in an index, searched with citations.

What changed in the folder is noticed at `refresh()` by size and time, then by the hash of the bytes; only changed
files are cut and embedded again. A search refreshes first, at most once every few seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from segue.memory.documents.chunk import Chunk, cut
from segue.memory.documents.embed import Embedder, HashingEmbedder
from segue.memory.documents.filters import PassageFilter
from segue.memory.documents.index import Entry, Index, Scope, Source
from segue.memory.documents.load import Found, Page, find_pages, read_page, title_of
from segue.memory.documents.passage import Passage
from segue.memory.documents.words import said

if TYPE_CHECKING:
    from segue.memory.documents.vector_store import FolderVectorStore

_BATCH = 64
"""Files that are written in one go; a crash in between loses no finished batch."""


@dataclass(frozen=True, kw_only=True)
class RefreshReport:
    """What a refresh did."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    notes: tuple[str, ...] = ()
    """One sentence for each file that was left out or not as it should be, as `path: what`."""


@dataclass(frozen=True)
class _Difference:
    new: list[tuple[Found, Page]]
    replaced: int
    """How many of the new ones stand in the place of an older version."""
    touched: list[Found]
    """Another time, the same bytes."""
    gone: list[str]
    notes: list[str]


class Collection:
    """A folder of documents that can be searched.

    Args:
        folder: Where the documents lie. It is looked at when first needed, not before.
        index: Where chunks are kept.
        embedder: What makes vectors; hashing by default.
        tenant: Whose documents these are; no other tenant's search sees them.
        refresh_every_s: A search looks for changes when the last look is older than this.
    """

    def __init__(
        self,
        folder: Path | str,
        index: Index,
        *,
        embedder: Embedder | None = None,
        tenant: str = "local",
        refresh_every_s: float = 2.0,
    ) -> None:
        self.folder = Path(folder)
        self.name = self.folder.absolute().resolve().name if self.folder.name in ("", "..") else self.folder.name
        self.index = index
        self.embedder: Embedder = embedder or HashingEmbedder()
        self.scope = Scope(tenant, str(self.folder.absolute()))
        self.refresh_every_s = refresh_every_s
        self._looked_at: float | None = None
        self._read: dict[str, tuple[int, int, str]] = {}
        """What was read here: size, time and version, since another machine's copy has other times."""
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def search(
        self,
        query: str,
        k: int = 5,
        filter: PassageFilter | None = None,  # noqa: A002
    ) -> list[Passage]:
        """The `k` best passages for a query in plain words, best first; none where nothing fits.

        Raises:
            FolderMissing: The folder is not there.
            StoreError: The index cannot be used.
        """
        if self._looked_at is None or time.monotonic() - self._looked_at > self.refresh_every_s:
            await self.refresh()
        vector = (await self.embedder.embed([query]))[0]
        return await self.index.search(self.scope, query, vector, k=k, filter=filter)

    async def refresh(self) -> RefreshReport:
        """Bring the index up to what the folder holds now. Costs one listing of the folder when nothing changed.

        Raises:
            FolderMissing: The folder is not there.
            StoreError: The index cannot be used.
        """
        async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            known = await self.index.sources(self.scope)
            difference = await asyncio.to_thread(self._compare, known)
            await self._write(difference, known)
            self._looked_at = time.monotonic()
            return _report(difference, known)

    async def sources(self) -> Mapping[str, Source]:
        """What the index holds, by path, as of the last refresh."""
        return await self.index.sources(self.scope)

    def as_langchain(self) -> FolderVectorStore:
        """The folder as a LangChain vector store: `collection.as_langchain().as_retriever()`."""
        from segue.memory.documents.vector_store import FolderVectorStore

        return FolderVectorStore(self)

    def path_of(self, found: Found) -> str:
        """A file's path as citations have it: from the folder's own name on."""
        return f"{self.name}/{found.path}"

    def _compare(self, known: Mapping[str, Source]) -> _Difference:
        listed, notes = find_pages(self.folder)
        new: list[tuple[Found, Page]] = []
        touched: list[Found] = []
        replaced = 0
        for found in listed:
            held = known.get(self.path_of(found))
            fresh = held is not None and held.embedder == self.embedder.name
            now = (found.size, found.mtime_ns)
            if (
                held
                and fresh
                and (now == (held.size, held.mtime_ns) or self._read.get(found.path) == (*now, held.version))
            ):
                notes.extend([f"{found.path}: {held.note}"] if held.note else [])
                continue
            page = read_page(found)
            self._read[found.path] = (*now, page.version)
            notes.extend([f"{found.path}: {page.note}"] if page.note else [])
            if held and fresh and page.version and held.version == page.version:
                touched.append(found)
            else:
                new.append((found, page))
                replaced += held is not None
        gone = sorted(set(known) - {self.path_of(found) for found in listed})
        return _Difference(new, replaced, touched, gone, notes)

    async def _write(self, difference: _Difference, known: Mapping[str, Source]) -> None:
        if difference.gone:
            await self.index.remove(self.scope, difference.gone)
        for start in range(0, len(difference.new), _BATCH):
            pages = difference.new[start : start + _BATCH]
            await self.index.add(self.scope, await self._entries(pages))
        for found in difference.touched:
            path = self.path_of(found)
            await self.index.touch(self.scope, replace(known[path], size=found.size, mtime_ns=found.mtime_ns))

    async def _entries(self, pages: Sequence[tuple[Found, Page]]) -> list[Entry]:
        cuts = await asyncio.to_thread(lambda: [cut(page.text) for _, page in pages])
        vectors = await self.embedder.embed([embedded(chunk) for chunks in cuts for chunk in chunks])
        entries, at = [], 0
        for (found, page), chunks in zip(pages, cuts, strict=True):
            entries.append(Entry(self._source(found, page), chunks, vectors[at : at + len(chunks)]))
            at += len(chunks)
        return entries

    def _source(self, found: Found, page: Page) -> Source:
        return Source(
            path=self.path_of(found),
            size=found.size,
            mtime_ns=found.mtime_ns,
            version=page.version,
            embedder=self.embedder.name,
            note=page.note,
            title=title_of(page.text, found.path),
            metadata=page.metadata,
        )


def embedded(chunk: Chunk) -> str:
    """What of a chunk is made a vector."""
    return f"{chunk.heading}\n{said(chunk.text)}" if chunk.heading else said(chunk.text)


def _report(difference: _Difference, known: Mapping[str, Source]) -> RefreshReport:
    return RefreshReport(
        added=len(difference.new) - difference.replaced,
        changed=difference.replaced,
        removed=len(difference.gone),
        unchanged=len(known) - difference.replaced - len(difference.gone),
        notes=tuple(difference.notes),
    )
