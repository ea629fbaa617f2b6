"""Verdicts of rails and of the gate, and the responses of people to an interrupt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, assert_never

from segue.base.errors import BadInput


@dataclass(frozen=True)
class Allow:
    """Go on unchanged."""

    reason: str = ""
    rule: str = ""


@dataclass(frozen=True)
class Rewrite:
    """Go on with this instead."""

    value: Any
    reason: str = ""
    rule: str = ""


@dataclass(frozen=True)
class Block:
    """Do not go on; the reason is told."""

    reason: str
    rule: str = ""


@dataclass(frozen=True)
class Ask:
    """Go on only if a person says so."""

    reason: str
    rule: str = ""


Decision = Allow | Rewrite | Block | Ask
"""What a rail or the gate says; `rule` names which rule said it."""


@dataclass(frozen=True)
class Approve:
    """Run the tool call as it stands."""

    by: str = ""


@dataclass(frozen=True)
class Edit:
    """Run the tool call with these arguments instead; they are judged again first."""

    arguments: dict[str, Any]
    by: str = ""


@dataclass(frozen=True)
class Reject:
    """Do not run the tool call; the model reads the reason."""

    reason: str = ""
    by: str = ""


@dataclass(frozen=True)
class Answer:
    """The answer to a question."""

    value: Any
    by: str = ""


Response = Approve | Edit | Reject | Answer
"""What a person answers to an interrupt."""


@dataclass(frozen=True, kw_only=True)
class InterruptRequest:
    """A question to a person that a run waits for."""

    id: str
    """Stable over redeliveries; the key in `ws.resume(run_id, answers={id: …})`."""
    kind: Literal["approval", "question"]
    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    """The very arguments that would run."""
    question: str = ""
    reason: str = ""
    """Why a person is asked."""
    agent: str = ""
    call_id: str = ""
    scopes: list[str] = field(default_factory=list)
    """What whoever approves must hold: the rights are looked at when the answer is given."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a checkpoint."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def response_to_dict(response: Response) -> dict[str, Any]:
    """Plain data, for a checkpoint."""
    match response:
        case Approve(by=by):
            return {"type": "approve", "by": by}
        case Edit(arguments=arguments, by=by):
            return {"type": "edit", "arguments": arguments, "by": by}
        case Reject(reason=reason, by=by):
            return {"type": "reject", "reason": reason, "by": by}
        case Answer(value=value, by=by):
            return {"type": "answer", "value": value, "by": by}
        case other:
            assert_never(other)


def response_from_dict(data: dict[str, Any]) -> Response:
    """The inverse of `response_to_dict`.

    Raises:
        BadInput: The type is none of approve, edit, reject, answer.
    """
    by = str(data.get("by", ""))
    match data.get("type"):
        case "approve":
            return Approve(by)
        case "edit":
            return Edit(data["arguments"], by)
        case "reject":
            return Reject(data.get("reason", ""), by)
        case "answer":
            return Answer(data.get("value"), by)
        case other:
            raise BadInput(f"an answer to an interrupt is approve, edit, reject or answer, not {other!r}")
