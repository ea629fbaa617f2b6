"""Redaction by destination: what may be seen where, and the functions that see to it.

A destination - `traces`, `logs`, `langfuse`, `otlp`, `metrics` - names the classes of data that must not reach it. A
`Redactor` is text in, text out, with `[secret]`, `[email]`, … in the place of what was found; `Redaction` carries it
through plain data. Detectors are in `segue.tracing.detectors`.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from segue.tracing.finding import Finding

Redactor = Callable[[str], str]
Class = Literal["secrets", "pii"]
ALL: tuple[Class, ...] = ("secrets", "pii")

_SHORT = 256
"""Up to this many characters a text is looked at once and remembered: names and attributes come again and again."""
_KEYS = 4096
_DEPTH = 32
_LONGEST_NUMBER = 19
_SMALL = 1_000_000_000_000
"""Whole numbers below it are no numbers of cards or phones."""


def redactor(classes: Iterable[Class] = ALL) -> Redactor:
    """The function that takes these classes of data out of a text; the text itself where there is nothing to take."""
    wanted = frozenset(classes)

    def redact(text: str) -> str:
        from segue.tracing.detectors import find_pii, find_secrets  # their patterns take 10 ms to compile

        found = find_secrets(text) if "secrets" in wanted else []
        if "pii" in wanted:
            found += [each for each in find_pii(text) if not any(_overlap(each, other) for other in found)]
        return _without(text, found) if found else text

    if not wanted:
        return str
    remembered = lru_cache(maxsize=1024)(redact)

    def redacted(text: str) -> str:
        return remembered(text) if len(text) <= _SHORT else redact(text)

    return redacted


def _overlap(one: Finding, other: Finding) -> bool:
    return one.start < other.end and other.start < one.end


def _without(text: str, found: list[Finding]) -> str:
    from segue.tracing.detectors import SECRET_KINDS

    parts, at = [], 0
    for kind, start, end in sorted(found, key=lambda each: each.start):
        parts += [text[at:start], "[secret]" if kind in SECRET_KINDS else f"[{kind}]"]
        at = end
    return "".join([*parts, text[at:]])


class _Keys(dict[str, tuple[str, bool]]):
    """Keys as they may be seen, and whether one names a secret whatever it looks like: each looked at once."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def __missing__(self, key: str) -> tuple[str, bool]:
        from segue.tracing.secrets import names_a_secret

        name = self._redact(key)
        found = name, self._redact is not str and names_a_secret(name)
        if len(key) <= _SHORT:
            if len(self) >= _KEYS:
                self.clear()
            self[key] = found
        return found


class Redaction:
    """A redactor for plain data: every text in it, keys too, and numbers that are card or phone numbers."""

    def __init__(self, redact: Redactor | None = None) -> None:
        self.text: Redactor = redact or redactor()
        self._keys = _Keys(self.text)

    def data(self, value: Any, depth: int = _DEPTH) -> Any:
        """A redacted copy; what is no plain data becomes its text. The value itself is not touched."""
        match value:
            case str():
                return self.text(value)
            case None | bool() | float():
                return value
            case int():
                return self._number(value)
            case _ if depth == 0:
                return "[too deep]"
            case Mapping():
                return self.mapping(value, depth)
            case list() | tuple() | set() | frozenset():
                return [self.data(held, depth - 1) for held in list(value)]
            case bytes() | bytearray() | memoryview():
                return f"[{len(value)} bytes]"
            case _:
                return self.data(_plain(value), depth - 1)

    def mapping(self, value: Mapping[Any, Any], depth: int = _DEPTH) -> dict[str, Any]:
        """`data` of a mapping. Plain values are taken here: every span has some."""
        out, keys, redact = {}, self._keys, self.text
        for key, held in list(value.items()):
            name, hides = keys[key if type(key) is str else str(key)]
            kind = type(held)
            if kind is str:
                out[name] = "[secret]" if hides and held else redact(held)
            elif held is None or kind is bool or kind is float or (kind is int and -_SMALL < held < _SMALL):
                out[name] = held
            elif hides and isinstance(held, str) and held:
                out[name] = "[secret]"
            else:
                out[name] = self.data(held, depth - 1)
        return out

    def _number(self, value: int) -> Any:
        if -_SMALL < value < _SMALL:
            return value
        text = str(value)
        return value if len(text) <= _LONGEST_NUMBER and self.text(text) == text else self.text(text)


def _plain(value: Any) -> Any:
    """Models and dataclasses as their fields, anything else as text."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name, None) for name in value.__dataclass_fields__}
    return str(value)


class RedactingFilter(logging.Filter):
    """Takes secrets and personal data out of log records: message, arguments and traceback. Put it on a handler."""

    def __init__(self, redact: Redactor | None = None) -> None:
        super().__init__()
        self._redact = redact or redactor()

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record in place; all records pass."""
        try:
            message = record.getMessage()
        except Exception:
            message = str(record.msg)
        record.msg, record.args = self._redact(message), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip()
        if record.exc_text:
            record.exc_text = self._redact(record.exc_text)
        record.exc_info = None
        for key, value in vars(record).items():
            if key not in _RECORD and isinstance(value, str | Mapping | list | tuple):
                setattr(record, key, Redaction(self._redact).data(value))
        return True


_RECORD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})


def protect_logs(redact: Redactor | None = None) -> None:
    """Put a `RedactingFilter` on each handler of the root logger and of `segue`'s that has none yet."""
    for name in ("", "segue"):
        for handler in logging.getLogger(name).handlers:
            if not any(isinstance(each, RedactingFilter) for each in handler.filters):
                handler.addFilter(RedactingFilter(redact))
