"""Asking people: a question of the model in, the person's answer out.

`ask_person` is a tool like any other. How a run waits is in `segue.graphs`, what an answer must be in
`segue.context.questions`.
"""

from __future__ import annotations

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
