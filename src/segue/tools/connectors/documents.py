"""Documents: a folder as two tools, one that searches it with citations and one that opens a source at the line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from segue.context.run import RunContext
from segue.memory.documents.by_url import open_index
from segue.memory.documents.collection import Collection, RefreshReport
from segue.memory.documents.embed import Embedder
from segue.memory.documents.filters import PassageFilter
from segue.memory.documents.index import Index, Scope, Source
from segue.memory.documents.load import FolderMissing, Found, find_pages, read_page, title_of
from segue.memory.documents.passage import Passage
from segue.memory.documents.place import state_file
from segue.memory.documents.sqlite import SqliteIndex
from segue.memory.documents.uploads import FOLDER, Texts, Uploads, best_of
from segue.tools.connectors.near import near
from segue.tools.connectors.passages import (
    FoundPassage,
    FoundPassages,
    PageLines,
    PageMissing,
    PageProblem,
    lines_of,
    plain,
    shown,
    source_of,
)
from segue.tools.tool import Tool, tool
from segue.tools.toolset import Toolset

if TYPE_CHECKING:
    from segue.memory.documents.vector_store import FolderVectorStore

MAX_K = 20
_TITLES = 12


class Documents(Toolset):
    """A folder of Markdown and text files that agents search.

    Args:
        folder: Relative to the current folder, or absolute. It is read at first use; only the pages' titles are read
            earlier, for the tool's description, where the folder is there.
        name: Ends the tools' names, `search_handbook`; the folder's name by default.
        description: What the documents are about, in a sentence.
        index: Where chunks are kept: a file, a URL as for `[documents] url` in the settings, or an index of yours. Left
            out, agents use the one of the workspace that they run in, and everybody else `.segue/documents.db`.
        embedder: What makes vectors; hashing by default, which needs no download.
        tenant: Whose documents they are; an index keeps tenants apart.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        name: str | None = None,
        description: str = "",
        index: Index | Path | str | None = None,
        embedder: Embedder | None = None,
        tenant: str = "local",
    ) -> None:
        self.folder = Path(folder).absolute()
        self.name = name or re.sub(r"\W+", "_", self.folder.name).strip("_") or "documents"
        self.description = description
        self._index, self._embedder, self._tenant = index, embedder, tenant
        self._own: Index | None = None
        self._held: WeakKeyDictionary[Index, Collection] = WeakKeyDictionary()
        self._about = ""

    def tools(self) -> Sequence[Tool]:
        """`read_…` and `search_…`."""
        return [self.read, self.search]

    @property
    def search(self) -> Tool:
        """`search_…(query, k)`: passages with citations."""

        async def search(ctx: RunContext, query: str, k: int = 4) -> FoundPassages:
            """Search the documents in plain words.

            Args:
                query: What to look for, in a few words or a question.
                k: How many passages at most.
            """
            most = max(1, min(k, MAX_K))
            found = best_of(
                [
                    await self._collection(ctx.services.documents).search(query, most),
                    await self._uploads(ctx).search(query, most),
                ],
                most,
            )
            note = "" if found else f"no passage of {self.name} has anything to do with this query"
            return FoundPassages(
                passages=[shown(passage) for passage in found],
                note=note,
                taken_from=[source_of(each) for each in found],
            )

        about = self._description()
        made = tool(search, name=f"search_{self.name}"[:64], effect="read", timeout_s=30.0, description=about)
        return replace(made, of=self)

    @property
    def read(self) -> Tool:
        """`read_…(path, start_line, end_line)`: a source at the line."""

        async def read(ctx: RunContext, path: str, start_line: int = 1, end_line: int | None = None) -> PageLines:
            """Open a page of the documents at a line, to read what stands around a citation.

            Args:
                path: The page's path as a citation has it.
                start_line: The first line, counted from 1.
                end_line: The last line; left out, as many as are given at once.
            """
            wanted = plain(path)
            if wanted.startswith(f"{FOLDER}/") and (page := await self._uploads(ctx).page(wanted)) is not None:
                return lines_of(page.text, wanted, start_line, end_line, version=page.version)
            return await self.lines(path, start_line, end_line)

        about = f"Open a page of {self.name} at a line, to read what stands around a citation."
        made = tool(read, name=f"read_{self.name}"[:64], effect="read", timeout_s=10.0, description=about)
        return replace(made, of=self)

    @property
    def scope(self) -> Scope:
        """What tells these documents from others in the same index."""
        return Scope(self._tenant, str(self.folder))

    async def find(
        self,
        query: str,
        *,
        k: int = 5,
        filter: PassageFilter | None = None,  # noqa: A002
        shared: Index | None = None,
    ) -> list[Passage]:
        """The `k` best passages, best first; none where nothing fits.

        Args:
            query: In plain words.
            k: How many at most.
            filter: Narrows what is looked at.
            shared: The index of a workspace, which agents that run in it use where none was named.

        Raises:
            FolderMissing: The folder is not there.
            StoreError: The index cannot be used.
        """
        return await self._collection(shared).search(query, k, filter)

    async def refresh(self, *, shared: Index | None = None) -> RefreshReport:
        """Bring the index up to what the folder holds now; a search does so by itself.

        Raises:
            FolderMissing: The folder is not there.
            StoreError: The index cannot be used.
        """
        return await self._collection(shared).refresh()

    async def sources(self, *, shared: Index | None = None) -> Mapping[str, Source]:
        """The pages as they are now, by the path that citations have.

        Raises:
            FolderMissing: The folder is not there.
            StoreError: The index cannot be used.
        """
        collection = self._collection(shared)
        await collection.refresh()
        return await collection.sources()

    def uploads(self, tenant: str, texts: Texts, *, shared: Index | None = None) -> Uploads:
        """The pages that a tenant brought, which its runs search beside the folder.

        Args:
            tenant: Whose they are.
            texts: Where their texts lie; a workspace's artefact store.
            shared: As for `find`.
        """
        collection = self._collection(shared)
        return Uploads(collection.index, texts, tenant=tenant, name=self.name, embedder=collection.embedder)

    def as_langchain(self) -> FolderVectorStore:
        """The folder as a LangChain vector store: `handbook.as_langchain().as_retriever()`."""
        return self._collection().as_langchain()

    async def lines(self, path: str, start_line: int = 1, end_line: int | None = None) -> PageLines:
        """Lines of one page, at most 200 lines and 20,000 characters at once.

        Only pages that the folder lists can be opened, so no path leads out of it.

        Raises:
            PageMissing: There is no such page.
            PageProblem: There is no such line in it, or it cannot be read.
            FolderMissing: The folder is not there.
        """
        return await asyncio.to_thread(self._read, path, start_line, end_line)

    async def close(self) -> None:
        """Let go of the connections of an index that was given by its URL; the next use opens them again."""
        if self._own is not None:
            await self._own.close()

    def _collection(self, shared: Index | None = None) -> Collection:
        """The folder in its index: the one that was given, else the workspace's, else a file of ours."""
        index = shared if self._index is None else self._index
        if index is None or isinstance(index, Path | str):
            if self._own is None:
                self._own = SqliteIndex(state_file("documents.db")) if index is None else open_index(index)
            index = self._own
        if index not in self._held:
            self._held[index] = Collection(self.folder, index, embedder=self._embedder, tenant=self._tenant)
        return self._held[index]

    def _uploads(self, ctx: RunContext) -> Uploads:
        return self.uploads(ctx.principal.tenant, ctx.services.artefacts, shared=ctx.services.documents)

    def _description(self) -> str:
        """Made once, so that a prompt stays the same bytes when pages change."""
        if not self._about:
            about = f" {self.description.strip()}" if self.description else ""
            self._about = (
                f"Search the documents in the folder {self.name}.{about}{self._titles()} Returns passages, each with a "
                "citation such as [folder/page.md:3-9] to quote behind what is taken from it."
            )
        return self._about

    def _titles(self) -> str:
        try:
            pages, _ = find_pages(self.folder)
        except FolderMissing:
            return ""
        titles = [title_of(read_page(page).text, page.path) for page in pages[:_TITLES]]
        more = f" and {len(pages) - _TITLES} more" if len(pages) > _TITLES else ""
        return f" Pages: {', '.join(titles)}{more}." if titles else ""

    def _read(self, path: str, start_line: int, end_line: int | None) -> PageLines:
        found = self._listed(path)
        page = read_page(found)
        if page.note and not page.text:
            raise PageProblem(f"{path}: {page.note}")
        return lines_of(page.text, f"{self.folder.name}/{found.path}", start_line, end_line, version=page.version)

    def _listed(self, path: str) -> Found:
        pages = {page.path: page for page in find_pages(self.folder)[0]}
        wanted = plain(path)
        inside = wanted.removeprefix(f"{self.folder.name}/")
        if (page := pages.get(inside) or pages.get(wanted)) is None:
            raise PageMissing(f"no page {path!r} in {self.name}; {near(inside, pages)}")
        return page


__all__ = [
    "MAX_K", "Documents", "FoundPassage", "FoundPassages", "PageLines", "PageMissing", "PageProblem", "lines_of",
    "plain",
]  # fmt: skip
