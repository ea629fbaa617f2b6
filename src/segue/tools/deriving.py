"""Deriving a declaration: a tool's name, description and schema in; what it would say of itself out, and why.

It stands in for what an author did not declare. It knows what common names of arguments and fields mean, and where it
does not know it trusts nothing: a field without a known name could have been written by anybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from segue.tools.declaration import DEFAULT_LEVELS, Declaration, Returned, Sink
from segue.tools.vocabulary import (
    ACCOUNT,
    AMOUNT,
    ANYBODY,
    ARGUMENTS,
    AWAY,
    CONTENT,
    FIELDS,
    NOUNS,
    OUT,
    QUERIES,
    SECRET,
    WRITTEN,
    effect_of,
    noun_of,
    singular,
    spelled,
    words_of,
)

ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class Derived:
    """A whole declaration, and the reason of each field."""

    declaration: Declaration
    why: Mapping[str, str]
    """By field, or `field.name`: one sentence on where it comes from."""


def derive(
    name: str,
    description: str,
    parameters: Mapping[str, Any],
    *,
    declared: Declaration | None = None,
    effect: str | None = None,
    trusted: bool = False,
) -> Derived:
    """The declaration of a tool with nothing left at `None`: what was declared stays, the rest is derived."""
    given = declared or Declaration()
    why = {each.name: "declared" for each in fields(Declaration) if getattr(given, each.name) is not None}
    found = _Deriving(name, description, parameters, given, effect, trusted, why)
    made = replace(
        given,
        effect=found.effect,
        reach=found.reach(),
        group=found.group(),
        src=found.src(),
        confidential=found.confidential(),
        returns=found.returns(),
        sinks=found.sinks(),
        content=found.content(),
        amount_cap=found.amount(),
        resolver=found.resolver(),
    )
    return Derived(made, why)


class _Deriving:
    def __init__(
        self,
        name: str,
        description: str,
        parameters: Mapping[str, Any],
        given: Declaration,
        effect: str | None,
        trusted: bool,
        why: dict[str, str],
    ) -> None:
        self.name, self.text, self.given, self.trusted, self.why = name, description, given, trusted, why
        self.required = tuple(parameters.get("required") or ())
        self.arguments: dict[str, Any] = {
            str(key): each if isinstance(each, Mapping) else {}
            for key, each in dict(parameters.get("properties") or {}).items()
        }
        self.words, self.noun = words_of(name), noun_of(name)
        verb = next(iter(self.words), "")
        self.effect: Any = given.effect or effect or effect_of(name)
        if not given.effect:
            why["effect"] = "the tool says so" if effect else f"its name begins with {verb!r}"

    def reach(self) -> Any:
        if self.given.reach is not None:
            return self.given.reach
        if self.effect != "read" and (found := next((word for word in self.words if word in OUT), None)):
            return self._because("reach", "out", f"its name holds {found!r}")
        if self.effect == "read" and (found := next((word for word in self.words if word in AWAY), None)):
            return self._because("reach", "out", f"its name holds {found!r}")
        if self.effect != "read" and (found := next((word for word in self.words if word in ACCOUNT), None)):
            return self._because("reach", "account", f"its name holds {found!r}")
        return self._because("reach", "own", "nothing in its name leads outside")

    def group(self) -> str:
        return self.given.group or self._because("group", self.name, "a group of its own")

    def src(self) -> str:
        if self.given.src is not None:
            return self.given.src
        reads = self.effect == "read"
        found = next((each for each in self.arguments if reads and self._kind(each) in ("url", "path")), "")
        found = found or next(
            (each for each in self.arguments if reads and re.fullmatch(r"(?:file_?)?(?:path|name)|url", each)), ""
        )
        return self._because("src", found, f"it reads what {found} names" if found else "no argument names a source")

    def confidential(self) -> bool:
        if self.given.confidential is not None:
            return self.given.confidential
        found = SECRET.search(f"{self.name} {self.text}") if self.effect == "read" else None
        return self._because("confidential", bool(found), f"it speaks of {found[0]!r}" if found else "no word says so")

    def sinks(self) -> Mapping[str, Sink]:
        if self.given.sinks is not None:
            return self.given.sinks
        out: dict[str, Sink] = {}
        for argument in self.arguments:
            kind = self._kind(argument)
            if not kind or (self.effect == "read" and kind != "url") or (kind == "text" and self.reach() != "account"):
                continue
            levels = DEFAULT_LEVELS[kind.partition(":")[0]] if kind != "auto" else ("user", "trusted", "resolved")
            if kind == "url" and self.effect == "read":
                levels = ("user", "trusted", "party", "member")
            if kind == "address" and "invite" in self.words:
                levels = (*levels, "source")
            out[argument] = Sink(kind, levels)
            self.why[f"sinks.{argument}"] = f"an argument of this name or description is of the kind {kind}"
        return out

    def content(self) -> tuple[str, ...]:
        if self.given.content is not None:
            return self.given.content
        if self.effect == "read":
            away = self.reach() == "out"
            found = tuple(each for each in self.arguments if away and each in QUERIES)
        else:
            found = tuple(each for each in self.arguments if CONTENT.fullmatch(each.lower()))
        return self._because("content", found, "arguments of these names carry text" if found else "no text goes out")

    def amount(self) -> str:
        if self.given.amount_cap is not None:
            return self.given.amount_cap
        writes = self.effect != "read"
        found = next(
            (each for each in self.arguments if writes and AMOUNT.fullmatch(each.lower()) and self._number(each)), ""
        )
        return self._because("amount_cap", found, f"{found} is a number" if found else "no argument is an amount")

    def returns(self) -> Mapping[str, Returned]:
        if self.given.returns is not None:
            return self.given.returns
        if found := next((word for word in self.words if word in ANYBODY), ""):
            return self._because("returns", {}, f"its name holds {found!r}: anybody could have written what it gives")
        key, what = self._trust()
        out: dict[str, Returned] = {}
        what_of = next((each[:-3] for each in self.arguments if each.endswith("_id") and each[:-3] in self.words), "")
        for field in ("id", "id_", "_id", "uid", "uuid", f"{self.noun}_id"):
            out[field] = Returned((key,), f"id:{what_of or self.noun}")
        if self.effect != "read":  # what else it gives back is what it was given
            return self._because("returns", out, "the system gives the id of what it made; nothing else is new")
        chat = bool({"channel", "chat", "inbox", "messages", "message"} & set(self.words)) and "email" not in self.words
        for pattern, kind in FIELDS:
            for field in spelled(pattern):
                own = kind == "sender" and not chat
                trust = (f"party:{field}",) if own else (key,) if kind != "sender" else ("sys",)
                out[field] = Returned(trust, ("user" if chat else "auto") if kind == "sender" else kind)
        for field in WRITTEN:
            out[field] = Returned(("party:sender", "party:from", "party:author"))
        if kind := NOUNS.get(self.noun, ""):
            out[""] = Returned((key,), kind)
        self.why["returns"] = f"fields with a known name; {what}; all other fields could have been written by anybody"
        return out

    def resolver(self) -> str:
        if self.given.resolver is not None:
            return self.given.resolver
        needed = [each for each, schema in self.arguments.items() if "default" not in schema and each in self.required]
        by_id = len(needed) == 1 and bool(re.fullmatch(r"(?:.+_)?id", needed[0]))
        listed = not needed and self.words[:1] in (["get"], ["list"])
        if self.effect == "read" and self.noun and (by_id or listed) and not set(self.words) & ANYBODY:
            of = singular(needed[0][:-3]) if by_id and needed[0].endswith("_id") else self.noun
            return self._because(
                "resolver", f"id:{of}", f"it gives {'one' if by_id else 'every'} {of} as the system has it"
            )
        return self._because("resolver", "", "it looks nothing up by its id")

    def _trust(self) -> tuple[str, str]:
        """How far structural fields are the system's own data."""
        if self.trusted or self.effect != "read":
            return "sys", "the system says it"
        named = [each for each in QUERIES if each in self.arguments]
        required = [
            each
            for each, schema in self.arguments.items()
            if "default" not in schema and schema.get("type") in ("string", "array", None) and "anyOf" not in schema
        ]
        found = next(iter(named or required), "")
        return (f"sys:{found}", f"trusted where {found} came from the user") if found else ("sys", "it takes no query")

    def _kind(self, argument: str) -> str:
        name, schema = argument.lower(), self.arguments[argument]
        text = f"{schema.get('description', '')}"
        if name in ("id", "_id") or re.fullmatch(r".+_ids?", name):
            return f"id:{self.noun if name in ('id', '_id') else singular(re.sub(r'_ids?$', '', name))}"
        formats = (schema.get("format"), (schema.get("items") or {}).get("format") if schema.get("items") else None)
        if "email" in formats:
            return "address"
        if {"uri", "url"} & set(formats):
            return "url"
        kind = next((kind for pattern, kind in ARGUMENTS if re.fullmatch(pattern, name)), "")
        if kind == "auto":
            looks = (("address", r"e-?mail"), ("account", r"IBAN|account"), ("channel", r"channel"), ("user", r"user"))
            found = next((each for each, pattern in looks if re.search(pattern, text, re.IGNORECASE)), "")
            return found or "auto"
        return kind

    def _number(self, argument: str) -> bool:
        schema = self.arguments[argument]
        types = {schema.get("type"), *(each.get("type") for each in schema.get("anyOf") or ())}
        return bool({"number", "integer"} & types) or not (types - {None})

    def _because(self, field: str, value: ValueT, why: str) -> ValueT:
        self.why[field] = why
        return value
