"""Uploads: pages that a tenant brought, beside a folder that all may read; kept in the index and by their text.

No file is written: the text lies in the artefact store, so that every machine that shares a database has it. The index
is made of the texts, and made anew where it was lost. A page's version is the id of its text, which no other upload
has, not even of the same words: whoever takes an older one away never takes this one's. Within a process one change
follows the other; where another process made a page's a text that was just taken away, the page is kept anew. Nobody
but the tenant finds or reads it.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from segue.base.errors import BadInput
from segue.base.ids import content_hash
from segue.memory.documents.chunk import cut
from segue.memory.documents.collection import embedded
from segue.memory.documents.embed import Embedder
from segue.memory.documents.filters import PassageFilter
from segue.memory.documents.index import Entry, Index, Scope, Source
from segue.memory.documents.load import MAX_BYTES, SUFFIXES, Page, page_of, title_of
from segue.memory.documents.passage import Passage
from segue.memory.locks import Turns

FOLDER = "uploads"
"""What the paths of uploads begin with, in citations."""
MAX_PAGES = 1_000
MAX_PATH_CHARS = 300
_PART = re.compile(r"[^.\x00-\x1f\x7f/\\:\[\]][^\x00-\x1f\x7f/\\:\[\]]*")
_MEDIA = "text/markdown"
_TURNS = Turns()


class Texts(Protocol):
    """Where texts lie, by tenant and the hash of their bytes; the artefact store is one. It blocks."""

    def put(self, tenant: str, data: bytes, media_type: str = ...) -> str:
        """Keep bytes; their id."""
        ...

    def get(self, tenant: str, artefact_id: str) -> tuple[str, bytes]:
        """The media type and the bytes of an id."""
        ...

    def erase(self, tenant: str, artefact_id: str) -> None:
        """Forget bytes."""
        ...

    def of_type(self, tenant: str, media_type: str) -> list[str]:
        """The ids of what a tenant keeps of a media type."""
        ...


class Uploads:
    """The uploads of one tenant to one collection.

    Args:
        index: Where chunks are kept.
        texts: Where texts are kept.
        tenant: Whose they are.
        name: Of the collection that they stand beside.
        embedder: What makes vectors.
    """

    def __init__(self, index: Index, texts: Texts, *, tenant: str, name: str, embedder: Embedder) -> None:
        self._index, self._texts, self._embedder = index, texts, embedder
        self.scope = Scope(tenant, f"{FOLDER}:{name}")
        self._media = f"{_MEDIA}; upload={name}"

    async def sources(self) -> Mapping[str, Source]:
        """The pages, by the path that citations have.

        Raises:
            StoreError: The index cannot be used.
        """
        held = await self._index.sources(self.scope)
        if held:
            return held
        async with self._turn():
            return await self._sources()

    async def save(self, path: str, text: str) -> Source:
        """Keep a page, in the place of the one that may be there; keys and passwords in it are taken out before.

        Raises:
            BadInput: The path or the text cannot be a page's, or there are too many.
            StoreError: It cannot be kept.
        """
        cited = _cited(path)
        if "\x00" in text or any("\ud800" <= each <= "\udfff" for each in text) or len(text.encode()) > MAX_BYTES:
            raise BadInput(f"a page is text of at most {MAX_BYTES:,} bytes, without NUL or halves of characters")
        page = await asyncio.to_thread(page_of, cited, text, "")
        async with self._turn():
            held = await self._sources()
            if cited not in held and len(held) >= MAX_PAGES:
                raise BadInput(f"a tenant may upload {MAX_PAGES:,} pages to one collection", way_out="Take some away.")
            source = await self._put(page)
            if cited in held:
                await self._forget(held[cited])
            while await self._is_without_text(cited):
                source = await self._put(page)
            return source

    async def remove(self, path: str) -> bool:
        """Take a page away, by its path with or without `uploads/`; `False` where there is none.

        Raises:
            StoreError: It cannot be taken away.
        """
        async with self._turn():
            found = (await self._sources()).get(_with_folder(path))
            if found is None:
                return False
            await self._forget(found)
            await self._index.remove(self.scope, [found.path])
            return True

    async def search(
        self,
        query: str,
        k: int = 5,
        filter: PassageFilter | None = None,  # noqa: A002
    ) -> list[Passage]:
        """The `k` best passages, best first; none where nothing fits, or nothing was uploaded.

        Raises:
            StoreError: The index cannot be used.
        """
        held = await self.sources()
        if not held:
            return []
        for each in held.values():
            if each.embedder != self._embedder.name and (page := await self._page(each)) is not None:
                await self._add(page, version=each.version, size=each.size)
        vector = (await self._embedder.embed([query]))[0]
        return await self._index.search(self.scope, query, vector, k=k, filter=filter)

    async def text(self, path: str) -> str | None:
        """The text of a page; `None` where there is none.

        Raises:
            StoreError: It cannot be read.
        """
        page = await self.page(path)
        return None if page is None else page.text

    async def page(self, path: str) -> Page | None:
        """A page as it is now, with its version; `None` where there is none.

        Raises:
            StoreError: It cannot be read.
        """
        seen: Source | None = None
        while (found := (await self.sources()).get(_with_folder(path))) is not None and found != seen:
            if (page := await self._page(found)) is not None:
                return page
            seen = found  # taken away since the index was asked; another may stand in its place by now
        return None

    def _turn(self) -> asyncio.Lock:
        return _TURNS.of(f"{self.scope.tenant}/{self.scope.collection}")

    async def _sources(self) -> Mapping[str, Source]:
        """The pages; an index that is empty and should not be is made anew. Asked for by who has the turn."""
        held = await self._index.sources(self.scope)
        if not held and (ids := await asyncio.to_thread(self._texts.of_type, self.scope.tenant, self._media)):
            await self._restore(ids)
            held = await self._index.sources(self.scope)
        return held

    async def _put(self, page: Page) -> Source:
        """Keep a page by a version that nothing had before."""
        data = f"{page.path}:{time.time_ns():020}:{secrets.token_hex(8)}\n{page.text}".encode()
        await asyncio.to_thread(self._texts.put, self.scope.tenant, data, self._media)
        return await self._add(page, version=content_hash(data), size=len(page.text.encode()))

    async def _is_without_text(self, cited: str) -> bool:
        """Whether another process made a page's a text that was taken away meanwhile."""
        found = (await self._index.sources(self.scope)).get(cited)
        return found is not None and await self._page(found) is None

    async def _page(self, source: Source) -> Page | None:
        """The page; `None` where somebody takes it away at this moment."""
        try:
            _, data = await asyncio.to_thread(self._texts.get, self.scope.tenant, f"art_{source.version}")
        except BadInput:
            return None
        return page_of(source.path, data.decode().partition("\n")[2], source.version)

    async def _restore(self, ids: Sequence[str]) -> None:
        """The index, made of the texts: of each path the newest."""
        newest: dict[str, tuple[str, str, str]] = {}
        for each in ids:
            try:
                _, data = await asyncio.to_thread(self._texts.get, self.scope.tenant, each)
            except BadInput:
                continue
            head, _, text = data.decode().partition("\n")
            path, at, _ = head.split(":")
            if path not in newest or newest[path][0] < at:
                newest[path] = (at, each.removeprefix("art_"), text)
        for path, (_, version, text) in newest.items():
            await self._add(page_of(path, text, version), version=version, size=len(text.encode()))

    async def _add(self, page: Page, *, version: str, size: int) -> Source:
        chunks = await asyncio.to_thread(cut, page.text)
        source = Source(
            path=page.path, size=size, mtime_ns=time.time_ns(), version=version, embedder=self._embedder.name,
            note=page.note, title=title_of(page.text, page.path), metadata=page.metadata,
        )  # fmt: skip
        vectors = await self._embedder.embed([embedded(chunk) for chunk in chunks])
        await self._index.add(self.scope, [Entry(source, chunks, vectors)])
        return source

    async def _forget(self, source: Source) -> None:
        await asyncio.to_thread(self._texts.erase, self.scope.tenant, f"art_{source.version}")


def best_of(found: Sequence[Sequence[Passage]], k: int) -> list[Passage]:
    """The `k` best of several searches, best first."""
    return sorted((each for passages in found for each in passages), key=lambda each: -each.score)[:k]


def _with_folder(path: str) -> str:
    return path if path.startswith(f"{FOLDER}/") else f"{FOLDER}/{path}"


def _cited(path: str) -> str:
    parts = path.removeprefix(f"{FOLDER}/").split("/")
    if len(path) > MAX_PATH_CHARS or not path.isprintable() or not all(_PART.fullmatch(part) for part in parts):
        raise BadInput(
            f"{path[:80]!r} is no path of a page.",
            way_out="Write names with forward slashes: returns/eu.md. None is hidden, and none leads up.",
        )
    if not path.lower().endswith(tuple(SUFFIXES)):
        raise BadInput(f"{path[:80]!r} is no page: pages end in {', '.join(sorted(SUFFIXES))}.")
    return "/".join([FOLDER, *parts])
