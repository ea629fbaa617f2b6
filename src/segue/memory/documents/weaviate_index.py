"""WeaviateIndex: the index in Weaviate, a tenant of ours in a tenant of its own.

Weaviate finds candidates, by words with its BM25 and by likeness with its vector index; they are ranked and joined by
`ranking` like everybody's, not by Weaviate's hybrid search, whose scores depend on its version and on what other
folders hold. Vectors come from our embedder. What lies in Weaviate and how it changes at once stands in
`weaviate_objects`, the connection in `weaviate_client`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from segue.memory.documents import ranking
from segue.memory.documents import weaviate_objects as objects
from segue.memory.documents.filters import PassageFilter
from segue.memory.documents.index import Entry, Scope, Source
from segue.memory.documents.passage import Passage
from segue.memory.documents.ranking import CANDIDATES, NEAR, Statistics
from segue.memory.documents.terms import query_terms
from segue.memory.documents.weaviate_client import Row, WeaviateClient

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LEFT_BEHIND_S = 3600.0
"""Passages of a write that broke off are removed by a later write of the same source, once they are this old."""
_PAGE = 1000
Objects = Sequence[Any]
"""Weaviate's own objects: `uuid`, `properties`, `vector`."""


class WeaviateIndex:
    """The index in a Weaviate server. It connects and makes its collections when first used.

    Args:
        url: `weaviate://host:8080?grpc=50051`, or `weaviates://…` with TLS. `collection=Name` in the query names the
            collections; `SegueDocuments` if it is left out.
        api_key: What Weaviate asks for; empty for none.
        min_similarity: A cosine below this is no likeness; a passage then counts only if it shares a word.
        likeness_weight: What a place by likeness counts beside one by words.
        deadline_s: Seconds that one call may take.

    Raises:
        ConfigError: The URL is none, or weaviate-client is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str = "",
        min_similarity: float = 0.25,
        likeness_weight: float = 0.5,
        deadline_s: float = 60.0,
    ) -> None:
        self.min_similarity = min_similarity
        self.likeness_weight = likeness_weight
        self._client = WeaviateClient(url, api_key=api_key, deadline_s=deadline_s)

    async def sources(self, scope: Scope) -> Mapping[str, Source]:
        """What is in the index, by path."""
        async with self._client.call():
            return await self._sources(scope)

    async def add(self, scope: Scope, entries: Sequence[Entry]) -> None:
        """Put the entries in the place of what is there under the same paths; each of them whole or not at all."""
        if not entries:
            return
        async with self._client.call():
            before = await self._held(scope, [entry.source.path for entry in entries])
            stamps = [objects.stamp(scope, entry) for entry in entries]
            now = time.time()
            for dims in sorted({_dims(entry) for entry in entries} - {0}):
                made = objects.passages_class(self._client.collection, dims)
                held = await self._client.made(made, objects.tenant(scope))
                await self._client.insert(held, await asyncio.to_thread(_rows, scope, entries, stamps, dims, now))
            await self._put(
                scope, [(each.source, stamp, _dims(each)) for each, stamp in zip(entries, stamps, strict=True)]
            )
            await self._sweep(scope, entries, stamps, before, now)

    async def touch(self, scope: Scope, source: Source) -> None:
        """Note another size and time of a path whose chunks stay as they are."""
        async with self._client.call():
            held = await self._sources_collection(scope)
            sizes = {"size": str(source.size), "mtime_ns": str(source.mtime_ns)}
            if held is not None:
                await held.data.update(uuid=objects.source_id(scope, source.path), properties=sizes)

    async def remove(self, scope: Scope, paths: Sequence[str]) -> None:
        """Take out these paths; one that is not there is no error.

        They are found no more at once. Where this breaks off in the middle they are still told by `sources`, so that
        the next refresh removes what is left.
        """
        async with self._client.call():
            before = await self._held(scope, paths)
            if not before:
                return
            gone = [(objects.source_of(each), int(each["dims"])) for each in before.values()]
            await self._put(scope, [(objects.erased(source), "", dims) for source, dims in gone])
            theirs = self._client.filter("source").contains_any([str(each) for each in before])
            for name in self._collections(dims for _, dims in gone):
                await self._client.delete(name, objects.tenant(scope), theirs)
            sources = objects.sources_class(self._client.collection)["class"]
            await self._client.delete(sources, objects.tenant(scope), self._client.by_id().contains_any(list(before)))

    async def search(
        self,
        scope: Scope,
        query: str,
        vector: NDArray[np.float32],
        *,
        k: int,
        filter: PassageFilter | None = None,  # noqa: A002
    ) -> list[Passage]:
        """The `k` best passages, best first; fewer or none where little fits.

        Raises:
            StoreError: The server cannot be reached, refuses, or takes longer than the deadline.
        """
        async with self._client.call():
            name = objects.passages_class(self._client.collection, len(vector))["class"]
            held = await self._client.there(name, objects.tenant(scope))
            wanted = filter or PassageFilter()
            whole = self._client.filter("folder").equal(objects.folder(scope))
            narrowed = await self._narrowed(scope, wanted)
            if held is None or narrowed == []:
                return []
            where = whole if narrowed is None else whole & self._client.filter("source").contains_any(narrowed)
            asked = query_terms(query)
            words, near, size = await asyncio.gather(
                _by_words(held, asked, where), _near(held, vector, where), _size(held, whole)
            )
            known = await self._known(scope, (*words, *near))
            words, near = _live(words, known), _live(near, known)
            candidates = [objects.worded(each.properties) for each in words]
            if narrowed is None and len(words) < CANDIDATES:
                holding = ranking.containing(asked, candidates)
            else:
                counts = await asyncio.gather(*(_count(held, whole & self._client.holds(term)) for term in asked))
                holding = dict(zip(asked, counts, strict=True))
            worded = ranking.by_words(asked, candidates, Statistics(*size, holding))
            alike = ranking.by_likeness(
                vector, [objects.key(each.properties) for each in near], _vectors(near), at_least=self.min_similarity
            )
            texts = {objects.key(each.properties): each.properties for each in (*words, *near)}
            best = ranking.fuse(worded, alike, likeness_weight=self.likeness_weight)[:k]
            return [objects.passage(texts[key], known[key[0]], score) for key, score in best]

    async def close(self) -> None:
        """Disconnect; the next call connects again."""
        await self._client.close()

    async def _sources_collection(self, scope: Scope) -> Any:
        """The sources of a tenant; `None` where there are none yet."""
        name = objects.sources_class(self._client.collection)["class"]
        return await self._client.there(name, objects.tenant(scope))

    async def _sources(self, scope: Scope) -> dict[str, Source]:
        held = await self._sources_collection(scope)
        if held is None:
            return {}
        mine, found = objects.folder(scope), {}
        async for each in held.iterator(cache_size=_PAGE):
            if each.properties["folder"] == mine:
                source = objects.source_of(each.properties)
                found[source.path] = source
        return found

    async def _held(self, scope: Scope, paths: Iterable[str]) -> dict[UUID, Mapping[str, Any]]:
        """The sources at these paths as they lie there, by id."""
        held = await self._sources_collection(scope)
        ids = [objects.source_id(scope, path) for path in paths]
        if held is None or not ids:
            return {}
        found: dict[UUID, Mapping[str, Any]] = {}
        for start in range(0, len(ids), _PAGE):
            page = ids[start : start + _PAGE]
            answer = await held.query.fetch_objects_by_ids(page, limit=len(page))
            found.update({UUID(str(each.uuid)): each.properties for each in answer.objects})
        return found

    async def _put(self, scope: Scope, rows: Sequence[tuple[Source, str, int]]) -> None:
        if rows:
            made = await self._client.made(objects.sources_class(self._client.collection), objects.tenant(scope))
            found = [
                (
                    objects.source_id(scope, source.path),
                    objects.source_properties(scope, source, stamp=stamp, dims=dims),
                )
                for source, stamp, dims in rows
            ]
            await self._client.insert(made, ((each, properties, None) for each, properties in found))

    async def _sweep(
        self,
        scope: Scope,
        entries: Sequence[Entry],
        stamps: Sequence[str],
        before: Mapping[UUID, Mapping[str, Any]],
        now: float,
    ) -> None:
        """Remove the passages that these entries replaced, and what an earlier write of theirs left behind.

        What another process may be writing now is left alone: only the stamps that were there before go, and old ones.
        """
        old = sorted({str(held["stamp"]) for held in before.values()} - {"", *stamps})
        ids = [str(objects.source_id(scope, entry.source.path)) for entry in entries]
        source, stamp = self._client.filter("source"), self._client.filter("stamp")
        stale = source.contains_any(ids) & self._client.filter("written_at").less_than(now - _LEFT_BEHIND_S)
        lengths = {int(held["dims"]) for held in before.values()} | {_dims(entry) for entry in entries}
        for name in self._collections(lengths):
            if old:
                await self._client.delete(name, objects.tenant(scope), stamp.contains_any(old))
            await self._client.delete(name, objects.tenant(scope), stale)

    def _collections(self, dims: Iterable[int]) -> list[str]:
        """The collections of passages with vectors of these lengths."""
        return [objects.passages_class(self._client.collection, each)["class"] for each in sorted(set(dims) - {0})]

    async def _narrowed(self, scope: Scope, wanted: PassageFilter) -> list[str] | None:
        """The ids of the sources that may be looked at; `None` where all may."""
        if wanted.is_empty:
            return None
        fitting = (path for path, source in (await self._sources(scope)).items() if wanted.fits(source))
        return [str(objects.source_id(scope, path)) for path in fitting]

    async def _known(self, scope: Scope, found: Objects) -> dict[str, Mapping[str, Any]]:
        """The sources of these passages as they are now, by path."""
        held = await self._held(scope, {each.properties["path"] for each in found})
        return {properties["path"]: properties for properties in held.values()}


def _live(found: Objects, known: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    """Those of the text that their source has now."""
    stamps = {path: properties["stamp"] for path, properties in known.items()}
    return [each for each in found if each.properties["stamp"] == stamps.get(each.properties["path"])]


async def _by_words(held: Any, asked: Sequence[str], where: Any) -> Objects:
    if not asked:
        return []
    answer = await held.query.bm25(
        query=" ".join(asked),
        query_properties=["body_terms", f"heading_terms^{ranking.HEADING_WEIGHT}"],
        filters=where,
        limit=CANDIDATES,
        return_properties=list(objects.PASSAGE),
    )
    found: Objects = answer.objects
    return found


async def _near(held: Any, vector: NDArray[np.float32], where: Any) -> Objects:
    if not vector.any():
        return []
    answer = await held.query.near_vector(
        near_vector=vector.astype(float).tolist(),
        filters=where,
        limit=NEAR,
        include_vector=True,
        return_properties=list(objects.PASSAGE),
    )
    found: Objects = answer.objects
    return found


async def _size(held: Any, where: Any) -> tuple[int, int]:
    """How many passages there are, and of how many terms."""
    from weaviate.classes.aggregate import Metrics

    metrics = [Metrics("terms").integer(sum_=True)]
    answer = await held.aggregate.over_all(filters=where, total_count=True, return_metrics=metrics)
    summed = answer.properties.get("terms")
    return answer.total_count or 0, int((summed.sum_ if summed is not None else 0) or 0)


async def _count(held: Any, where: Any) -> int:
    return int((await held.aggregate.over_all(filters=where, total_count=True)).total_count or 0)


def _rows(scope: Scope, entries: Sequence[Entry], stamps: Sequence[str], dims: int, now: float) -> list[Row]:
    """The passages of those entries whose vectors have this length."""
    pairs = [pair for pair in zip(entries, stamps, strict=True) if _dims(pair[0]) == dims]
    return [row for entry, stamp in pairs for row in objects.passages(scope, entry, stamp, now)]


def _vectors(near: Objects) -> NDArray[np.float32]:
    import numpy as np

    return np.array([each.vector["default"] for each in near], dtype=np.float32)


def _dims(entry: Entry) -> int:
    return int(entry.vectors.shape[1]) if len(entry.chunks) else 0
