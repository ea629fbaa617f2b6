"""Versions: a compiled graph in, its structure as plain data, a short hash of it, and differences in words out.

What a stored thread depends on is in: nodes, edges, channels with their kinds, types and reducers, graphs inside,
tools with their arguments and effects. What it does not depend on is left out: instructions, models, descriptions.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from langgraph.channels.base import BaseChannel
from pydantic import BaseModel

from segue.graphs.fitting import schema_of
from segue.graphs.specs import TeamSpec, WorkerSpec

STAMP = "segue_graph"
"""In the metadata of every checkpoint: `version#hash` of the graph that wrote it."""
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_HASH_CHARS = 12


def graph_version(graph: Any) -> str:
    """A hash of the graph's structure, 12 hex digits; the same in every process for the same structure."""
    found = graph.builder.__dict__.get("_segue_version")
    if isinstance(found, str):
        return found
    text = json.dumps(graph_shape(graph), sort_keys=True, default=str)
    made = hashlib.blake2b(text.encode()).hexdigest()[:_HASH_CHARS]
    graph.builder.__dict__["_segue_version"] = made
    return made


def stamp_of(graph: Any) -> str:
    """What its checkpoints are stamped with: the version that people gave it, if any, and the hash."""
    return f"{getattr(graph.builder, 'version', '')}#{graph_version(graph)}"


def read_stamp(stamp: str) -> tuple[str, str]:
    """The version and the hash of a stamp; empty where there is none."""
    version, _, digest = stamp.rpartition("#")
    return version, digest


def graph_shape(graph: Any) -> dict[str, Any]:
    """The structure of a compiled graph, as plain data."""
    builder = graph.builder
    branches = {
        source: {name: sorted(map(str, (branch.ends or {"any": "any"}).values())) for name, branch in held.items()}
        for source, held in builder.branches.items()
    }
    inside = {name: graph_shape(each) for name, node in graph.nodes.items() for each in node.subgraphs if _drawn(each)}
    return {
        "nodes": {name: sorted(spec.ends or ()) for name, spec in builder.nodes.items()},
        "edges": sorted(f"{source} → {target}" for source, target in builder.edges),
        "joins": sorted(f"{'+'.join(sources)} → {target}" for sources, target in builder.waiting_edges),
        "branches": branches,
        "state": _state(builder.state_schema),
        "channels": {name: _channel(spec) for name, spec in graph.channels.items() if _is_state(name, spec)},
        "inside": inside,
        "agents": {name: _agent(spec) for name, spec in getattr(builder, "about", {}).items()},
    }


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What of one shape is otherwise in another, in words; empty where nothing is."""
    return list(_differences(old, new, ""))


_WORDS = {
    "nodes": "node", "channels": "channel", "inside": "graph inside", "agents": "agent", "tools": "tool",
    "edges": "edge", "joins": "join", "branches": "condition of", "workers": "worker",
}  # fmt: skip


def _differences(old: Any, new: Any, path: str) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        word = _WORDS.get(path.rpartition(" ")[2], path)
        for key in sorted({*old, *new}):
            label = f"{word} {key}".strip()
            if key not in new:
                yield f"{label} is gone"
            elif key not in old:
                yield f"{label} is new"
            elif old[key] != new[key]:
                yield from _differences(old[key], new[key], (_WORDS.get(key, "") and key) or label)
    elif isinstance(old, list) and isinstance(new, list):
        word = _WORDS.get(path, path)
        yield from (f"{word} {each} is gone" for each in old if each not in new)
        yield from (f"{word} {each} is new" for each in new if each not in old)
    else:
        yield f"{path} was {old}, is {new}"


def _drawn(graph: Any) -> bool:
    return hasattr(graph, "builder")


def _is_state(name: str, spec: Any) -> bool:
    return isinstance(spec, BaseChannel) and not name.startswith(("branch:to:", "join:", "__"))


def _state(schema: Any) -> Any:
    """What a state class demands beside the types of its channels: bounds, and what must be there."""
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return _type(schema)
    if isinstance(schema, type) and dataclasses.is_dataclass(schema):
        missing = dataclasses.MISSING
        fields = dataclasses.fields(schema)
        return sorted(each.name for each in fields if each.default is missing and each.default_factory is missing)
    return ""


def _channel(spec: BaseChannel[Any, Any, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {"kind": type(spec).__name__, "type": _type(spec.typ)}
    operator = getattr(spec, "operator", None) or getattr(spec, "reducer", None)
    if operator is not None:
        out["reducer"] = f"{getattr(operator, '__module__', '')}.{getattr(operator, '__qualname__', repr(operator))}"
        out["reducer"] = _ADDRESS.sub("", out["reducer"])
    return out


def _type(kind: Any) -> str:
    """A type in words, and a hash of its schema where it has one: a field that is new changes it."""
    words = repr(kind)
    try:
        return _type_of(kind, words)
    except TypeError:  # it has no hash
        return _type_of.__wrapped__(kind, words)


@lru_cache(maxsize=1024)
def _type_of(kind: Any, words: str) -> str:
    """`words` tells apart what is equal, and stands there in another order: `int | str`, `str | int`."""
    name = _ADDRESS.sub("", getattr(kind, "__name__", None) or words)
    schema = schema_of(kind)
    if schema is None:
        return name
    digest = hashlib.blake2b(json.dumps(plain_schema(schema), sort_keys=True, default=str).encode()).hexdigest()
    return f"{name} {digest[:_HASH_CHARS]}"


def plain_schema(schema: Any) -> Any:
    """A JSON schema without what only people read: titles and descriptions."""
    if isinstance(schema, dict):
        return {
            key: {name: plain_schema(each) for name, each in value.items()}
            if key in ("properties", "$defs") and isinstance(value, dict)
            else plain_schema(value)
            for key, value in schema.items()
            if not (key in ("title", "description") and isinstance(value, str))
        }
    return [plain_schema(each) for each in schema] if isinstance(schema, list) else schema


def _agent(spec: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if isinstance(spec, WorkerSpec):
        out["tools"] = {
            tool.name: {
                "arguments": plain_schema(tool.parameters),
                "effect": tool.effect,
                "approval": tool.approval if isinstance(tool.approval, bool) else "by a predicate",
            }
            for tool in spec.toolset.tools()
        }
    if isinstance(spec, TeamSpec):
        out["workers"] = sorted(worker.name for worker in spec.workers)
    if isinstance(spec, WorkerSpec | TeamSpec):
        out["output"] = plain_schema(spec.output.schema) if spec.output is not None else "text"
    return out
