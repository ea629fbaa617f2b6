"""Whether a value fits a schema: the part of JSON Schema that tool parameters use.

Goes in: a value and a resolved schema. Comes out: yes or no. A schema that cannot be read forbids nothing.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any, TypeGuard

from segue.router.offline.schema import Schema

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def fits(value: Any, schema: Schema) -> bool:
    """Whether the value is valid by type, enum, const, bounds, length, pattern and format, or by an alternative."""
    if _fits_one(value, schema):
        return True
    return any(_fits_one(value, option) for option in schema.get("alts", ()))


def _fits_one(value: Any, schema: Schema) -> bool:
    kind = schema.get("type")
    allowed = _TYPES.get(kind) if isinstance(kind, str) else None
    if allowed and (not isinstance(value, allowed) or (isinstance(value, bool) and kind not in ("boolean", None))):
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if isinstance(schema.get("enum"), list) and value not in schema["enum"]:
        return False
    if isinstance(value, str):
        return _fits_text(value, schema)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _fits_number(value, schema)
    return _fits_list(value, schema) if isinstance(value, list) else True


def _fits_text(value: str, schema: Schema) -> bool:
    if not _between(len(value), schema.get("minLength"), schema.get("maxLength")):
        return False
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and len(value) <= 400:
        compiled = compile_pattern(pattern)
        if compiled is not None and not compiled.search(value):
            return False
    return fits_format(value, schema.get("format"))


def _fits_number(value: float, schema: Schema) -> bool:
    if not _between(value, schema.get("minimum"), schema.get("maximum")):
        return False
    low, high = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if (_is_number(low) and value <= low) or (_is_number(high) and value >= high):
        return False
    step = schema.get("multipleOf")
    return not (_is_number(step) and step > 0) or abs(value / step - round(value / step)) < 1e-9


def _fits_list(value: list[Any], schema: Schema) -> bool:
    return _between(len(value), schema.get("minItems"), schema.get("maxItems"))


def fits_format(value: str, name: Any) -> bool:
    """Whether a text is of a named format; a format that is not known here forbids nothing."""
    try:
        if name in ("email", "idn-email"):
            return bool(_EMAIL.fullmatch(value))
        if name in ("uri", "url", "iri", "uri-reference"):
            return bool(_URI.fullmatch(value))
        if name in ("uuid", "uuid4"):
            return bool(_UUID.fullmatch(value))
        if name == "date":
            return date.fromisoformat(value) is not None
        if name == "date-time":
            return "T" in value and datetime.fromisoformat(value) is not None
        if name == "time":
            return time.fromisoformat(value) is not None
        if name == "ipv4":
            return IPv4Address(value) is not None
        return name != "ipv6" or IPv6Address(value) is not None
    except ValueError:
        return False


@lru_cache(maxsize=512)
def compile_pattern(pattern: str) -> re.Pattern[str] | None:
    """The pattern compiled; `None` where it is no regular expression, or one that could run for ever."""
    if len(pattern) > 500 or re.search(r"[+*}]\)+[+*{]", pattern):
        return None
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return None


def _between(value: float, low: Any, high: Any) -> bool:
    return not (_is_number(low) and value < low) and not (_is_number(high) and value > high)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
