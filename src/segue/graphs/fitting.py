"""Fitting: a stored value and the type that a graph now gives its channel in, what does not fit and where out.

A node reads what the checkpoint holds, as it stands: a text that could be read as a number is no number, unless the
state is a pydantic model, which converts. A tuple comes back from a checkpoint as a list; that is let pass. A type
that pydantic cannot judge is not judged.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any, Union, get_args, get_origin, is_typeddict

import typing_extensions
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

Path = tuple[Any, ...]


@dataclass(frozen=True)
class Misfit:
    """One place in a value that does not fit."""

    path: Path
    """Keys and indices that lead to it; empty for the value itself."""
    wanted: str
    found: str
    plain: bool = False
    """Whether an object is wanted and its plain data stands there: its class was not to be had when it was read."""


def misfits(kind: Any, value: Any, *, converts: bool = False) -> list[Misfit]:
    """What of the value does not fit the type; empty where all does, or where the type cannot be judged.

    Args:
        kind: A type or annotation.
        value: As it stands in the checkpoint.
        converts: Whether the graph converts values when it loads them, as a pydantic state does.
    """
    adapter = _adapter(kind)
    found = [*_inner(value)]
    if adapter is None:
        return found
    try:
        made = adapter.validate_python(value, strict=not converts)
        found += [] if converts else _made_of_data(made, value)
    except ValidationError as error:
        if not _only_a_list(adapter, value):
            found += [_misfit(item, value) for item in error.errors(include_url=False)]
    except Exception:  # a validator of the type's own broke: that says nothing about the value
        return found
    return _unlike(found)


def short(value: Any) -> str:
    """A value in a message: its type and its beginning."""
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '…'}"


def _misfit(item: Any, value: Any) -> Misfit:
    path = _path(item["loc"], value)
    missing = item["type"] in ("missing", "missing_argument")
    return Misfit(path, item["msg"], "nothing" if missing else short(item["input"]))


def _path(loc: Path, value: Any) -> Path:
    """The parts of pydantic's location that lead into the value: it names branches of unions too."""
    path: list[Any] = []
    at = value
    for index, part in enumerate(loc):
        if (isinstance(at, dict) and part in at) or (_has_items(at) and isinstance(part, int) and part < len(at)):
            at = at[part]
        elif isinstance(at, BaseModel) and isinstance(part, str) and part in at.__dict__:
            at = at.__dict__[part]
        elif index < len(loc) - 1 or not isinstance(at, dict | BaseModel):
            continue
        path.append(part)
    return tuple(path)


