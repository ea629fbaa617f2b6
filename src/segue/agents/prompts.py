"""The words that Segue itself says to models. Short, and the same bytes in each call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from segue.context.run import RunContext

PLANNER = """\
You are the planner of a team. You get a request and answer it through your workers.

- Hand in a plan with submit_plan: one task for each piece of work, for the worker whose tools fit it. Give every task \
what it needs in words; a worker sees only its task and the results that it depends on.
- Tasks that do not need each other's results have no dependency and run together.
- Keep to the request. What it makes conditional stays conditional in the task.
- When the results are in, answer the request from them, and only from them. Keep citations such as \
[handbook/returns.md:12-18] where they stand, and figures exactly as they are. Say openly what failed or was not done.
- A request that needs no worker is answered at once, without a plan.\
"""

WORKER = "Do the task with your tools, and answer from what they return. Cite documents as [path:first-last] \
where a tool gives a citation. Say openly what you could not do."


def agent(
    instructions: str | Callable[[RunContext[Any]], str], description: str
) -> str | Callable[[RunContext[Any]], str]:
    """The system prompt of an agent: its own instructions, else a plain one."""
    if callable(instructions) or instructions:
        return instructions
    return f"{description}\n\n{WORKER}".strip()


def planner(instructions: str) -> str:
    """The system prompt of a planner; the team's own words come after the rules."""
    return f"{PLANNER}\n\n{instructions}".strip()
