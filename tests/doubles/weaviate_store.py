"""What the double of Weaviate keeps and computes: schemas, tenants, objects, filters, BM25, dot products.

It is written from Weaviate's documentation, not from its source, and is stricter than the server where that shows
mistakes: a property that the schema does not name is refused, and so is a filter on one that is not indexed for it.
"""

from __future__ import annotations

import copy
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np

MAX_RESULTS = 10_000
_CUT: dict[str, Callable[[str], list[str]]] = {
    "word": lambda text: re.findall(r"[^\W_]+", text.lower()),
    "lowercase": lambda text: text.lower().split(),
    "whitespace": str.split,
    "field": lambda text: [text.strip()] if text.strip() else [],
}


@lru_cache(maxsize=20_000)
def _bag(tokenization: str, text: str) -> Counter[str]:
    return Counter(_CUT[tokenization](text))


_INVERTED = {
    "bm25": {"b": 0.75, "k1": 1.2},
    "cleanupIntervalSeconds": 60,
    "stopwords": {"additions": None, "preset": "en", "removals": None},
}
_HNSW = {
    "skip": False, "cleanupIntervalSeconds": 300, "maxConnections": 32, "efConstruction": 128, "ef": -1,
    "dynamicEfMin": 100, "dynamicEfMax": 500, "dynamicEfFactor": 8, "vectorCacheMaxObjects": 1000000000000,
    "flatSearchCutoff": 40000, "distance": "cosine", "filterStrategy": "sweeping",
}  # fmt: skip


class Refused(Exception):
    """What the server would answer with an error."""


@dataclass
class Stored:
    """One object."""

    id: UUID
    properties: dict[str, Any]
    vector: tuple[float, ...]


@dataclass
class Shard:
    """What one tenant has in one collection."""

    objects: dict[UUID, Stored] = field(default_factory=dict)
    dims: int = 0

    def put(self, stored: Stored) -> None:
        """Write an object, in the place of one with the same id."""
        if stored.vector:
            if self.dims and len(stored.vector) != self.dims:
                raise Refused(
                    f"new node has a vector with length {len(stored.vector)}. Existing nodes have vectors with length "
                    f"{self.dims}"
                )
            self.dims = len(stored.vector)
        self.objects[stored.id] = stored