def _has_items(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _made_of_data(made: Any, value: Any, path: Path = ()) -> Iterator[Misfit]:
    """Where a type would have made an object of plain data: the graph will not."""
    if isinstance(made, BaseModel) or dataclasses.is_dataclass(made):
        if not isinstance(value, type(made)):
            yield Misfit(path, f"an instance of {type(made).__name__}", f"plain data, {short(value)}", plain=True)
    elif isinstance(made, dict) and isinstance(value, dict):
        for key in made.keys() & value.keys():
            yield from _made_of_data(made[key], value[key], (*path, key))
    elif isinstance(made, list | tuple) and isinstance(value, list | tuple):
        for index, (one, other) in enumerate(zip(made, value, strict=False)):
            yield from _made_of_data(one, other, (*path, index))


def _only_a_list(adapter: TypeAdapter[Any], value: Any) -> bool:
    """Whether it fits but for lists that were tuples."""
    try:
        return _alike(adapter.validate_python(value), value)
    except Exception:
        return False


def _alike(made: Any, value: Any) -> bool:
    if _has_items(made) and _has_items(value):
        return len(made) == len(value) and all(map(_alike, made, value))
    if isinstance(made, dict) and isinstance(value, dict):
        return made.keys() <= value.keys() and all(_alike(made[key], value[key]) for key in made)
    return type(made) is type(value) and bool(made == value)


def _unlike(found: list[Misfit]) -> list[Misfit]:
    """One for each place: a union complains once for each of its branches."""
    out: dict[Path, Misfit] = {}
    for each in found:
        held = out.get(each.path)
        out[each.path] = replace(held, wanted=f"{held.wanted}, or: {each.wanted}") if held else each
    return list(out.values())


def _inner(value: Any, path: Path = ()) -> Iterator[Misfit]:
    """Model instances that their own class would not accept: a checkpoint gives them back unchecked."""
    if isinstance(value, BaseModel):
        if type(value).__module__.startswith("langchain"):
            return
        try:
            type(value).model_validate(dict(value.__dict__), by_alias=False, by_name=True)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                found = _misfit(item, value)
                yield Misfit((*path, *found.path), found.wanted, found.found)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _inner(each, (*path, key))
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _inner(each, (*path, index))


def _adapter(kind: Any) -> TypeAdapter[Any] | None:
    try:
        return _adapter_of(kind)
    except TypeError:  # an annotation with something in it that has no hash
        return _made(kind)


@lru_cache(maxsize=256)
def _adapter_of(kind: Any) -> TypeAdapter[Any] | None:
    return _made(kind)


def _made(kind: Any) -> TypeAdapter[Any] | None:
    try:
        usable = portable(kind)
    except Exception:
        return None
    for options in ({"config": ConfigDict(arbitrary_types_allowed=True)}, {}):
        try:
            return TypeAdapter(usable, **options)  # type: ignore[arg-type]
        except PydanticUserError:
            continue  # a model and a TypedDict bring their own configuration
        except Exception:
            return None
    return None


def portable(kind: Any, seen: tuple[Any, ...] = ()) -> Any:
    """The annotation with `typing.TypedDict`s made into those of `typing_extensions`, which pydantic wants on 3.11."""
    if is_typeddict(kind) or typing_extensions.is_typeddict(kind):
        return dict[str, Any] if kind in seen else _typed_dict(kind, (*seen, kind))
    origin, arguments = get_origin(kind), get_args(kind)
    if not arguments or origin in (typing.Literal, typing_extensions.Literal):
        return kind
    if origin is Annotated:
        return Annotated[(portable(arguments[0], seen), *kind.__metadata__)]
    if origin in (Union, types.UnionType):
        return Union[tuple(portable(each, seen) for each in arguments)]  # noqa: UP007
    if any(isinstance(each, list) for each in arguments):  # the arguments of a Callable
        return kind
    made = tuple(portable(each, seen) for each in arguments)
    return kind if made == arguments else kind.copy_with(made) if hasattr(kind, "copy_with") else origin[made]


def _typed_dict(kind: Any, seen: tuple[Any, ...]) -> Any:
    hints = typing.get_type_hints(kind, include_extras=True)
    fields: dict[str, Any] = {}
    for name, hint in hints.items():
        required = _required(hint, name in kind.__required_keys__)
        wrapper = typing_extensions.Required if required else typing_extensions.NotRequired
        fields[name] = wrapper[portable(_bare(hint), seen)]
    return typing_extensions.TypedDict(kind.__name__, fields)  # type: ignore[operator]


_OPTIONAL = (typing.NotRequired, typing_extensions.NotRequired)
_WRAPPERS = (typing.Required, typing_extensions.Required, *_OPTIONAL)


def _required(hint: Any, known: bool) -> bool:
    """Whether the key must be there; what the class knows is wrong where its annotations are still text."""
    return get_origin(hint) not in _OPTIONAL if get_origin(hint) in _WRAPPERS else known


def _bare(hint: Any) -> Any:
    while get_origin(hint) in _WRAPPERS:
        hint = get_args(hint)[0]
    return hint


def schema_of(kind: Any) -> dict[str, Any] | None:
    """The JSON schema of a type; `None` where it has none."""
    adapter = _adapter(kind)
    try:
        return None if adapter is None else adapter.json_schema()
    except Exception:
        return None
