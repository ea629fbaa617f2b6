"""After a stop: the departures that the checkpoints still know, put back into the log of edges.

A resumed run starts tasks whose sources finished before the stop. Their writes are in the saver: those of the step
that is under way lie with the newest checkpoint, those that led to its tasks with the one before.
"""

from __future__ import annotations

from typing import Any

from langgraph.types import Send

from segue.graphs.edges import PUSH, Departure, EdgeKind, EdgeLog

_BRANCH = "branch:to:"
_JOIN = "join:"
_SENDS = "__pregel_tasks"


async def recover(graph: Any, config: Any, log: EdgeLog) -> None:
    """Read the departures of the newest checkpoint of a thread, and of the one before it, into the log."""
    snapshot = await graph.aget_state(config)
    await _leave(graph, snapshot, log, arrived=False)
    if snapshot.parent_config is not None:
        before = await graph.aget_state(snapshot.parent_config)
        await _leave(graph, before, log, arrived=True)


async def _leave(graph: Any, snapshot: Any, log: EdgeLog, *, arrived: bool) -> None:
    """`arrived`: the tasks that these writes started have been started once before the stop."""
    held = await graph.checkpointer.aget_tuple(snapshot.config)
    names = {task.id: task.name for task in snapshot.tasks}
    for task_id, channel, value in (held.pending_writes if held else None) or ():
        source = names.get(task_id)
        if source is None:
            continue
        for target, kind in _targets(channel, value):
            log.leave(
                "",
                Departure(
                    source=source,
                    target=target,
                    kind="recovered" if arrived else kind,
                    channel=PUSH if kind == "send" else channel,
                    reason="taken up again after a stop",
                ),
            )


def _targets(channel: str, value: Any) -> list[tuple[str, EdgeKind]]:
    if channel.startswith(_BRANCH):
        return [(channel.removeprefix(_BRANCH), "static")]
    if channel.startswith(_JOIN):
        return [(channel.rpartition(":")[2], "join")]
    if channel == _SENDS:
        sends = value if isinstance(value, list | tuple) else [value]
        return [(send.node, "send") for send in sends if isinstance(send, Send)]
    return []
