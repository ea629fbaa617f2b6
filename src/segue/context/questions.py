"""Questions: what a tool or a node asks a person in, the person's value out, of the shape that was asked for.

`ctx.ask` puts a question here. How a run waits and goes on is in `segue.graphs` and `segue.workspace`, which looks at
an answer by `fault_of` before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import TypeAdapter

from segue.base.errors import SegueError, UserError
from segue.base.ids import derived_id
from segue.context.decisions import Answer, InterruptRequest, Reject

if TYPE_CHECKING:
    from segue.context.run import RunContext


class CannotAsk(SegueError):
    """There is nobody to ask here: this code runs outside a graph that could wait."""

    category = "run"


class NotAnswered(SegueError):
    """A person declined to answer, or nobody answered in time."""

    category = "run"

    def __init__(self, question: str, reason: str) -> None:
        super().__init__(f"{question!r} was not answered{f': {reason}' if reason else ''}")
        self.reason = reason


def put(
    ctx: RunContext[Any],
    question: str,
    *,
    options: Sequence[Any] | None = None,
    schema: Any = None,
    key: str | None = None,
    expires_s: float | None = None,
) -> Any:
    """What a person answers; see `RunContext.ask`."""
    if ctx.interrupt is None:
        raise CannotAsk(f"nobody can be asked {question!r} here", way_out="Run it in a graph with a checkpointer.")
    adapter = None if schema is None or isinstance(schema, Mapping) else _adapter(question, schema)
    request = InterruptRequest(
        id=_id(ctx, key or question),
        kind="question",
        question=question,
        tool=ctx.tool_name,
        arguments=dict(ctx.tool_arguments),
        agent=ctx.agent,
        call_id=ctx.tool_call_id,
        options=None if options is None else list(options),
        schema=adapter.json_schema() if adapter is not None else schema,
        expires_at=None if expires_s is None else ctx.now() + expires_s,
    )
    match ctx.interrupt([request])[request.id]:
        case Answer(value=value):
            return value if adapter is None else adapter.validate_json(orjson.dumps(value))
        case Reject(reason=reason):
            raise NotAnswered(question, reason)
        case other:
            raise NotAnswered(question, f"{type(other).__name__} is no answer to a question")


def _adapter(question: str, schema: Any) -> TypeAdapter[Any]:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(schema)
        adapter.json_schema()
    except Exception as error:
        raise UserError(f"ctx.ask({question!r}): schema={schema!r} has no JSON schema: {error}") from None
    return adapter


def _id(ctx: RunContext[Any], key: str) -> str:
    """Of this question: what asks it, its key, and how often that key was asked there before."""
    count = ctx.asked.get(key, 0)
    ctx.asked[key] = count + 1
    if ctx.tool_call_id:
        return call_request_id(ctx, key, str(count))
    return request_id(ctx, key, str(count))


def request_id(ctx: RunContext[Any], *parts: str) -> str:
    """The id of what a node asks a person, the same at each delivery of its task and another one the next time."""
    return derived_id("int", ctx.place or ctx.run_id, *parts)


def call_request_id(ctx: RunContext[Any], *parts: str) -> str:
    """The id of what is asked about a tool call, the same at each delivery of it.

    It stands on where the call is - thread, task or nodes, the calls around it - and not on the run or the checkpoint:
    a graph that is resumed with LangGraph alone has another run around it each time, and one that was migrated another
    checkpoint. Calls have ids of their own within a conversation.
    """
    nodes = "|".join(part.partition(":")[0] for part in ctx.place.split("|"))
    return derived_id("int", ctx.thread_id, ctx.task_id or nodes, *ctx.calls, *parts)


def fault_of(request: Mapping[str, Any], value: Any) -> str:
    """What is wrong with a value as the answer to a question; empty where nothing is."""
    options, schema = request.get("options"), request.get("schema")
    if options is not None and value not in options:
        return f"{value!r} is none of {', '.join(repr(option) for option in options)}"
    if schema is None:
        return ""
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped, unused-ignore]

    try:
        error = next(iter(Draft202012Validator(schema).iter_errors(value)), None)
    except Exception as broken:
        return f"its schema cannot be read: {broken}"
    if error is None:
        return ""
    place = ".".join(str(part) for part in error.absolute_path)
    return f"{place}: {error.message}" if place else error.message
