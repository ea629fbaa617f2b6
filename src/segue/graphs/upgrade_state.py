"""What a thread's stored state is to the channels of the graph as it is now.

Found here: channels that are gone with what they held, that keep nothing any more, and values that do not fit the
type or the reducer of their channel.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from langgraph.channels import BinaryOperatorAggregate, EphemeralValue, LastValue, Topic, UntrackedValue
from langgraph.channels.base import BaseChannel
from langgraph.constants import START
from pydantic import BaseModel, ValidationError

from segue.graphs.fitting import Misfit, misfits, short
from segue.graphs.stored import Stored, is_empty, is_state
from segue.graphs.verdicts import Finding

_MIGRATE = "Write a migration that"
_Found = tuple[Finding, bool]


@dataclasses.dataclass(frozen=True)
class Before:
    """What is known of the channels in the graph that wrote the thread."""

    same: frozenset[str] = frozenset()
    """Those that are now as they were: what they hold fitted then as it does now."""
    kept: frozenset[str] = frozenset()
    """Those that kept their value from step to step."""
    fleeting: frozenset[str] = frozenset()
    """Those that did not."""

    @classmethod
    def of(cls, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Before:
        """From the shapes of the graph as it was, where it is known, and as it is."""
        was, now = (old or {}).get("channels", {}), new["channels"]
        fleeting = frozenset(name for name, each in was.items() if each["kind"] in _FLEETING)
        same = frozenset(name for name, each in was.items() if now.get(name) == each)
        return cls(same, frozenset(was) - fleeting, fleeting)


_FLEETING = ("EphemeralValue", "UntrackedValue")


def state_findings(graph: Any, held: Stored, before: Before) -> Iterator[Finding]:
    """What does not fit of the state, of input that nothing has read yet, and of what finished tasks wrote.

    Args:
        graph: The compiled graph.
        held: The checkpoint.
        before: What is known of the graph that wrote it.
    """
    converts = converting(graph)
    for name, value in held.state.items():
        for found, plain in _channel(graph, held, name, value, before, converts):
            if plain or converts or name not in before.same:
                yield found
    start = held.values.get(START)
    if isinstance(start, dict):
        for name, value in start.items():
            yield from _update(graph, name, value, converts)
    for writes in held.outputs.values():
        for name, value in writes:
            if is_state(name):
                yield from _update(graph, name, value, converts)


def converting(graph: Any) -> bool:
    """Whether the state is a pydantic model, which converts what it is given."""
    schema = getattr(getattr(graph, "builder", None), "state_schema", None)
    return isinstance(schema, type) and issubclass(schema, BaseModel)


def _channel(
    graph: Any, held: Stored, name: str, value: Any, before: Before, converts: bool
) -> Iterator[tuple[Finding, bool]]:
    """What is found in one channel, each with whether the class of an object was not to be had."""
    spec = graph.channels.get(name)
    if not isinstance(spec, BaseChannel):
        if not is_empty(value):
            yield gone(name, value), False
    elif isinstance(spec, UntrackedValue) or (isinstance(spec, EphemeralValue) and _was_kept(held, name, before)):
        if is_empty(value):
            return
        yield _not_kept(name, spec, value), False
    else:
        yield from _misfits(graph, name, spec, value, converts)


def _not_kept(name: str, spec: Any, value: Any) -> Finding:
    return Finding(
        kind="needs migration",
        where=f"channel {name}",
        expected=f"a channel that keeps its value, not {type(spec).__name__}",
        found=short(value),
        way_out=f"{_MIGRATE} moves it to a channel that is kept, or leaves it out.",
    )


def gone(name: str, value: Any) -> Finding:
    """A channel that is gone, with what it held."""
    return Finding(
        kind="needs migration",
        where=f"channel {name}",
        expected="no such channel",
        found=short(value),
        way_out=f"{_MIGRATE} moves it elsewhere, or leaves it out.",
    )


def _was_kept(held: Stored, name: str, before: Before) -> bool:
    """Whether the value is older than the newest step: a channel of one step would have lost it."""
    version = held.versions.get(name)
    older = version is not None and version < max(held.versions.values())
    return name in before.kept or (older and name not in before.fleeting)


def _update(graph: Any, name: str, value: Any, converts: bool) -> Iterator[Finding]:
    """A write that is not in its channel yet."""
    spec = graph.channels.get(name)
    if is_empty(value):
        return
    if not isinstance(spec, BaseChannel):
        yield gone(name, value)
    elif isinstance(spec, LastValue | BinaryOperatorAggregate) and not _overwrites(value):
        yield from (found for found, _ in _misfits(graph, name, spec, value, converts))


def _overwrites(value: Any) -> bool:
    return type(value).__name__ == "Overwrite"


def _misfits(graph: Any, name: str, spec: BaseChannel[Any, Any, Any], value: Any, converts: bool) -> Iterator[_Found]:
    if type(value).__name__ == "_DeltaSnapshot":
        value = value.value
    wanted = list[spec.typ] if isinstance(spec, Topic) else spec.typ  # type: ignore[name-defined]
    found = _of_schema(graph, name, value) if converts else misfits(wanted, value)
    for each in found:
        yield _misfit(name, each), each.plain
    if not found and isinstance(spec, BinaryOperatorAggregate) and (why := _does_not_reduce(spec, value)):
        yield _misfit(name, Misfit((), f"what its reducer takes ({why})", short(value))), False


def _of_schema(graph: Any, name: str, value: Any) -> list[Misfit]:
    """What the state's model says of one field."""
    schema = graph.builder.state_schema
    if name not in schema.model_fields:
        return []
    try:
        schema.model_validate({name: value})
    except ValidationError as error:
        items = [item for item in error.errors(include_url=False) if item["loc"][:1] == (name,)]
        return [Misfit(tuple(item["loc"][1:]), item["msg"], short(item["input"])) for item in items]
    return []


def _does_not_reduce(spec: BinaryOperatorAggregate[Any], value: Any) -> str:
    """Why the reducer cannot join the value with another one of its kind; empty where it can."""
    try:
        spec.operator(copy.deepcopy(value), copy.deepcopy(value))
    except (TypeError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return ""
    return ""


def _misfit(name: str, each: Misfit) -> Finding:
    where = ".".join(str(part) for part in (name, *each.path))
    return Finding(
        kind="needs migration",
        where=f"channel {where}",
        expected=each.wanted,
        found=each.found,
        way_out="Name its class in checkpoint_types, where it is there; else write a migration that converts it."
        if each.plain
        else f"{_MIGRATE} converts it.",
    )


def lacking(schema: Any, values: dict[str, Any]) -> list[str]:
    """The fields that a state class needs and these values lack: it cannot be made of them."""
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return [name for name, each in schema.model_fields.items() if each.is_required() and name not in values]
    if isinstance(schema, type) and dataclasses.is_dataclass(schema):
        missing = dataclasses.MISSING
        return [
            each.name
            for each in dataclasses.fields(schema)
            if each.init and each.default is missing and each.default_factory is missing and each.name not in values
        ]
    return []


def lacks(node: str, name: str) -> Finding:
    """A node that is next reads what the thread does not have."""
    return Finding(
        kind="needs migration",
        where=f"channel {name}",
        expected=f"a value, which the node {node} reads",
        found="nothing",
        way_out=f"{_MIGRATE} sets it, or have the node do without.",
    )
