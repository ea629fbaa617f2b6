"""Frozen dataclasses that cost little more to make than others do.

The `__init__` that `dataclasses` writes for a frozen class calls `object.__setattr__` for each field, which takes six
times what a plain assignment does. A run makes hundreds of small frozen things, so that is felt.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar

_T = TypeVar("_T")

_BECOME = object.__dict__["__class__"].__set__
_ABSENT = object()


def quick(cls: type[_T]) -> type[_T]:
    """Gives a frozen dataclass with slots an `__init__` that assigns plainly; nothing else about it changes.

    While `__init__` runs, the object is of a twin class that has the same slots and is not frozen. A subclass that
    takes the `__init__` over as it is gets the one that `dataclasses` wrote.

    Raises:
        TypeError: the class is no frozen dataclass with slots, or its `__init__` takes what is no field.
    """
    held = cls.__dict__
    options: Any = held.get("__dataclass_params__")
    if options is None or not options.frozen or "__slots__" not in held or cls.__dictoffset__:
        raise TypeError(f"{cls.__qualname__} is no frozen dataclass with slots: @quick stands above @dataclass(…).")
    slow: Any = held["__init__"]
    body = {"__slots__": held["__slots__"], "__setattr__": object.__setattr__}
    metaclass: Any = type(cls)
    twin = metaclass(cls.__name__, cls.__bases__, body | {key: held[key] for key in ("__orig_bases__",) if key in held})
    names: dict[str, Any] = {"_cls": cls, "_twin": twin, "_slow": slow, "_become": _BECOME, "_absent": _ABSENT}
    takes, gives, assigns = _parts(cls, names)
    if set(gives) != set(slow.__code__.co_varnames[1 : slow.__code__.co_argcount + slow.__code__.co_kwonlyargcount]):
        raise TypeError(f"{cls.__qualname__}.__init__ takes what is no field: @quick can't write it.")
    text = [
        f"def __init__(self, {', '.join(takes)}):",
        " if self.__class__ is not _cls:",
        f"  return _slow(self, {', '.join(f'{name}={name}' for name in gives)})",
        " _become(self, _twin)",
        *assigns,
        " self.__class__ = _cls",
    ]
    if hasattr(cls, "__post_init__"):
        text.append(" self.__post_init__()")
    exec("\n".join(text), names)
    made = names["__init__"]
    made.__qualname__, made.__module__, made.__annotations__ = slow.__qualname__, cls.__module__, slow.__annotations__
    cls.__init__ = made  # type: ignore[method-assign]
    return cls


def _parts(cls: Any, names: dict[str, Any]) -> tuple[list[str], list[str], list[str]]:
    """The parameters as text, their names, and the assignments; `names` gets what they speak of."""
    plain: list[str] = []
    by_name: list[str] = []
    gives: list[str] = []
    assigns: list[str] = []
    for each in fields(cls):
        name, default = each.name, ""
        value = name
        if each.default is not MISSING:
            names[default := f"_default_{name}"] = each.default
        elif each.default_factory is not MISSING:
            names[f"_make_{name}"], default = each.default_factory, "_absent"
            value = f"_make_{name}() if {name} is _absent else {name}" if each.init else f"_make_{name}()"
        elif not each.init:
            continue
        if each.init:
            (by_name if each.kw_only else plain).append(f"{name}={default}" if default else name)
            gives.append(name)
        assigns.append(f" self.{name} = {value if each.init or each.default is MISSING else default}")
    return plain + (["*", *by_name] if by_name else []), gives, assigns
