"""Notes: what a run has done and spent since its record was kept, so that a kill does not lose it.

Where the graph takes its notes along, they are stored with the checkpoint of the step that they are of, in the same
transaction; else each is written at once, beside the record.
"""

from __future__ import annotations

from typing import Any

import orjson

from segue.workspace.records import RunRecords


class Notes:
    """The notes of one run."""

    def __init__(self, records: RunRecords, tenant: str, run_id: str) -> None:
        self._records = records
        self._whose = (tenant, run_id)
        self._taken_along = False
        self.beside = False
        """Whether any was written beside the record."""
        self._steps: list[dict[str, Any]] = []
        self._spent: dict[str, Any] | None = None

    def step(self, step: dict[str, Any]) -> None:
        """A step of the trajectory."""
        if self._taken_along:
            self._steps.append(step)
        else:
            self.beside = True
            self._records.note_step(*self._whose, step)

    def spent(self, spending: dict[str, Any]) -> None:
        """What the run has spent so far."""
        if self._taken_along:
            self._spent = spending
        else:
            self.beside = True
            self._records.note_spent(*self._whose, spending)

    def take_along(self) -> None:
        """From now on they go with checkpoints."""
        self._taken_along = True

    def take(self) -> bytes:
        """What was noted since the last checkpoint; empty where nothing was."""
        steps, spent, self._steps, self._spent = self._steps, self._spent, [], None
        return orjson.dumps({"steps": steps, "spent": spent}, default=str) if steps or spent else b""
