"""Deriving a declaration: a tool's name, description and schema in; what it would say of itself out, and why.

It stands in for what an author did not declare. It knows what common names of arguments and fields mean, and where it
does not know it trusts nothing: a field without a known name could have been written by anybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from segue.tools.declaration import DEFAULT_LEVELS, Declaration, Returned, Sink

_READS = frozenset(
    "get list search find read fetch look lookup check show view count query describe summarise summarize compute "
    "calculate calc download retrieve browse open load is has whoami recall select inspect explain preview convert "
    "translate estimate forecast validate verify compare".split()
)
_FINAL = frozenset(
    "delete remove cancel pay transfer send refund post publish invite wipe drop share forward email mail message "
    "reply notify tweet charge purchase buy order submit revoke purge destroy terminate execute deploy".split()
)
_OUT = frozenset("send share forward email mail message reply notify post publish tweet invite pay transfer".split())
_ACCOUNT = frozenset("password profile permission permissions account settings role roles credentials".split())
_JOINTS = frozenset("by in for from to with of at on into via per about".split())
_SECRET = re.compile(
    r"passport|credit.?card|bank.?account|social.?security|salar|password|secret|personal (?:data|information)"
    r"|user.?info(?:rmation)?\b|medical|patient",
    re.IGNORECASE,
)
_QUERIES = ("query", "q", "name", "search", "term", "keyword", "title", "filename", "email", "subject", "day", "date")

_ARGUMENTS: tuple[tuple[str, str], ...] = (
    (r"passwords?|passphrase|secret|pin|new_password|api_key", "secret"),
    (r"cc|bcc|e?mails?|e?mail_address(?:es)?|.*_emails?|participants?|attendees|invitees|guests|reply_to", "address"),
    (r"iban|bic|account|account_(?:number|no|iban)|.*_account|.*_iban|wallet|payee|beneficiary", "account"),
    (r"urls?|uri|links?|href|website|webhook|endpoint|.*_ur[li]|callback", "url"),
    (r"channels?|channel_name|rooms?|chat", "channel"),
    (r"users?|usernames?|user_name|members?|assignee|collaborators?", "user"),
    (r"hotels?|restaurants?|compan(?:y|ies)|venues?|airline|hotel_names?|restaurant_names?|company_name", "venue"),
    (r"recipients?|to|receivers?|destination|target|contacts?", "auto"),
    (r"street|city|phone|phone_number|first_name|last_name|zip|postcode|home_address", "text"),
)
_CONTENT = re.compile(
    r"body|content|text|message|subject|title|description|note|notes|comment|caption|summary|html|markdown|reason"
    r"|memo|reference|payload|data"
)
_AMOUNT = re.compile(r"amount(?:_\w+)?|price|sum|total|value|limit|.*_amount")
_FIELDS: tuple[tuple[str, str], ...] = (
    (r"e?mails?|e?mail_address(?:es)?", "address"),
    (r"participants?|attendees|recipients?|cc|bcc|to|members|owner|shared_with", "auto"),
    (r"sender|from|from_|author|created_by|sent_by", "sender"),
    (r"users?|usernames?|user_name|login|handle", "user"),
    (r"channels?|channel_name|room", "channel"),
    (r"iban|account|account_number", "account"),
    (r"amount|balance|price|total", "amount"),
    (r"filename|file_name|path", "path"),
    (r"date|day", "date"),
)
_NOUNS = {
    "channel": "channel", "user": "user", "member": "user", "contact": "auto", "hotel": "venue", "restaurant": "venue",
    "company": "venue", "iban": "account", "day": "date", "date": "date", "time": "date", "balance": "amount",
    "file": "path", "filename": "path", "email": "auto",
}  # fmt: skip


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
) -> Derived:
    """The declaration of a tool with nothing left at `None`: what was declared stays, the rest is derived."""
    given = declared or Declaration()
    why = {each.name: "declared" for each in fields(Declaration) if getattr(given, each.name) is not None}
    found = _Deriving(name, description, parameters, given, effect, why)
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
        resolver=given.resolver or "",
    )
    return Derived(made, why)


def words_of(name: str) -> list[str]:
    """The words of a name in snake_case or camelCase, in lower case."""
    return [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def singular(word: str) -> str:
    """A noun without its plural."""
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 else word


def noun_of(name: str) -> str:
    """What a tool is about: the last noun of its name before a preposition, in the singular."""
    words = words_of(name)
    for at, word in enumerate(words[1:], start=1):
        if word in _JOINTS:
            words = words[:at]
            break
    return singular(words[-1]) if words else ""


def effect_of(name: str) -> Literal["read", "write", "irreversible"]:
    """What a verb does to the world."""
    verb = next(iter(words_of(name)), "")
    return "read" if verb in _READS else "irreversible" if verb in _FINAL else "write"


class _Deriving:
    def __init__(
        self,
        name: str,
        description: str,
        parameters: Mapping[str, Any],
        given: Declaration,
        effect: str | None,
        why: dict[str, str],
    ) -> None:
        self.name, self.text, self.given, self.why = name, description, given, why
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
        if self.effect != "read" and (found := next((word for word in self.words if word in _OUT), None)):
            return self._because("reach", "out", f"its name holds {found!r}")
        if self.effect != "read" and (found := next((word for word in self.words if word in _ACCOUNT), None)):
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
        found = _SECRET.search(f"{self.name} {self.text}") if self.effect == "read" else None
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
            out[argument] = Sink(kind, levels)  # type: ignore[arg-type]
            self.why[f"sinks.{argument}"] = f"an argument of this name or description is of the kind {kind}"
        return out

    def content(self) -> tuple[str, ...]:
        if self.given.content is not None:
            return self.given.content
        writes = self.effect != "read"
        found = tuple(each for each in self.arguments if writes and _CONTENT.fullmatch(each.lower()))
        return self._because("content", found, "arguments of these names carry text" if found else "no text goes out")

    def amount(self) -> str:
        if self.given.amount_cap is not None:
            return self.given.amount_cap
        writes = self.effect != "read"
        found = next(
            (each for each in self.arguments if writes and _AMOUNT.fullmatch(each.lower()) and self._number(each)), ""
        )
        return self._because("amount_cap", found, f"{found} is a number" if found else "no argument is an amount")

    def returns(self) -> Mapping[str, Returned]:
        if self.given.returns is not None:
            return self.given.returns
        key, what = self._trust()
        out: dict[str, Returned] = {}
        for pattern, kind in _FIELDS:
            for field in _spelled(pattern):
                trust = (f"party:{field}",) if kind == "sender" else (key,)
                out[field] = Returned(trust, "auto" if kind == "sender" else kind)
        what_of = next((each[:-3] for each in self.arguments if each.endswith("_id") and each[:-3] in self.words), "")
        for field in ("id", "id_", "_id", "uid", "uuid", f"{self.noun}_id"):
            out[field] = Returned((key,), f"id:{what_of or self.noun}")
        if self.effect == "read" and (kind := _NOUNS.get(self.noun, "")):
            out[""] = Returned((key,), kind)
        self.why["returns"] = f"fields with a known name; {what}; all other fields could have been written by anybody"
        return out

    def _trust(self) -> tuple[str, str]:
        """How far structural fields are the system's own data."""
        if self.effect != "read":
            return "sys", "the system says what it did"
        named = [each for each in _QUERIES if each in self.arguments]
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
        kind = next((kind for pattern, kind in _ARGUMENTS if re.fullmatch(pattern, name)), "")
        if kind == "auto":
            looks = (("address", r"e-?mail"), ("account", r"IBAN|account"), ("channel", r"channel"), ("user", r"user"))
            found = next((each for each, pattern in looks if re.search(pattern, text, re.IGNORECASE)), "")
            return found or "auto"
        return kind

    def _number(self, argument: str) -> bool:
        schema = self.arguments[argument]
        types = {schema.get("type"), *(each.get("type") for each in schema.get("anyOf") or ())}
        return bool({"number", "integer"} & types) or not (types - {None})

    def _because(self, field: str, value: Any, why: str) -> Any:
        self.why[field] = why
        return value


def _spelled(pattern: str) -> list[str]:
    """The names that a small pattern of `a|b?c|(?:de)?` stands for."""
    out = []
    for part in pattern.split("|"):
        made = [""]
        for token in re.findall(r"\(\?:(\w+)\)(\??)|(\w)(\??)", part):
            text, optional = token[0] or token[2], token[1] or token[3]
            made = [each + text for each in made] + (made if optional else [])
        out += made
    return out
