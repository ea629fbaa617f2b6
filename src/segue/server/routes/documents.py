"""Documents: what agents search, searched by people; a citation opened at its line; pages written and taken away.

Documents are their agents': whoever may talk to an agent may read what it reads. Writing wants the scope `documents`,
and a key of the tenant whose documents they are.
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
from segue.server.errors import NotAllowed, NotNow, NotThere
from segue.server.keys import Key
from segue.server.routing import routes
from segue.server.serving import Here, Server, Who
from segue.tools.connectors.documents import MAX_K, PageMissing, PageProblem

router = routes("documents")
SCOPE = "documents"
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
    """List the pages of a collection, as the index has them now."""
    async with _clearly(name):
        sources = await _served(server, name).documents.sources(shared=server.ws.documents)
    return PagesTold(pages=[page_told(sources[path]) for path in sorted(sources)])


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
    narrowed = PassageFilter(paths=tuple(path), where=_conditions(where))
    async with _clearly(name):
        found = await _served(server, name).documents.find(
            q.replace("\x00", " "), k=k, filter=None if narrowed.is_empty else narrowed, shared=server.ws.documents
        )
    return PassagesTold(passages=[passage_told(each) for each in found])


@router.get("/documents/{name}/page")
async def read_page(
    name: str, server: Here, who: Who, path: _Path, start_line: _Line = 1, end_line: _Line | None = None
) -> LinesTold:
    """Open a page at a line, so many lines as are given at once."""
    async with _clearly(name, path):
        found = await _served(server, name).documents.lines(path, start_line, end_line)
    return LinesTold(citation=found.citation, line_count=found.line_count, text=found.text, note=found.note)


@router.post("/documents/{name}/pages", status_code=status.HTTP_201_CREATED)
async def write_page(name: str, asked: PageAsked, server: Here, who: Who) -> PageTold:
    """Write a page, in the place of the one that may be there; agents find what it says from now on."""
    documents = _to_write(server, name, who).documents
    async with _clearly(name):
        cited = await documents.save(asked.path, asked.text)
        sources = await documents.sources(shared=server.ws.documents)
    if cited not in sources:
        raise NotNow(f"the page {asked.path!r} was taken away meanwhile")
    return page_told(sources[cited])


@router.delete("/documents/{name}/pages", status_code=status.HTTP_204_NO_CONTENT)
async def remove_page(name: str, server: Here, who: Who, path: _Path) -> Response:
    """Take a page away."""
    documents = _to_write(server, name, who).documents
    async with _clearly(name, path):
        await documents.remove(path)
        await documents.refresh(shared=server.ws.documents)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


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


def _to_write(server: Server, name: str, who: Key) -> Served:
    served = _served(server, name)
    if not {SCOPE, "*"} & set(who.scopes):
        raise NotAllowed(f"writing documents wants a key with the scope {SCOPE!r}")
    if served.documents.scope.tenant != who.tenant:
        raise NotAllowed(f"the documents {name!r} belong to another tenant, and may be read only")
    return served


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
