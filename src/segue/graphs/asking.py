"""Asking a person from inside a node: requests in, responses out, with a wait in between that outlives the process."""

from __future__ import annotations

from typing import Any

from langgraph.config import get_config
from langgraph.types import interrupt

from segue.base.errors import BadInput
from segue.context.decisions import InterruptRequest, Response, response_from_dict

_GIVEN = "__segue_answers"


def ask(requests: list[InterruptRequest]) -> dict[str, Response]:
    """Wait for a person: the requests in, responses by their ids out. The node starts over when they are in.

    LangGraph hands answers back in the order of the waits. What a node asks side by side has none, so all answers that
    were given to this delivery of it are kept, and each question takes its own by id.

    Raises:
        BadInput: The graph was resumed with something else than answers by their ids.
    """
    given: dict[str, Any] = get_config()["configurable"].setdefault(_GIVEN, {})
    while missing := [request.to_dict() for request in requests if request.id not in given]:
        answers = interrupt(missing)
        if not isinstance(answers, dict):
            raise BadInput(
                f"an interrupt of Segue is answered by its id, not by {answers!r}.",
                way_out='Resume with {id: {"type": "approve"}}, or another answer of that form.',
            )
        given.update(answers)
    return {request.id: response_from_dict(given[request.id]) for request in requests}
