"""Results: what a tool returned in, what the model reads out.

Text stays text. Anything else becomes JSON: pydantic models, dataclasses, decimals, dates; a value with a method
`tool_text` says itself how it reads. What is too large for a
prompt goes to the artefact store, and the model reads its head and its id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic_core import PydanticSerializationError, from_json, to_json, to_jsonable_python

from segue.base.errors import UserError
from segue.base.labels import atoms as atoms_of
from segue.base.messages import ToolCall
from segue.base.pairs import paired
from segue.base.quick import quick
from segue.context.run import RunContext
from segue.tools.calls import ToolResult
from segue.tools.tool import Tool
from segue.tracing.uses import DocumentSource

MAX_CHARS = 24_000
"""Above this a result is kept as an artefact and the model reads its head; about 6,000 tokens."""


class HasToolText(Protocol):
    """A return value that says itself how a model should read it; its data stays what the gate looks at."""

    def tool_text(self) -> str:
        """The text that the model reads."""
        ...


class HasSources(Protocol):
    """A return value that says which documents it was taken from."""

    def tool_sources(self) -> Sequence[DocumentSource]:
        """The places of documents, each with its version."""
        ...


@quick
@dataclass(frozen=True, slots=True)
class Rendered:
    """A return value as text for the model, and as JSON."""

    text: str
    value: Any
    artefact_id: str = ""


_PLAIN = frozenset({str, int, float, bool, dict, list, type(None)})


def _can(value: Any, method: str) -> bool:
    """Whether a value says something of itself: `HasToolText`, `HasSources`."""
    return type(value) not in _PLAIN and callable(getattr(value, method, None))


def rendered(call: ToolCall, tool: Tool, value: Any, ctx: RunContext[Any]) -> ToolResult:
    """A return value as the result of a call.

    Raises:
        UserError: As `render`.
    """
    found = render(tool.name, value, ctx)
    held = tuple((pointer, text) for pointer, text in atoms_of(found.value))
    sources = tuple(value.tool_sources()) if _can(value, "tool_sources") else ()
    return ToolResult(
        call=call, tool=tool, content=found.text, atoms=held, artefact_id=found.artefact_id, sources=sources
    )


def render(tool_name: str, value: Any, ctx: RunContext[Any]) -> Rendered:
    """Make a return value readable.

    Raises:
        UserError: It cannot be serialised. The message names the tool and the type.
    """
    encoded = _encoded(tool_name, value)
    plain = from_json(encoded)
    if _can(value, "tool_text"):
        text = value.tool_text()
    else:
        text = plain if isinstance(plain, str) else encoded.decode()
    if (clean := ctx.services.redact(text)) != text:
        text, plain = clean, None
    if len(text) <= MAX_CHARS:
        return Rendered(text, plain)
    kind = "application/json" if text[:1] in "[{" else "text/plain"
    artefact_id = ctx.services.artefacts.put(ctx.principal.tenant, text.encode(), kind)
    head = text[: MAX_CHARS // 2]
    left = len(text) - len(head)
    note = f"\n[cut here: {left} more characters are kept as {artefact_id}]"
    return Rendered(head + note, None, artefact_id)


def jsonable(tool_name: str, value: Any) -> Any:
    """The value as JSON data: decimals, dates and ids as text, bytes as base64, NaN and infinities as text.

    Half a surrogate pair, which no store and no model server takes, becomes U+FFFD.

    Raises:
        UserError: It cannot be serialised. The message names the tool and the type.
    """
    return from_json(_encoded(tool_name, value))


def _encoded(tool_name: str, value: Any) -> bytes:
    try:
        try:
            return _to_json(value)
        except (PydanticSerializationError, UnicodeEncodeError):
            return _to_json(paired(to_jsonable_python(value, bytes_mode="base64")))
    except (PydanticSerializationError, TypeError, ValueError) as error:
        raise UserError(
            f"tool {tool_name!r} returned a {type(value).__name__} that cannot be serialised ({error}).",
            way_out="Return text, numbers, lists, dicts, dataclasses or pydantic models.",
        ) from None


def _to_json(value: Any) -> bytes:
    return to_json(value, bytes_mode="base64", inf_nan_mode="strings", by_alias=True)
