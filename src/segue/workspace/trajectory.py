"""Trajectories: the steps of a run so far and its next one in, the steps with that one out.

A step is a generation or a tool result, as plain data. What a step holds is decided in `segment`.
"""

from __future__ import annotations

from typing import Any


def add_step(trajectory: list[dict[str, Any]], step: dict[str, Any]) -> None:
    """Add a step in place. A call that was delivered again has one result: the newer one."""
    if step["type"] == "tool_result":
        _drop_older(trajectory, step)
    trajectory.append(step)


def _drop_older(trajectory: list[dict[str, Any]], result: dict[str, Any]) -> None:
    for index in range(len(trajectory) - 1, -1, -1):
        each = trajectory[index]
        if each["agent"] == result["agent"] and each["task_id"] == result["task_id"]:
            if each["type"] == "generation":
                return
            if each["call_id"] == result["call_id"]:
                del trajectory[index]
                return
