"""Tool calls on their way: what is known of one call before it runs, while a person is asked, and when it is done.

Data only. `judging` makes a call ready, `asking` puts it before a person, `effects` and `running` see it to its end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from segue.base.ids import derived_id
from segue.base.labels import Labels
from segue.base.messages import Message, ToolCall, tool_result
from segue.base.pairs import paired
from segue.base.quick import quick
from segue.context.decisions import InterruptRequest
from segue.context.effects import Came, Effect
from segue.context.questions import call_request_id
from segue.context.run import RunContext
from segue.tools.tool import Tool
from segue.tracing.uses import DocumentSource

Source = Literal["", "redelivered", "replayed", "reconciled", "settled"]
"""Where a result comes from that no tool gave now: this call ran before a stop; another call had the same effect; the
tool's `reconcile` found that it had taken effect; a person said what came of it."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What came of one tool call."""

    call: ToolCall
    tool: Tool | None
    """`None` where the model invented the name."""
    content: str
    """What the model reads."""
    failed: bool = False
    atoms: tuple[tuple[str, str], ...] = ()
    artefact_id: str = ""
    """Where the whole of a value too large for the model lies."""
    source: Source = ""
    """Empty where it was made now."""
    reason: str = ""
    """Why it was not made now."""
    sources: tuple[DocumentSource, ...] = ()
    """The places of documents that it was taken from; for the trace, and nothing that the model reads."""

    def message(self) -> Message:
        """As it enters the conversation."""
        name = self.call["function"]["name"]
        trusted = self.tool is not None and self.tool.trusted and not self.failed
        labels = Labels(integrity="tool" if trusted else "untrusted", kind="tool_result", source=name)
        held = [list(atom) for atom in self.atoms]
        return tool_result(self.call["id"], self.content, name=name, failed=self.failed, labels=labels, atoms=held)

    def came(self) -> Came:
        """As the ledger keeps it."""
        return Came(content=self.content, failed=self.failed, atoms=self.atoms, artefact_id=self.artefact_id)


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A call whose tool exists and whose arguments fit."""

    call: ToolCall
    tool: Tool
    arguments: dict[str, Any]
    """With their Python types."""
    raw: dict[str, Any]
    """As JSON data."""
    delivery: str
    """The same for each delivery of this call."""
    reason: str = ""
    """Why it may run."""
    approved_by: str = ""
    over: Effect | None = None
    """An effect that was begun before and may be begun again, by this call."""

    def but(self, **changes: Any) -> Ready:
        """A copy with other values. Made by hand, for every call takes some: see `RunContext.at`."""
        copy = object.__new__(Ready)
        object.__setattr__(copy, "__dict__", self.__dict__ | changes)
        return copy

    @property
    def ledgered(self) -> bool:
        """Whether it happens once: reads may repeat, and what an agent does below writes its own effects down."""
        return ledgered(self.tool)


def _said(call: ToolCall) -> tuple[str, str, str]:
    """What tells a call of a reply from the others."""
    return call["id"], call["function"]["name"], call["function"]["arguments"]


def _expires_at(tool: Tool, ctx: RunContext[Any]) -> float | None:
    return None if tool.approval_expires_s is None else ctx.now() + tool.approval_expires_s


@dataclass(frozen=True)
class Asked:
    """A call that a person must look at before it runs."""

    item: Ready
    reason: str

    def request(self, ctx: RunContext[Any]) -> InterruptRequest:
        """As the person is asked; the id is the same at each delivery."""
        return InterruptRequest(
            id=call_request_id(ctx, *_said(self.item.call)),
            kind="approval",
            tool=self.item.tool.name,
            arguments=self.item.raw,
            reason=self.reason,
            agent=ctx.agent,
            call_id=self.item.call["id"],
            scopes=sorted(self.item.tool.scopes),
            expires_at=_expires_at(self.item.tool, ctx),
        )


@dataclass(frozen=True)
class Doubtful:
    """A call whose effect was begun before, and of which nobody knows whether it took place."""

    item: Ready
    found: Effect
    reason: str

    def request(self, ctx: RunContext[Any]) -> InterruptRequest:
        """As the person is asked; another try that is cut short asks anew."""
        return InterruptRequest(
            id=call_request_id(ctx, *_said(self.item.call), "effect", self.found.claim),
            kind="effect",
            tool=self.item.tool.name,
            arguments=self.found.arguments,
            reason=self.reason,
            agent=ctx.agent,
            call_id=self.item.call["id"],
            scopes=sorted(self.item.tool.scopes),
        )


Prepared = Ready | ToolResult
Judged = Ready | ToolResult | Asked | Doubtful


def ledgered(tool: Tool | None) -> bool:
    """Whether calls of this tool go through the ledger; a name that is not known may have been one that does."""
    return tool is None or (tool.effect != "read" and not tool.delegates)


def is_keyed(tool: Tool | None) -> bool:
    """Whether anybody learns how a call of this tool is recognised: the ledger, or a function that sees the context."""
    return tool is None or tool.effect != "read" or tool.takes_ctx or tool.delegates


def failed(call: ToolCall, tool: Tool | None, why: str) -> ToolResult:
    """A failed result, which the model reads."""
    return ToolResult(call=call, tool=tool, content=f"error: {paired(why)}", failed=True)


def given(call: ToolCall, tool: Tool | None, came: Came, source: Source, reason: str) -> ToolResult:
    """The result of a call that did not run now."""
    return ToolResult(
        call=call, tool=tool, content=came.content, failed=came.failed, atoms=came.atoms,
        artefact_id=came.artefact_id, source=source, reason=f"{source}: {reason}",
    )  # fmt: skip


def deliveries(calls: Sequence[ToolCall], ctx: RunContext[Any]) -> list[str]:
    """What each call of one reply is recognised by at its next delivery.

    Made of the run, the conversation inside it, and the call as the checkpoint holds it. A graph that was started
    without a run has another one around it at each delivery: there it is the task of the graph that stays. Two calls of
    one reply that share an id are two.
    """
    seen: dict[str, int] = {}
    run, conversation = ("", ctx.place) if ctx.borrowed and ctx.place else (ctx.run_id, ctx.place.rpartition("|")[0])
    out = []
    for call in calls:
        function = call["function"]
        said = hashlib.sha256(f"{function['name']}\x1f{function['arguments']}".encode("utf-8", "surrogatepass"))
        name = derived_id("dlv", run, conversation, ctx.branch, call["id"], said.hexdigest())
        count = seen[name] = seen.get(name, 0) + 1
        out.append(name if count == 1 else derived_id("dlv", name, str(count)))
    return out