class Klass:
    """One collection, as its schema makes it."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = _with_defaults(schema)
        self.name = str(self.schema["class"])
        self.properties = {each["name"]: each for each in self.schema["properties"]}
        self.shards: dict[str, Shard] = {}

    @property
    def has_tenants(self) -> bool:
        return bool(self.schema["multiTenancyConfig"]["enabled"])

    def shard(self, tenant: str, *, writes: bool = False) -> Shard:
        """A tenant's part."""
        if self.has_tenants != bool(tenant):
            raise Refused(f"class {self.name} has multi-tenancy {'en' if self.has_tenants else 'dis'}abled")
        if tenant not in self.shards:
            if not (writes and self.schema["multiTenancyConfig"]["autoTenantCreation"]) and self.has_tenants:
                raise Refused(f'tenant not found: "{tenant}"')
            if not re.fullmatch(r"[A-Za-z0-9_-]{0,64}", tenant):
                raise Refused(f'"{tenant}" is not a valid tenant name')
            self.shards[tenant] = Shard()
        return self.shards[tenant]

    def typed(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Values as the schema has them; numbers come as floats."""
        found = {}
        for name, value in properties.items():
            if name not in self.properties:
                raise Refused(f"no such prop with name '{name}' found in class '{self.name}' in the schema")
            kind = self.properties[name]["dataType"][0]
            if kind == "text" and not isinstance(value, str):
                raise Refused(f"invalid text property '{name}' on class '{self.name}': not a string, but {value!r}")
            if kind in ("int", "number") and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise Refused(f"invalid {kind} property '{name}' on class '{self.name}': {value!r}")
            found[name] = int(value) if kind == "int" else value
        return found

    def tokens(self, name: str, text: str) -> list[str]:
        return _CUT[self.properties[name]["tokenization"]](text)

    def fits(self, stored: Stored, where: Any) -> bool:
        """Whether an object passes a filter, one of Weaviate's own messages; `None` passes all."""
        if where is None:
            return True
        operator = type(where).Operator.Name(where.operator).removeprefix("OPERATOR_")
        if operator in ("AND", "OR"):
            judged = (self.fits(stored, each) for each in where.filters)
            return all(judged) if operator == "AND" else any(judged)
        name = where.target.property or where.on[0]
        if name == "_id":
            return _compared(operator, str(stored.id), _value(where), lambda text: [text])
        if name not in self.properties or not self.properties[name]["indexFilterable"]:
            raise Refused(f"filter on '{name}': there is no filterable index for it in class '{self.name}'")
        held = stored.properties.get(name)
        if held is None:
            return bool(operator == "NOT_EQUAL")
        cut = (lambda text: self.tokens(name, text)) if isinstance(held, str) else (lambda each: [each])
        return _compared(operator, held, _value(where), cut)

    def found(self, tenant: str, where: Any) -> list[Stored]:
        """The objects that pass a filter, by id."""
        held = self.shard(tenant).objects
        return [held[each] for each in sorted(held, key=str) if self.fits(held[each], where)]

    def bm25(self, tenant: str, query: str, boosted: Sequence[str], where: Any) -> list[tuple[Stored, float]]:
        """BM25F over properties such as `title^3`, with the statistics of the whole tenant; best first."""
        boosts = {name: float(boost or 1) for name, _, boost in (each.partition("^") for each in boosted)}
        for name in boosts:
            if not self.properties[name]["indexSearchable"]:
                raise Refused(f"inverted search on '{name}': there is no searchable index for it")
        everything = list(self.shard(tenant).objects.values())
        bags = {
            each.id: {
                name: _bag(self.properties[name]["tokenization"], each.properties.get(name) or "") for name in boosts
            }
            for each in everything
        }
        mean = sum(count.total() for bag in bags.values() for count in bag.values()) / max(len(bags), 1)
        asked = {token for name in boosts for token in self.tokens(name, query)}
        scores = {each.id: 0.0 for each in everything}
        k1, b = (self.schema["invertedIndexConfig"]["bm25"][name] for name in ("k1", "b"))
        for token in asked:
            counts = {each: sum(boosts[name] * bag[name][token] for name in boosts) for each, bag in bags.items()}
            holding = sum(count > 0 for count in counts.values())
            idf = math.log(1 + (len(bags) - holding + 0.5) / (holding + 0.5))
            for each, count in counts.items():
                length = sum(bag.total() for bag in bags[each].values())
                scores[each] += idf * count / (count + k1 * (1 - b + b * length / mean)) if count else 0.0
        passing = [each for each in everything if scores[each.id] > 0 and self.fits(each, where)]
        return sorted(((each, scores[each.id]) for each in passing), key=lambda pair: (-pair[1], str(pair[0].id)))

    def near(self, tenant: str, vector: Sequence[float], where: Any) -> list[tuple[Stored, float]]:
        """By dot product: its negative is the distance; nearest first."""
        if self.schema["vectorIndexConfig"]["distance"] != "dot" or self.schema["vectorIndexConfig"]["skip"]:
            raise Refused("the double compares by dot product only")
        shard = self.shard(tenant)
        if shard.dims and shard.dims != len(vector):
            raise Refused(f"vector lengths don't match: {shard.dims} vs {len(vector)}")
        passing = [each for each in shard.objects.values() if each.vector and self.fits(each, where)]
        held = np.array([each.vector for each in passing]).reshape(len(passing), len(vector))
        far = (-held @ np.array(vector)).tolist()
        return sorted(zip(passing, far, strict=True), key=lambda pair: (pair[1], str(pair[0].id)))


def _with_defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(dict(schema))
    if not re.fullmatch(r"[A-Z][_0-9A-Za-z]{0,254}", str(made.get("class"))):
        raise Refused(f"'{made.get('class')}' is not a valid class name")
    made["invertedIndexConfig"] = {**_INVERTED, **made.get("invertedIndexConfig", {})}
    made["multiTenancyConfig"] = {
        "enabled": False, "autoTenantCreation": False, "autoTenantActivation": False,
    } | made.get("multiTenancyConfig", {})  # fmt: skip
    made["vectorIndexConfig"] = {**_HNSW, **made.get("vectorIndexConfig", {})}
    made.setdefault("vectorIndexType", "hnsw")
    made.setdefault("vectorizer", "none")
    made.setdefault("replicationConfig", {"factor": 1, "asyncEnabled": False})
    sharding = dict.fromkeys(("virtualPerPhysical", "desiredCount", "actualCount", "desiredVirtualCount"), 1)
    sharding |= {"actualVirtualCount": 1}
    names = {"key": "_id", "strategy": "hash", "function": "murmur3"}
    made.setdefault("shardingConfig", {} if made["multiTenancyConfig"]["enabled"] else sharding | names)
    for each in made.setdefault("properties", []):
        text = each["dataType"][0] == "text"
        each.setdefault("indexFilterable", True)
        each.setdefault("indexSearchable", text)
        each.setdefault("indexRangeFilters", False)
        if text:
            each.setdefault("tokenization", "word")
    return made


def _value(where: Any) -> Any:
    kind = where.WhichOneof("test_value")
    held = getattr(where, kind)
    return list(held.values) if kind.endswith("_array") else held


def _compared(operator: str, held: Any, wanted: Any, cut: Callable[[Any], list[Any]]) -> bool:
    tokens = cut(held)
    if operator == "CONTAINS_ANY":
        return any(set(cut(each)) <= set(tokens) for each in wanted if cut(each))
    if operator in ("EQUAL", "NOT_EQUAL"):
        same = bool(set(cut(wanted)) <= set(tokens) if isinstance(held, str) else held == wanted)
        return same is (operator == "EQUAL")
    if operator == "LESS_THAN":
        return bool(held < wanted)
    raise Refused(f"the double knows no {operator}")
