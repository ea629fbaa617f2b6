"""Whether a value stands in a conversation: the judge of "never invents", written without the model's own parts.

A value is derivable when its words stand in what the person or a tool said; a number when it is written there in
digits or words; a date when its day, month and year are; a choice when its words, or the plain word for it, are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SMALL_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_SMALL = _SMALL_WORDS.split(" ")
_PLAIN = {
    "count": "how many|number of",
    "sum": "total",
    "avg": "average|mean",
    "max": "highest|largest|maximum",
    "min": "lowest|smallest|minimum",
    "month": "monthly",
    "eur": "euro|€",
}
_RELATIVE = re.compile(r"\b(?:today|tomorrow|yesterday|tonight|ago|days|weeks|\w+day)\b", re.I)


def leaves(value: Any) -> Iterator[Any]:
    """The plain values inside arguments."""
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def said(messages: list[dict[str, Any]]) -> str:
    """All that persons and tools said, and dates that the system stated."""
    texts = [m["content"] for m in messages if isinstance(m.get("content"), str) and m["role"] in ("user", "tool")]
    return "\n".join(texts)


def is_derivable(value: Any, text: str, *, today: str = "") -> bool:
    """Whether a value stands in the text; `today` is what a system message says of the date."""
    if value is None:
        return True
    if isinstance(value, bool):
        return len(text.split()) > 1
    if isinstance(value, int | float):
        return any(abs(number - value) < 1e-9 for number in _numbers(text))
    if value in text or value in _unescaped(text) or _is_carried(value, text):
        return True
    return _is_date_said(value, text, today) or _is_choice_said(value, text)


def _is_carried(value: str, text: str) -> bool:
    """Whether a value is the subject that opens a sentence and a later part of it: "For order 1042, refund it"."""
    for gap in re.finditer(r",? ", value):
        subject, part = value[: gap.start()], value[gap.end() :]
        opens = any(f"{subject}{mark}" in text for mark in ":,.;")
        if opens and len(subject.split()) > 1 and len(part.split()) > 1 and part in text:
            return True
    return False


def _unescaped(text: str) -> str:
    return text.replace("\\n", "\n").replace('\\"', '"')


def _numbers(text: str) -> Iterator[float]:
    for found in re.findall(r"-?\d[\d,]*(?:\.\d+)?", text):
        yield float(found.replace(",", "").rstrip(".") or 0)
        if re.fullmatch(r"-?\d+,\d{1,2}", found):
            yield float(found.replace(",", "."))
        if not re.fullmatch(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", found):
            yield from (float(piece) for piece in found.split(",") if re.fullmatch(r"-?\d+(?:\.\d+)?", piece))
    lower = text.lower()
    for number, word in enumerate(_SMALL):
        if re.search(rf"\b{word}\b", lower):
            yield number
    for word, number in {"thirty": 30, "forty": 40, "fifty": 50, "hundred": 100, "dozen": 12}.items():
        if word in lower:
            yield number


def _is_date_said(value: str, text: str, today: str) -> bool:
    found = re.fullmatch(r"(\d{4})-(\d{2})(?:-(\d{2}))?(?:[T ](\d{2}):(\d{2})(?::\d{2})?)?", value)
    clock = re.fullmatch(r"(\d{2}):(\d{2})(?::\d{2})?", value)
    if clock:
        return _is_time_said(int(clock[1]), int(clock[2]), text)
    if not found:
        return False
    numbers = {int(n) for n in re.findall(r"\d+", text)}
    month = int(found[2]) in numbers or _MONTHS[int(found[2]) - 1] in text.lower()
    told = int(found[1]) in numbers and month and (found[3] is None or int(found[3]) in numbers)
    told = told or (bool(today) and bool(_RELATIVE.search(text) or month))
    return told and (found[4] is None or _is_time_said(int(found[4]), int(found[5]), text))


def _is_time_said(hour: int, minute: int, text: str) -> bool:
    numbers = {int(n) for n in re.findall(r"\d+", text)}
    shown = hour in numbers or (hour % 12 or 12) in numbers or "noon" in text or "midnight" in text
    return shown and (minute == 0 or minute in numbers)


def _is_choice_said(value: str, text: str) -> bool:
    lower = text.lower()
    words = [word for word in re.split(r"[\W_]+", value.lower()) if word]
    if all(word[: max(3, len(word) - 2)] in lower for word in words) and words:
        return len(words) < 4
    plain = _PLAIN.get(value.lower())
    return bool(plain and re.search(plain, lower)) or any(
        re.search(rf"\b{word}", lower) for word in words if len(word) > 3
    )


def undeclared(calls: list[list[Any]], messages: list[dict[str, Any]]) -> list[Any]:
    """The values in tool calls that stand nowhere in the conversation."""
    text = said(messages)
    today = "\n".join(m["content"] for m in messages if m["role"] == "system" and isinstance(m["content"], str))
    plain = [_without_plan_ids(arguments) for _, arguments in calls]
    return [value for value in leaves(plain) if not is_derivable(value, text, today=today)]


def _without_plan_ids(arguments: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(arguments)
    copied: dict[str, Any] = json.loads(text)
    for value in copied.values():
        for item in value if isinstance(value, list) else ():
            if isinstance(item, dict) and ("worker" in item or "assignee" in item or "agent" in item):
                for key in ("id", "depends_on", "after", "worker", "assignee", "agent"):
                    item.pop(key, None)
    return copied
