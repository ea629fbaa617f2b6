"""After a stop: the departures that the checkpoints still know, put back into the log of edges.

A resumed run starts tasks whose sources finished before the stop. Their writes are in the saver: those of the step
that is under way lie with the newest checkpoint, those that led to its tasks with the one before. A lane keeps no
writes of a task that finished: there the one task of the checkpoint before is the source, and the newest names where it
led.
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
        await _leave(graph, before, log, arrived=True, onward=snapshot)


async def _leave(graph: Any, snapshot: Any, log: EdgeLog, *, arrived: bool, onward: Any = None) -> None:
    """`arrived`: the tasks that these writes started have been started once before the stop, in `onward`."""
    held = await graph.checkpointer.aget_tuple(snapshot.config)
    names = {task.id: task.name for task in snapshot.tasks}
    writes = (held.pending_writes if held else None) or ()
    if not writes and onward is not None and len(names) == 1:
        [task_id] = names
        writes = [(task_id, channel, None) for channel in await _led_to(graph, onward)]
    for task_id, channel, value in writes:
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


async def _led_to(graph: Any, snapshot: Any) -> list[str]:
    held = await graph.checkpointer.aget_tuple(snapshot.config)
    return list((held.checkpoint.get("updated_channels") or ()) if held else ())


def _targets(channel: str, value: Any) -> list[tuple[str, EdgeKind]]:
    if channel.startswith(_BRANCH):
        return [(channel.removeprefix(_BRANCH), "static")]
    if channel.startswith(_JOIN):
        return [(channel.rpartition(":")[2], "join")]
    if channel == _SENDS:
        sends = value if isinstance(value, list | tuple) else [value]
        return [(send.node, "send") for send in sends if isinstance(send, Send)]
    return []
