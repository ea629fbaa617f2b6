"""Schema: text or data in, and out comes whether it is of the shape that was agreed, mended where it nearly is.

The schema is a pydantic model, or a JSON schema as a dict. How text is mended is in `segue.guards.repair`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from segue.base.errors import UserError
from segue.context.decisions import Allow, Block, Decision, Rewrite
from segue.context.run import RunContext
from segue.guards.rail import Place, Rail, Subject, checked_places
from segue.guards.repair import read_json, repaired_json

Fault = str | None
"""What is wrong with the data, without quoting it; `None` where nothing is."""
FAULTS_SAID = 5


def matches_schema(
    schema: type[BaseModel] | Mapping[str, Any] | TypeAdapter[Any],
    *,
    repair: bool = True,
    places: Iterable[Place] = ("output",),
) -> Rail:
    """Text that is JSON of this shape, or data of it; text that nearly is JSON is rewritten, all else blocked.

    Only how the JSON is written is mended; a missing or wrong value is never filled in or converted.

    Raises:
        UserError: It is no schema, or a JSON schema while the package `jsonschema` is not installed.
    """
    return _Schema(_checker(schema), repair, places)


class _Schema(Rail):
    name = "matches_schema"

    def __init__(self, faults: Callable[[Any], Fault], repair: bool, places: Iterable[Place]) -> None:
        self.places = checked_places(places, self.name)
        self._faults, self._repair = faults, repair

    async def check(self, subject: Subject, ctx: RunContext[Any]) -> Decision:
        if subject.value is not None and not isinstance(subject.value, str):
            return self._judged(subject.value, mended=False)
        text = subject.text if subject.value is None else subject.value
        try:
            return self._judged(read_json(text), mended=False)
        except (ValueError, RecursionError):
            if not self._repair:
                return Block("it is no JSON", self.name)
        try:
            return self._judged(repaired_json(text), mended=True)
        except (ValueError, RecursionError):
            return Block("it is no JSON, nor nearly", self.name)

    def _judged(self, data: Any, *, mended: bool) -> Decision:
        fault = self._faults(data)
        if fault is not None:
            return Block(f"it does not fit the schema: {fault}", self.name)
        if mended:
            return Rewrite(json.dumps(data, ensure_ascii=False), "the JSON in it was mended", self.name)
        return Allow()


def _checker(schema: Any) -> Callable[[Any], Fault]:
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return _by_pydantic(TypeAdapter(schema))
    if isinstance(schema, TypeAdapter):
        return _by_pydantic(schema)
    if isinstance(schema, Mapping):
        return _by_jsonschema(dict(schema))
    raise UserError(f"matches_schema takes a pydantic model or a JSON schema as a dict, not {type(schema).__name__}")


def _by_pydantic(adapter: TypeAdapter[Any]) -> Callable[[Any], Fault]:
    def faults(data: Any) -> Fault:
        try:
            adapter.validate_json(json.dumps(data), strict=True)  # as JSON: dates may be text, numbers may not
        except (ValidationError, TypeError) as error:
            if not isinstance(error, ValidationError):
                return "it holds what JSON cannot"
            return _said((each["loc"], each["type"]) for each in error.errors(include_input=False, include_url=False))
        return None

    return faults


def _by_jsonschema(schema: dict[str, Any]) -> Callable[[Any], Fault]:
    try:
        from jsonschema import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
            Draft202012Validator,
            SchemaError,
        )
        from jsonschema.validators import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
            validator_for,
        )
    except ImportError as error:
        raise UserError(
            "matches_schema needs the package jsonschema for a schema that is a dict",
            way_out="Install it with: pip install jsonschema, or give a pydantic model.",
        ) from error
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise UserError(f"matches_schema: this is no JSON schema: {error.message}") from error
    validator = kind(schema)

    def faults(data: Any) -> Fault:
        found = [(each.absolute_path, f"{each.validator} {_wanted(each)}") for each in validator.iter_errors(data)]
        return _said(found) if found else None

    return faults


def _wanted(error: Any) -> str:
    """What the schema wants there; that is the developer's text, the data is not quoted."""
    wanted = error.validator_value
    return str(wanted)[:80] if isinstance(wanted, str | int | float | list) else ""


def _said(found: Iterable[tuple[Iterable[Any], str]]) -> str:
    said = sorted({f"{_pointer(path)} ({kind.strip()})" for path, kind in found})
    more = f" and {len(said) - FAULTS_SAID} more" if len(said) > FAULTS_SAID else ""
    return ", ".join(said[:FAULTS_SAID]) + more


def _pointer(path: Iterable[Any]) -> str:
    """Where: indexes, and names that look like a field's; others might be what was written, not what was asked for."""
    parts = [str(part) for part in path]
    return "/" + "/".join(part if part.replace("_", "").isalnum() and len(part) <= 40 else "…" for part in parts)
