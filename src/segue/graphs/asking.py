"""Asking a person from inside a node: requests in, responses out, with a wait in between that outlives the process."""

from __future__ import annotations

from langgraph.types import interrupt

from segue.context.decisions import InterruptRequest, Response, response_from_dict


def ask(requests: list[InterruptRequest]) -> dict[str, Response]:
    """Wait for a person: the requests in, responses by their ids out. The node starts over when they are in."""
    answers = interrupt([request.to_dict() for request in requests])
    return {key: response_from_dict(answer) for key, answer in answers.items()}
