"""Resuming: a run and its newest checkpoint in, what to hand to the graph out - its request, answers, or nothing.

Whether a person may answer, and by what, is in `checks`.
"""

from __future__ import annotations

from typing import Any

import orjson
from langgraph.types import Command

from segue.agents.run import RunRecord
from segue.base.errors import BadInput
from segue.base.ids import derived_id
from segue.context.decisions import InterruptRequest

RUN_ID = "segue_run_id"
"""Stamped into the metadata of every checkpoint that a run writes."""
BRANCH = "segue_branch"
"""Stamped likewise by a run that forked: the id of its branch."""


class Superseded(BadInput):
    """A later run, or a fork, went on with the thread of this one."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"run {run_id} cannot go on: a later run went on with its thread.",
            way_out="Start a new run, or fork the thread from a checkpoint of this one: ws.checkpoints, ws.fork.",
        )


async def went_on(graph: Any, config: Any, record: RunRecord) -> Any | None:
    """The newest checkpoint of the run's thread where that is the run's own; `None` where the run has none at all.

    Raises:
        Superseded: The run has checkpoints, and the newest of the thread is none of them.
    """
    return await graph.aget_state(config) if await has_newest(graph, config, record) else None


async def has_newest(graph: Any, config: Any, record: RunRecord) -> bool:
    """Whether the newest checkpoint of the run's thread is the run's own; `False` where the run has none at all.

    It is not loaded into the graph, which may have changed since.

    Raises:
        Superseded: As `went_on`.
    """
    held = await graph.checkpointer.aget_tuple(config)
    if held is not None and held.metadata.get(RUN_ID) == record.run_id:
        return True
    async for _ in graph.checkpointer.alist(config, filter={RUN_ID: record.run_id}, limit=1):
        raise Superseded(record.run_id)
    return False


async def input_of(
    graph: Any, config: Any, record: RunRecord, fresh: dict[str, Any], *, resumed: bool
) -> tuple[Any, bool]:
    """What to hand to the graph: the request, the answers, or nothing where a checkpoint says where the run was.

    The second is whether the run begins, rather than goes on.

    Going on with nothing is only right where the newest checkpoint carries this run's id; else the run never reached
    its first checkpoint, and starts as it would have.

    Raises:
        Superseded: As `went_on`.
    """
    first = {"messages": list(record.request), **fresh} if record.request else None
    if not resumed:
        return first, True
    snapshot = await went_on(graph, config, record)
    if snapshot is None:
        if (record.forked_from or {}).get("changed"):
            raise BadInput(
                f"run {record.run_id} ended before its first checkpoint, and what it was to change is not kept.",
                way_out="Fork anew.",
            )
        return first, True
    resume: dict[str, Any] = {}
    for interrupt in snapshot.interrupts:
        requests = requests_of(interrupt, record.run_id)
        chosen = {each["id"]: record.answers[each["id"]] for each in requests if each["id"] in record.answers}
        if chosen:
            resume[interrupt.id] = chosen if is_ours(interrupt) else chosen[requests[0]["id"]].get("value")
    return (Command(resume=resume) if resume else None), False


def requests_of(interrupt: Any, run_id: str) -> list[dict[str, Any]]:
    """What an interrupt asks; one that a LangGraph graph raised by itself is a question, answered by its value."""
    if is_ours(interrupt):
        return list(interrupt.value)
    value = interrupt.value
    question = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return [InterruptRequest(id=derived_id("int", run_id, interrupt.id), kind="question", question=question).to_dict()]


def is_ours(interrupt: Any) -> bool:
    """Whether one of our nodes raised it."""
    value = interrupt.value
    return isinstance(value, list) and all(isinstance(each, dict) and {"id", "kind"} <= each.keys() for each in value)
