"""Variables of prompt templates: a declaration and a value in; the value's text, or what is wrong with it, out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, get_args

Type = Literal["str", "int", "float", "bool", "date", "list"]
TYPES: tuple[str, ...] = get_args(Type)
KEYS = frozenset({"type", "required", "default", "pattern", "min", "max", "enum", "description"})


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One variable, as the front matter declares it."""

    name: str
    type: Type = "str"
    required: bool = True
    """Without it and without a default the variable stands for nothing."""
    default: Any = None
    pattern: str = ""
    """What the whole text, or each text of a list, must match."""
    min: Any = None
    """The least number or date; of text and lists, the least length."""
    max: Any = None
    enum: tuple[Any, ...] = ()
    """The only values; of a list, the only items."""
    description: str = ""
    line: int = 0
    """In the template's file, counted from 1; 0 where there is none."""

    def text(self, value: Any) -> str:
        """The value as it stands in the prompt.

        Raises:
            ValueError: It does not fit the declaration; the message says what was wanted and what it is.
        """
        return _text(self.checked(value))

    def checked(self, value: Any) -> Any:
        """The value, if it fits; a date may be given as its ISO text.

        Raises:
            ValueError: As for `text`.
        """
        value = self._typed(value)
        for each in value if self.type == "list" else [value]:
            if self.enum and each not in self.enum:
                raise ValueError(f"is one of {', '.join(map(_shown, self.enum))}, not {_shown(each)}")
            if self.pattern and not re.fullmatch(self.pattern, str(each)):
                raise ValueError(f"matches {self.pattern!r}, which {_shown(each)} does not")
        size = len(value) if self.type in ("str", "list") else value
        what = "has a length of" if self.type in ("str", "list") else "is"
        if self.min is not None and size < self.min:
            raise ValueError(f"{what} at least {_text(self.min)}, not {_text(size)}")
        if self.max is not None and size > self.max:
            raise ValueError(f"{what} at most {_text(self.max)}, not {_text(size)}")
        return value

    def _typed(self, value: Any) -> Any:
        match self.type, value:
            case ("str", str()) | ("bool", bool()) | ("list", list() | tuple()):
                fits = self.type != "list" or all(isinstance(each, str | int | float) for each in value)
            case ("int" | "float", bool()):
                fits = False
            case ("int", int()) | ("float", int()):
                fits = True
            case ("float", float()):
                fits = math.isfinite(value)
            case ("date", datetime()):
                fits = False
            case ("date", date()):
                fits = True
            case ("date", str()):
                try:
                    return date.fromisoformat(value)
                except ValueError:
                    fits = False
            case _:
                fits = False
        if not fits:
            raise ValueError(f"is {_KINDS[self.type]}, not {_shown(value)}")
        return value


_KINDS: Mapping[str, str] = {
    "str": "text", "int": "a whole number", "float": "a number", "bool": "true or false",
    "date": "a date such as 2026-01-31", "list": "a list of texts and numbers",
}  # fmt: skip


def _text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case date():
            return value.isoformat()
        case list() | tuple():
            return ", ".join(_text(each) for each in value)
        case _:
            return str(value)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
