"""Verdicts of rails and of the gate, and the responses of people to an interrupt."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, assert_never

from segue.base.errors import BadInput
from segue.base.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Allow:
    """Go on unchanged."""

    reason: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Go on with this instead."""

    value: Any
    reason: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Do not go on; the reason is told."""

    reason: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
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


InterruptKind = Literal["approval", "question", "effect"]


@dataclass(frozen=True, kw_only=True)
class InterruptRequest:
    """A question to a person that a run waits for."""

    id: str
    """Stable over redeliveries; the key in `ws.resume(run_id, answers={id: …})`."""
    kind: InterruptKind
    """`approval`: may this call run; `question`: what is the value; `effect`: nobody knows whether this call took
    effect - approve to do it again, reject to leave it, answer with its result where it was done."""
    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    """The very arguments that would run; of a question in a tool, those of the call that asks."""
    question: str = ""
    reason: str = ""
    """Why a person is asked."""
    agent: str = ""
    call_id: str = ""
    scopes: list[str] = field(default_factory=list)
    """What whoever approves must hold: the rights are looked at when the answer is given."""
    options: list[Any] | None = None
    """The values that a question can be answered by; `None` for any."""
    schema: dict[str, Any] | None = None
    """The JSON schema that the answer to a question must fit; `None` for any."""
    expires_at: float | None = None
    """Seconds since 1970 from which on it cannot be answered any more; `None` for never."""
    expired: bool = False
    """Whether that time has passed, as of when the run was looked at."""

    def seen_at(self, now: float) -> InterruptRequest:
        """The same, with `expired` as it is at this time."""
        return replace(self, expired=self.expires_at is not None and now >= self.expires_at)

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
