"""Asking: calls that a person must look at in, the same calls made ready or failed by what the person said out.

All questions of one reply are put together, before anything of it runs. An approval lets a call pass, with other
arguments where it was edited; about a doubtful effect a person says whether to do it again, to leave it, or that it
was done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from segue.base.errors import BadInput
from segue.context.decisions import Answer, Approve, Edit, Reject, Response
from segue.context.effects import Came
from segue.context.run import RunContext
from segue.tools.calls import Asked, Doubtful, Judged, Prepared, Ready, ToolResult, failed, given
from segue.tools.judging import fitted, judge
from segue.tools.results import rendered


async def ask(judged: Sequence[Judged], ctx: RunContext[Any]) -> list[Prepared]:
    """Put every question, wait for all the answers, and go by them."""
    asked = [entry for entry in judged if isinstance(entry, Asked | Doubtful)]
    if not asked:
        return [entry for entry in judged if isinstance(entry, Ready | ToolResult)]
    responses = _responses(asked, ctx)
    out: list[Prepared] = []
    for entry in judged:
        if isinstance(entry, Asked):
            out.append(await _answered(entry, responses.get(entry.request(ctx).id), ctx))
        elif isinstance(entry, Doubtful):
            out.append(await _cleared(entry, responses.get(entry.request(ctx).id), ctx))
        else:
            out.append(entry)
    return out


def _responses(asked: Sequence[Asked | Doubtful], ctx: RunContext[Any]) -> dict[str, Response]:
    requests = {(request := entry.request(ctx)).id: request for entry in asked}
    responses: dict[str, Response] = {}
    while ctx.interrupt is not None and (missing := [each for key, each in requests.items() if key not in responses]):
        responses |= ctx.interrupt(missing)
    return responses


async def _answered(entry: Asked, response: Response | None, ctx: RunContext[Any]) -> Prepared:
    item = entry.item
    match response:
        case Approve(by=by):
            item = replace(item, approved_by=by)
        case Edit(arguments=arguments, by=by):
            edited = fitted(replace(item, approved_by=by), arguments)
            if isinstance(edited, ToolResult):
                return edited
            item = edited
        case Reject(reason=reason):
            because = f": {reason}" if reason else ""
            return failed(item.call, item.tool, f"a person rejected {item.tool.name}{because}")
        case None:
            return failed(item.call, item.tool, f"{item.tool.name} needs a person's approval, and nobody can be asked")
        case _:
            raise BadInput(f"an approval is answered by Approve, Edit or Reject, not {type(response).__name__}")
    return await _judged_again(item, ctx)


async def _judged_again(item: Ready, ctx: RunContext[Any]) -> Prepared:
    judged = await judge(item, ctx, approved=True)
    return judged.item if isinstance(judged, Asked) else judged


async def _cleared(entry: Doubtful, response: Response | None, ctx: RunContext[Any]) -> Prepared:
    item, found, name = entry.item, entry.found, entry.item.tool.name
    match response:
        case Approve(by=by):
            return await _judged_again(replace(item, over=found, approved_by=by), ctx)
        case Reject(reason=reason, by=by):
            because = f": {reason}" if reason else ""
            content = f"error: whether {name} took effect is not known, and a person left it as it is{because}"
            came = Came(content=content, failed=True, told="left", by=by)
        case Answer(value=value, by=by):
            came = replace(rendered(item.call, item.tool, value, ctx).came(), told="done", by=by)
        case None:
            return failed(
                item.call,
                item.tool,
                f"{entry.reason}; nobody can be asked. It stays open: segue effects show {found.key}",
            )
        case _:
            raise BadInput(f"a doubtful effect is answered by Approve, Reject or Answer, not {type(response).__name__}")
    await ctx.ledger.record(replace(found, recorded_at=ctx.now()), "settled", came)
    return given(item.call, item.tool, came, "settled", "a person said what came of it")


def asked_together(signals: Sequence[BaseException]) -> BaseException:
    """One signal for several questions that calls side by side have raised: a node waits once for all of them."""
    first = signals[0]
    waits = [wait for signal in signals for wait in (signal.args[0] if signal.args else ())]
    if len(signals) == 1 or not all(isinstance(wait.value, list) for wait in waits):
        return first
    asked: dict[str, Any] = {request["id"]: request for wait in waits for request in wait.value}
    one = type(waits[0])(value=list(asked.values()), id=waits[0].id)
    return type(first)((one,))
