"""Judging: a tool call as the model made it in; the call made ready, a question to a person, or a failed result out.

The tool must exist, the arguments must fit, the rails must let the call pass, and the gate must allow it. In a fork
each write is asked about first, since another branch may have done it already.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from segue.base.errors import names
from segue.base.messages import ToolCall
from segue.base.pairs import paired
from segue.context.decisions import Allow, Ask, Block, Decision, Rewrite
from segue.context.run import RunContext
from segue.tools.calls import Asked, Prepared, Ready, ToolResult, failed
from segue.tools.tool import Tool
from segue.tracing.audit import decided


def _encoder() -> Callable[[Any], str]:
    """`json.dumps` without ASCII alone: the encoder of the standard library sets itself up anew at each call."""
    plain = json.JSONEncoder(ensure_ascii=False, check_circular=False)
    make: Any = json.encoder.c_make_encoder  # type: ignore[attr-defined]
    if make is None:  # it is written in C, where there is one
        return plain.encode
    encoded = make(
        None, plain.default, json.encoder.encode_basestring, None, plain.key_separator, plain.item_separator, False,
        False, True,
    )  # fmt: skip
    return lambda value: "".join(encoded(value, 0))


_as_text = _encoder()


def prepare(call: ToolCall, delivery: str, held: Mapping[str, Tool]) -> Prepared:
    """The call with its tool and with arguments that fit."""
    name = call["function"]["name"]
    tool = held.get(name)
    if tool is None:
        return failed(call, None, f"no tool named {name!r} on this agent; it has: {names(held)}")
    said = call["function"]["arguments"] or "{}"
    try:
        raw = json.loads(said)
        if "\\u" in said or not said.isascii():
            raw = paired(raw)
    except ValueError as error:
        return failed(call, tool, f"the arguments of {name} are not JSON: {error}")
    except RecursionError:
        return failed(call, tool, f"the arguments of {name} are nested too deep")
    if not isinstance(raw, dict):
        return failed(call, tool, f"the arguments of {name} are a JSON object, not {type(raw).__name__}")
    try:
        return Ready(call=call, tool=tool, arguments=tool.validate(raw), raw=raw, delivery=delivery)
    except ValidationError as error:
        return _unfit(call, tool, error)


def fitted(item: Ready, raw: dict[str, Any]) -> Prepared:
    """The call with other arguments."""
    try:
        return item.but(arguments=item.tool.validate(raw), raw=raw)
    except ValidationError as error:
        return _unfit(item.call, item.tool, error)


def _unfit(call: ToolCall, tool: Tool, error: ValidationError) -> ToolResult:
    wrong = "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'arguments'}: {item['msg']}"
        for item in error.errors(include_url=False, include_context=False)
    )
    return failed(call, tool, f"the arguments of {tool.name} do not fit: {wrong}")


async def judge(item: Ready, ctx: RunContext[Any], *, approved: bool = False) -> Ready | ToolResult | Asked:
    """Ask the rails and the gate. `approved`: a person has let it pass, so that only a block still holds it."""
    call = ctx.at(tool_call_id=item.call["id"])
    railed = await _railed(item, call, approved=approved)
    if not isinstance(railed, Ready):
        return railed
    item = railed
    decision = await _decide(item, call)
    _note(item, decision, ctx)
    match decision:
        case Allow(reason=reason):
            return await _forked(item.but(reason=reason), "", ctx, approved=approved)
        case Rewrite(value=arguments, reason=reason):
            again = fitted(item, arguments)
            if isinstance(again, ToolResult):
                return again
            return await _forked(again.but(reason=reason), "", ctx, approved=approved)
        case Block(reason=reason):
            return failed(item.call, item.tool, f"{item.tool.name} was blocked: {reason}")
        case Ask(reason=reason):
            if approved:
                return item.but(reason=f"approved: {reason}")
            asked = await _forked(item, reason, ctx, approved=False)
            return asked if isinstance(asked, Asked) else Asked(item, reason)


async def _railed(item: Ready, ctx: RunContext[Any], *, approved: bool) -> Ready | ToolResult | Asked:
    """The call as the rails want it; the gate judges what comes out."""
    if ctx.inspect is None:
        return item
    tool = item.tool
    text = _as_text(item.raw)
    found = await ctx.inspect(ctx, "tool_call", text, item.raw, tool.name, tool.effect)
    if isinstance(found.verdict, Block):
        return failed(item.call, tool, f"{tool.name} was blocked: {found.verdict.reason}")
    if found.value != item.raw:
        again = fitted(item, found.value)
        if isinstance(again, ToolResult):
            return again
        item = again
    if isinstance(found.verdict, Ask) and not approved:
        return Asked(item, found.verdict.reason)
    return item


async def _forked(item: Ready, reason: str, ctx: RunContext[Any], *, approved: bool) -> Ready | Asked:
    """In a fork, a question before each write; it names what another branch already did."""
    if not ctx.branch or not item.ledgered:
        return item
    if approved:
        return item.but(reason=item.reason or "approved: this run is a fork")
    done = await _elsewhere(item, ctx)
    parts = [reason, f"this run is a fork; {done or 'no other branch is known to have done it'}"]
    return Asked(item, "; ".join(part for part in parts if part))


async def _elsewhere(item: Ready, ctx: RunContext[Any]) -> str:
    """What another branch did with this key, or with this very call."""
    tenant, tool = ctx.principal.tenant, item.tool
    found = await ctx.ledger.effects(tenant, thread_id=ctx.thread_id, limit=1000)
    if tool.idempotency_key:
        found += await ctx.ledger.find(tenant, keys=[tool.key_for("", "", item.arguments, tenant=tenant)])
    for each in found:
        keyed = bool(tool.idempotency_key) and each.key == tool.key_for("", "", item.arguments, tenant=tenant)
        same = each.call_id == item.call["id"] and each.tool == tool.name and each.branch != ctx.branch
        if keyed or same:
            done = "began this" if each.state == "claimed" else "tried this" if each.state == "failed" else "did this"
            return f"run {each.run_id} {done} already, outside this branch, with the key {each.key}"
    return ""


async def _decide(item: Ready, ctx: RunContext[Any]) -> Decision:
    if ctx.services.authorize is not None:
        return await ctx.services.authorize(item.tool, item.arguments, ctx)
    return own_rules(item.tool, item.arguments, ctx)


def _note(item: Ready, decision: Decision, ctx: RunContext[Any]) -> None:
    """Write the gate's verdict down in the audit log."""
    if ctx.services.audit is not None:
        ctx.services.audit.record(
            decided(
                ctx, "gate", type(decision).__name__.lower(), rule=decision.rule, place="tool_call",
                tool=item.tool.name, effect=item.tool.effect, call_id=item.call["id"], subject=item.raw,
            )
        )  # fmt: skip


def own_rules(tool: Tool, arguments: dict[str, Any], ctx: RunContext[Any]) -> Decision:
    """What the tool itself declares: scopes that the principal must hold, and its approval rule."""
    missing = tool.scopes - ctx.principal.scopes
    if missing and "*" not in ctx.principal.scopes:
        return Block(f"{ctx.principal.user} lacks the scope {names(missing)}", rule="scopes")
    if tool.needs_approval(arguments):
        return Ask(f"{tool.name} has the effect {tool.effect!r} and wants a person's approval", rule="approval")
    return Allow(f"{tool.effect} needs no approval" if tool.effect != "read" else "it only reads", rule="effect")
