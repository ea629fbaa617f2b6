"""What LangGraph's `DeltaChannel` is rebuilt from: a checkpoint and channels in, their writes and last value out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segue.memory.savers import schema
from segue.memory.savers.core import Core, place_of
from segue.memory.savers.reading import Steps, ask


def history(core: Core, config: Any, channels: Sequence[str]) -> Steps[dict[str, Any]]:
    """For each channel its writes, oldest first, on the way to the checkpoint since a value was stored, and that value.

    Writes on the checkpoint itself are pending and do not count.
    """
    place, checkpoint_id = place_of(core.tenant, config)
    reader = core.reader()
    found: dict[str, Any] = {channel: {"writes": []} for channel in channels}
    wanted = set(channels)
    if checkpoint_id is None:
        rows = yield from ask(schema.LATEST, *place)
    else:
        rows = yield from ask(schema.ONE, *place, checkpoint_id)
    while rows and wanted and rows[0][2] is not None:
        rows = yield from ask(schema.ONE, *place, rows[0][2])
        if not rows:
            break
        thread, at, parent, row = rows[0]
        body = reader.body(place, at, parent, row)
        written = yield from ask(schema.WRITES, thread, place[2], at)
        for write in reversed((yield from reader.writes(place, at, written))):
            if write[1] in wanted:
                found[write[1]]["writes"].append(write)
        for channel in sorted(wanted & set(body.entries)):
            found[channel]["seed"] = yield from reader.value(place, body.entries[channel])
            wanted.discard(channel)
    for held in found.values():
        held["writes"].reverse()
    return found
