"""What `WeaviateIndex` keeps in Weaviate: its collections, the names and ids of what lies in them, and the objects.

There are two collections with Weaviate's own tenants: the sources, and the passages with vectors of one length. An
object's id follows from what it is, so that writing it twice leaves it once. A passage bears the stamp of the text it
was cut from; it counts only while its source bears the same stamp, so that a source changes from one text to the next
at once, although Weaviate has no transactions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

from segue.base.ids import content_hash
from segue.memory.documents.filters import dumped, loaded
from segue.memory.documents.index import Entry, Scope, Source
from segue.memory.documents.passage import Passage
from segue.memory.documents.ranking import Key, Worded
from segue.memory.documents.terms import terms
from segue.memory.documents.words import said, storable

SCHEMA_MARK = "segue documents 1"
"""The description that our collections bear."""
PASSAGE = (
    "path",
    "seq",
    "start_line",
    "end_line",
    "heading",
    "body",
    "body_terms",
    "heading_terms",
    "stamp",
    "version",
)
"""What of a passage is read."""
_SOURCE = ("path", "size", "mtime_ns", "version", "embedder", "note", "title", "metadata")
_TENANT = re.compile(r"[A-Za-z0-9_-]{1,60}")
_SPACE = UUID("6f1c2f0e-6d0b-4d0e-9a3c-5d2f3f8a7b11")


def passages_class(name: str, dims: int) -> dict[str, Any]:
    """The collection of passages with vectors of one length.

    Vectors are compared by dot product: ours have length 1, and they come back as they were given. A search within one
    folder that leaves fewer than 40,000 candidates is exact (`flatSearchCutoff`), above it goes through HNSW.
    """
    properties = [
        _text("folder", find=True),
        _text("source", find=True),
        _text("stamp", find=True),
        _text("body_terms", find=True, tokenization="whitespace", search=True),
        _text("heading_terms", find=True, tokenization="whitespace", search=True),
        *(_text(each) for each in ("path", "version", "heading", "body")),
        *(_number(each) for each in ("seq", "start_line", "end_line")),
        _number("terms", find=True),
        _number("written_at", find=True, kind="number"),
    ]
    index = {"distance": "dot", "flatSearchCutoff": 40_000}
    return _class(f"{name}{dims}", properties) | {"vectorIndexType": "hnsw", "vectorIndexConfig": index}


def sources_class(name: str) -> dict[str, Any]:
    """The collection of sources; they have no vectors."""
    properties = [_text("folder", find=True), _text("stamp"), *map(_text, _SOURCE), _number("dims")]
    return _class(f"{name}Sources", properties) | {
        "vectorIndexType": "hnsw",
        "vectorIndexConfig": {"skip": True, "distance": "dot"},
    }


def _class(name: str, properties: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "class": name,
        "description": SCHEMA_MARK,
        "vectorizer": "none",
        "multiTenancyConfig": {"enabled": True, "autoTenantCreation": True, "autoTenantActivation": True},
        "invertedIndexConfig": {
            "bm25": {"k1": 1.2, "b": 0.75},
            "stopwords": {"preset": "none", "additions": None, "removals": None},
        },
        "properties": properties,
    }


def _text(name: str, *, find: bool = False, search: bool = False, tokenization: str = "field") -> dict[str, Any]:
    indexed = {"indexFilterable": find, "indexSearchable": search, "indexRangeFilters": False}
    return {"name": name, "dataType": ["text"], "tokenization": tokenization, **indexed}


def _number(name: str, *, find: bool = False, kind: str = "int") -> dict[str, Any]:
    indexed = {"indexFilterable": find, "indexSearchable": False, "indexRangeFilters": False}
    return {"name": name, "dataType": [kind], **indexed}


def tenant(scope: Scope) -> str:
    """Weaviate's name for a tenant of ours: as it is where Weaviate takes it, else its hash; never two for one."""
    if _TENANT.fullmatch(scope.tenant):
        return f"t-{scope.tenant}"
    return f"h-{content_hash(scope.tenant.encode('utf-8', 'surrogatepass'))}"


def folder(scope: Scope) -> str:
    """What all objects of a collection of ours bear; a hash, since Weaviate trims texts that it filters by."""
    return content_hash(scope.collection.encode("utf-8", "surrogatepass"))


def source_id(scope: Scope, path: str) -> UUID:
    """The id of a source."""
    return uuid5(_SPACE, f"{folder(scope)}/{path}")


def stamp(scope: Scope, entry: Entry) -> str:
    """Names all that is kept of an entry's passages."""
    parts = [str(source_id(scope, entry.source.path)), entry.source.version, entry.source.embedder]
    parts += [f"{chunk.start_line}-{chunk.end_line} {chunk.heading}\n{chunk.text}" for chunk in entry.chunks]
    return content_hash("\x1f".join(parts).encode("utf-8", "surrogatepass") + entry.vectors.tobytes())


def source_properties(scope: Scope, source: Source, stamp: str, dims: int) -> dict[str, Any]:
    """A source as an object. Large numbers are texts: Weaviate's wire makes floats of numbers."""
    held = {name: getattr(source, name) for name in _SOURCE}
    numbers = {"size": str(source.size), "mtime_ns": str(source.mtime_ns), "metadata": dumped(source.metadata)}
    return {**held, **numbers, "folder": folder(scope), "stamp": stamp, "dims": dims}


def source_of(properties: Mapping[str, Any]) -> Source:
    """The source that an object stands for."""
    held: dict[str, Any] = {name: properties.get(name) or "" for name in _SOURCE}
    numbers = {"size": int(held["size"]), "mtime_ns": int(held["mtime_ns"])}
    return Source(**{**held, **numbers, "metadata": loaded(held["metadata"])})


def erased(source: Source) -> Source:
    """The source while its passages are being removed: no file ever has this version."""
    return replace(source, version="", note="")


def passages(
    scope: Scope, entry: Entry, mark: str, now: float
) -> Iterator[tuple[UUID, dict[str, Any], list[float] | None]]:
    """The entry's passages as objects: id, properties, vector."""
    for at, (chunk, vector) in enumerate(zip(entry.chunks, entry.vectors, strict=True)):
        body, heading = terms(said(chunk.text)), terms(chunk.heading)
        held = {
            "folder": folder(scope),
            "source": str(source_id(scope, entry.source.path)),
            "stamp": mark,
            "path": entry.source.path,
            "version": entry.source.version,
            "seq": at,
            "start_line": chunk.start_line,
            "end_line": chunk.end_line,
            "heading": storable(chunk.heading),
            "body": storable(chunk.text),
            "body_terms": " ".join(body),
            "heading_terms": " ".join(heading),
            "terms": len(body) + len(heading),
            "written_at": now,
        }
        yield uuid5(_SPACE, f"{mark}/{at}"), held, vector.astype(float).tolist()


def key(properties: Mapping[str, Any]) -> Key:
    """Which passage an object is."""
    return properties["path"], int(properties["seq"])


def worded(properties: Mapping[str, Any]) -> Worded:
    """A passage as a candidate."""
    return Worded(key(properties), properties.get("body_terms") or "", properties.get("heading_terms") or "")


def passage(properties: Mapping[str, Any], source: Mapping[str, Any], score: float) -> Passage:
    """A passage as a search gives it, with what its source says of itself."""
    return Passage(
        text=properties.get("body") or "",
        path=properties["path"],
        start_line=int(properties["start_line"]),
        end_line=int(properties["end_line"]),
        heading=properties.get("heading") or "",
        score=round(score, 6),
        version=properties.get("version") or "",
        metadata=loaded(source.get("metadata") or ""),
    )
