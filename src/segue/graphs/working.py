"""Working: one piece of work for one worker in, the text of its answer out, and whether it failed.

A worker's failure is a failed piece of work, which whoever sent it reads; what ends the whole run is let through.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp

from segue.base.errors import OperatorError, RunStopped, UserError
from segue.base.messages import Message
from segue.graphs.budgeting import ends_run, told_stop
from segue.graphs.running import run_context
from segue.graphs.specs import Worker

FOREIGN_STEPS = 10_000
"""The bound on super-steps of a graph that is not ours; ours are bounded by rounds, tasks and budgets."""


async def work(worker: Worker, graph: Any, messages: Sequence[Message], config: RunnableConfig) -> tuple[str, bool]:
    """The worker's answer as text, and whether it failed.

    Args:
        worker: Who does it.
        graph: Its graph, loaded.
        messages: What it reads.
        config: With the context of the run that it is part of.

    Raises:
        UserError: Something is wired wrongly.
        RunStopped: The run's budget or deadline is reached, or it was cancelled; a worker that goes round in a loop,
            or whose own budget ends, fails by itself.
    """
    if worker.foreign:
        config = {**config, "recursion_limit": FOREIGN_STEPS}
    try:
        final = await graph.ainvoke(worker.enter(list(messages)), config)
        if isinstance(final, dict) and not worker.foreign and final.get("blocked"):
            return f"error: {worker.name} was blocked: {final['blocked']}", True
        text = worker.leave(final)
        return (text if isinstance(text, str) else await text), False
    except (UserError, GraphBubbleUp):
        raise
    except RunStopped as stopped:
        if ends_run(stopped, worker.name, run_context(config)):
            raise
        return f"error: {told_stop(stopped)}", True
    except OperatorError as error:
        return f"error: {error}", True
    except Exception as error:
        if not worker.foreign:
            raise
        return f"error: {type(error).__name__}: {error}", True
