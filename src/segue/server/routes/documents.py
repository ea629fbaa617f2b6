"""Documents: what agents search, searched by people; a citation opened at its line; pages uploaded and taken away.

A folder is its agents': whoever may talk to an agent may read what it reads. What is uploaded beside it is its tenant's
alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import orjson
from fastapi import Query, status
from starlette.responses import Response

from segue.base.errors import BadInput, names
from segue.memory.documents.filters import Between, PassageFilter
from segue.memory.documents.load import FolderMissing, find_pages
from segue.memory.documents.uploads import FOLDER, Uploads, best_of
from segue.server.collections import (
    CollectionsTold,
    CollectionTold,
    LinesTold,
    PageAsked,
    PagesTold,
    PageTold,
    PassagesTold,
    Served,
    collections_of,
    page_told,
    passage_told,
)
from segue.server.errors import NotNow, NotThere
from segue.server.keys import Key
from segue.server.routing import routes
from segue.server.serving import Here, Server, Who
from segue.tools.connectors.documents import MAX_K, Documents, PageMissing, PageProblem, lines_of, plain

router = routes("documents")
_Path = Annotated[str, Query(min_length=1, max_length=600)]
_Words = Annotated[str, Query(min_length=1, max_length=2000)]
_Where = Annotated[str, Query(max_length=4000, description='JSON: {"lang": ["de", "en"], "year": {"low": 2020}}.')]
_Line = Annotated[int, Query(ge=1, le=10_000_000)]


@router.get("/documents")
async def list_collections(server: Here, who: Who) -> CollectionsTold:
    """List the documents that agents search."""
    found = collections_of(server.registry.all())
    told = [await asyncio.to_thread(_told, name, found[name]) for name in sorted(found)]
    return CollectionsTold(collections=told)


@router.get("/documents/{name}")
async def list_pages(name: str, server: Here, who: Who) -> PagesTold:
    """List the pages of a collection as the index has them now, and what the tenant uploaded beside them."""
    documents = _served(server, name).documents
    async with _clearly(name):
        sources = await documents.sources(shared=server.ws.documents)
    own = await _uploads(server, documents, who).sources()
    pages = [page_told(sources[path]) for path in sorted(sources)]
    return PagesTold(pages=[*pages, *(page_told(own[path], uploaded=True) for path in sorted(own))])


@router.get("/documents/{name}/search")
async def search_documents(
    name: str,
    server: Here,
    who: Who,
    q: _Words,
    k: Annotated[int, Query(ge=1, le=MAX_K)] = 5,
    path: Annotated[list[str], Query(max_length=50)] = [],  # noqa: B006 - FastAPI makes a new one each time
    where: _Where = "",
) -> PassagesTold:
    """Find passages in plain words, best first; `path` and `where` narrow it, by shell patterns and front matter."""
    wanted = PassageFilter(paths=tuple(path), where=_conditions(where))
    narrowed, words = None if wanted.is_empty else wanted, q.replace("\x00", " ")
    documents = _served(server, name).documents
    async with _clearly(name):
        found = await documents.find(words, k=k, filter=narrowed, shared=server.ws.documents)
    own = await _uploads(server, documents, who).search(words, k, narrowed)
    return PassagesTold(passages=[passage_told(each) for each in best_of([found, own], k)])


@router.get("/documents/{name}/page")
async def read_page(
    name: str, server: Here, who: Who, path: _Path, start_line: _Line = 1, end_line: _Line | None = None
) -> LinesTold:
    """Open a page at a line, so many lines as are given at once."""
    documents = _served(server, name).documents
    wanted = plain(path)
    async with _clearly(name, path):
        text = await _uploads(server, documents, who).text(wanted) if wanted.startswith(f"{FOLDER}/") else None
        if text is not None:
            found = lines_of(text, wanted, start_line, end_line)
        else:
            found = await documents.lines(path, start_line, end_line)
    return LinesTold(citation=found.citation, line_count=found.line_count, text=found.text, note=found.note)


@router.post("/documents/{name}/pages", status_code=status.HTTP_201_CREATED)
async def upload_page(name: str, asked: PageAsked, server: Here, who: Who) -> PageTold:
    """Upload a page, in the place of the one that may be there; agents find it from now on, in runs of this tenant."""
    documents = _served(server, name).documents
    return page_told(await _uploads(server, documents, who).save(asked.path, asked.text), uploaded=True)


@router.delete("/documents/{name}/pages", status_code=status.HTTP_204_NO_CONTENT)
async def remove_page(name: str, server: Here, who: Who, path: _Path) -> Response:
    """Take a page away that was uploaded."""
    documents = _served(server, name).documents
    if not await _uploads(server, documents, who).remove(path):
        raise NotThere("uploaded page", path)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


def _uploads(server: Server, documents: Documents, who: Key) -> Uploads:
    return documents.uploads(who.tenant, server.ws.artefacts, shared=server.ws.documents)


def _told(name: str, served: Served) -> CollectionTold:
    pages, note = 0, ""
    try:
        pages = len(find_pages(served.documents.folder)[0])
    except FolderMissing:
        note = "its folder is not there"
    about = served.documents.description
    return CollectionTold(name=name, description=about, agents=served.agents, pages=pages, note=note)


def _served(server: Server, name: str) -> Served:
    found = collections_of(server.registry.all())
    if name not in found:
        raise NotThere("collection of documents", name, way_out=f"There are: {names(found)}.")
    return found[name]


@asynccontextmanager
async def _clearly(name: str, path: str = "") -> AsyncIterator[None]:
    """What goes wrong with a folder or a page, as a status."""
    try:
        yield
    except PageMissing as error:
        raise NotThere("page", path, way_out=str(error)) from None
    except PageProblem as error:
        raise BadInput(str(error)) from None
    except FolderMissing:
        raise NotNow(
            f"the folder of the documents {name!r} is not there", way_out="Make it, or bring it back."
        ) from None


def _conditions(where: str) -> dict[str, Any]:
    if not where:
        return {}
    try:
        held = orjson.loads(where)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"where is no JSON: {error}") from None
    if not isinstance(held, dict):
        raise BadInput("where is a JSON object: a condition for each name")
    return {each: _condition(wanted) for each, wanted in held.items()}


def _condition(wanted: Any) -> Any:
    if isinstance(wanted, dict):
        if not wanted or not set(wanted) <= {"low", "high"}:
            raise BadInput('a range is {"low": …, "high": …}, of which one may be left out')
        return Between(wanted.get("low"), wanted.get("high"))
    return wanted
