"""Typed output: a JSON schema and a model's text in, data that fits out, with a bounded number of repairs."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from segue.base.errors import OperatorError, UserError
from segue.base.messages import Message, text_of, user
from segue.context.run import RunContext
from segue.graphs.generation import Speaker, generate
from segue.tools.schema import without_titles

MAX_REPAIRS = 2
"""How often a model is told what did not fit before the run fails."""

_FENCE = re.compile(r"^```(?:json)?\s*\n(.*?)\n```\s*$", re.DOTALL)


class OutputInvalid(OperatorError):
    """The model did not give data that fits the output type, even after it was told what was wrong."""


@dataclass(frozen=True)
class OutputType:
    """What an agent's answer must be."""

    type: Any
    adapter: TypeAdapter[Any]
    schema: dict[str, Any]

    @classmethod
    def of(cls, kind: Any, owner: str) -> OutputType | None:
        """From a type; `None` for text.

        Raises:
            UserError: The type has no JSON schema.
        """
        if kind is None or kind is str:
            return None
        try:
            adapter = TypeAdapter(kind)
            return cls(kind, adapter, without_titles(adapter.json_schema()))
        except Exception as error:
            raise UserError(f"{owner}: output_type {kind!r} has no JSON schema: {error}") from None

    def read(self, text: str) -> Any:
        """The text as plain JSON data that fits.

        Raises:
            ValueError: It is not JSON, or does not fit; the message says where.
        """
        fenced = _FENCE.match(text.strip())
        try:
            value = self.adapter.validate_json(fenced.group(1) if fenced else text)
        except ValidationError as error:
            wrong = [
                f"{'.'.join(str(part) for part in item['loc']) or 'answer'}: {item['msg']}"
                for item in error.errors(include_url=False, include_context=False)
            ]
            raise ValueError("; ".join(wrong)) from None
        return to_jsonable_python(value, inf_nan_mode="strings", bytes_mode="base64")

    def typed(self, data: Any) -> Any:
        """The plain data as the type itself."""
        return self.adapter.validate_json(json.dumps(data))


async def conclude(
    ctx: RunContext[Any], speaker: Speaker, messages: Sequence[Message], kind: OutputType
) -> tuple[Any, list[Message]]:
    """Have the model say its answer as data.

    Returns:
        The data, and the messages that came of it, to be appended to the conversation.

    Raises:
        OutputInvalid: It did not fit, `MAX_REPAIRS` repairs included.
    """
    said: list[Message] = []
    quiet = replace(speaker, tools=())
    wrong = ""
    for _ in range(1 + MAX_REPAIRS):
        generation = await generate(ctx, quiet, [*messages, *said], output_schema=kind.schema)
        said.append(generation.message)
        try:
            return kind.read(text_of(generation.message)), said
        except ValueError as error:
            wrong = str(error)
            said.append(user(f"That does not fit the wanted JSON schema: {wrong}. Give the corrected JSON only."))
    raise OutputInvalid(
        f"{speaker.name} gave no output that fits its type: {wrong}.",
        way_out="Loosen output_type, or use a model with structured output.",
    )
