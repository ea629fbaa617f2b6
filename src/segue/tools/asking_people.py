"""Asking people: a question of the model in, the person's answer out; and the questions of calls side by side as one.

`ask_person` is a tool like any other. How a run waits is in `segue.graphs`, what an answer must be in
`segue.context.questions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segue.context.run import RunContext
from segue.tools.tool import tool


@tool(effect="read", timeout_s=86_400.0)
def ask_person(ctx: RunContext, question: str, options: list[str] | None = None) -> str:
    """Ask the person whom this work is for, where something is missing that only they can know or decide.

    Args:
        question: One question, in words that can be answered without knowing what was done so far.
        options: The answers to choose from, where there are only some; left out, any answer is taken.
    """
    return str(ctx.ask(question, options=options))


def asked_together(signals: Sequence[BaseException]) -> BaseException:
    """One signal for several questions that calls side by side have raised: a node waits once for all of them."""
    first = signals[0]
    waits = [wait for signal in signals for wait in (signal.args[0] if signal.args else ())]
    if len(signals) == 1 or not all(isinstance(wait.value, list) for wait in waits):
        return first
    asked: dict[str, Any] = {request["id"]: request for wait in waits for request in wait.value}
    one = type(waits[0])(value=list(asked.values()), id=waits[0].id)
    return type(first)((one,))
