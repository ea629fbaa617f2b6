"""Origins: what a thread's checkpoints say of the graph that wrote them, for a graph that goes on with it.

Each checkpoint is stamped with its graph's version. A thread of an older one is migrated before it goes on. A task that
was carried over keeps the place that it had: questions that wait, and effects that were claimed, are known by it.
"""

from __future__ import annotations

from typing import Any, cast

import orjson
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.types import Command

PLACES = "segue_places"
"""In the metadata of a migrated checkpoint: by a task's namespace, the one that it had before, as JSON."""
_GIVEN = "__segue_places"
_NESTED = "__pregel_read"


def place_of(config: RunnableConfig) -> str:
    """Which task of the graph this is: the same at each delivery of it, before and after a migration."""
    place = str((config.get("metadata") or {}).get("langgraph_checkpoint_ns") or "")
    given = (config.get("configurable") or {}).get(_GIVEN)
    return before(given, place) if given else place


def before(places: dict[str, str], place: str) -> str:
    """The place that a task had before the migration: its own, or that of a task around it."""
    at = place
    while at:
        if at in places:
            return places[at] + place[len(at) :]
        at = at.rpartition("|")[0]
    return place


def places_of(metadata: Any) -> dict[str, str]:
    """The places that a checkpoint keeps."""
    held = (metadata or {}).get(PLACES)
    return cast("dict[str, str]", orjson.loads(held)) if isinstance(held, str) else {}


def stamped_config(graph: Any, config: RunnableConfig | None) -> RunnableConfig:
    """The config, its checkpoints stamped with the graph's version."""
    from segue.graphs.versions import STAMP, stamp_of

    made: dict[str, Any] = dict(config or {})
    made["metadata"] = {STAMP: stamp_of(graph), **(made.get("metadata") or {})}
    return cast(RunnableConfig, made)


async def taken_up(graph: Any, given: Any, config: RunnableConfig | None) -> RunnableConfig | None:
    """The config with which a graph starts or goes on: stamped, its thread migrated, with the places of old tasks.

    A graph inside another one is a part of its run: its config is left as it is.

    Raises:
        MigrationFailed: As `carrying.migrate`.
    """
    for held in (config, var_child_runnable_config.get()):
        if held and _NESTED in (held.get("configurable") or {}):
            return config
    from segue.graphs.carrying import migrate

    made: dict[str, Any] = dict(stamped_config(graph, config))
    saver, configurable = graph.checkpointer, dict(made.get("configurable") or {})
    if saver is None or isinstance(saver, bool) or "thread_id" not in configurable:
        return cast(RunnableConfig, made)
    if "checkpoint_id" not in configurable:
        await migrate(graph, made)
    if given is None or isinstance(given, Command):
        held = await saver.aget_tuple({"configurable": {"checkpoint_ns": "", **configurable}})
        if held is not None and (places := places_of(held.metadata)):
            made["configurable"] = {**configurable, _GIVEN: places}
    return cast(RunnableConfig, made)
