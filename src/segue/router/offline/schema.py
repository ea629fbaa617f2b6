"""Schemas: a tool as rules see it, and the JSON Schema that its parameters are written in.

Goes in: a tool in OpenAI's shape, with whatever JSON Schema its author's library wrote ($ref, anyOf, nullable types).
Comes out: a `Tool` with its leaves, the parameters that hold one value each. Filling them is left to `fill`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from segue.router.offline.text import content_stems, first_sentence, identifier_words, stem, words_of
from segue.router.offline.words import CODE_WORDS, FREE_TEXT, ID_WORDS, NOUN_TOO, SEARCH_TEXT, VERBS

Schema = dict[str, Any]

_DEPTH = 4
_TELLS_ID = re.compile(r"(?:the\s+)?(?:unique\s+)?(?:ID|id|Id|identifier|SKU)\b", re.I)
_LEAD = re.compile(
    r"(?:use this(?: tool| function)? (?:to|when|for)\s+|(?:this|the) (?:tool|function|endpoint|method|action)\s+"
    r"|(?:is )?used (?:to|for)\s+|(?:allows?|lets?|helps?|enables?) (?:you|the user|users)(?: to)?\s+|(?:a |an )?"
    r"(?:tool|function|utility)\s+(?:to|that|for|which)\s+|will\s+|can\s+)+",
    re.I,
)


@dataclass(frozen=True)
class Leaf:
    """One parameter that holds a value or a list: its place in the arguments and its schema."""

    path: tuple[str, ...]
    schema: Schema = field(hash=False, compare=False)
    required: bool
    """Whether a call without it is invalid: it and every object around it are required."""
    needed: bool
    """Whether the object right around it requires it."""
    null_if_absent: bool = False
    """Required but nullable, as strict schemas write what is optional: null where the text says nothing."""

    @property
    def name(self) -> str:
        """The parameter's own name."""
        return self.path[-1]

    @property
    def label(self) -> str:
        """The parameter in words, for a person: `address.city` is "address city"."""
        return " ".join(words_of(part) for part in self.path if part)

    @cached_property
    def words(self) -> frozenset[str]:
        """The stems of its name."""
        return frozenset(stem(word) for word in identifier_words(self.name))

    @cached_property
    def raw_words(self) -> frozenset[str]:
        """The words of its name as written, in small letters."""
        return frozenset(identifier_words(self.name))

    @cached_property
    def around(self) -> frozenset[str]:
        """The words of the objects around it: `recipient` of `recipient.name`."""
        return frozenset(word for part in self.path[:-1] for word in identifier_words(part))

    @cached_property
    def own(self) -> frozenset[str]:
        """The stems of its name that say what it is of: `order_id` gives order; `id` alone gives id.

        A word that the name shortens and the description spells out ("repo", "Repository name") is there as well.
        """
        told = frozenset(stem(w) for w in identifier_words(self.name) if w not in ID_WORDS and len(w) > 1)
        spelled = {hint for hint in self.hints for word in told if len(word) >= 4 and hint.startswith(word)}
        return (told | spelled) or self.words

    @cached_property
    def hints(self) -> frozenset[str]:
        """The stems of its title and description."""
        return frozenset(content_stems(f"{_text(self.schema, 'title')} {_text(self.schema, 'description')}"))

    @property
    def kind(self) -> str:
        """Its JSON type; `any` where the schema does not say."""
        return str(self.schema.get("type") or "any")

    @cached_property
    def is_id(self) -> bool:
        """Whether it names one thing by an id."""
        if self.kind not in ("string", "integer", "number", "any"):
            return False
        return bool(self.raw_words & ID_WORDS) or (
            self.kind in ("string", "any") and bool(_TELLS_ID.match(_text(self.schema, "description")))
        )

    @cached_property
    def is_free_text(self) -> bool:
        """Whether it takes a phrase in the person's own words."""
        plain = self.kind in ("string", "any") and not self.schema.get("enum") and not self.schema.get("pattern")
        return plain and not self.is_id and bool(self.raw_words & FREE_TEXT) and not self.schema.get("format")

    @cached_property
    def is_search(self) -> bool:
        """Whether its free text is something to search for or ask."""
        return self.is_free_text and bool(self.raw_words & SEARCH_TEXT)

    @cached_property
    def wants_code(self) -> bool:
        """Whether it wants SQL or source code, which rules do not write."""
        if self.kind not in ("string", "any") or self.schema.get("enum"):
            return False
        told = f"{words_of(self.name)} {_text(self.schema, 'description')}"
        if re.search(r"\b(?:\w{0,8}ql|source code|python code|snippet|script)\b", told, re.I):
            return True
        return bool(self.raw_words & CODE_WORDS) and not _is_plain_code(self)


def _is_plain_code(leaf: Leaf) -> bool:
    """A `code` or `source` that is short text, not a program: `country_code`, `promo_code`, `source` of a trip."""
    told = _text(leaf.schema, "description").lower()
    if leaf.raw_words & {"sql", "script", "snippet", "python", "javascript", "bash", "cypher"}:
        return False
    program = re.search(r"\b(program|execute|run|snippet|function|language|evaluate|interpreter)\b", told)
    return not program or len(leaf.raw_words) > 1


@dataclass(frozen=True)
class Tool:
    """One tool, read once."""

    name: str
    description: str
    parameters: Schema = field(hash=False, compare=False)
    leaves: tuple[Leaf, ...] = field(hash=False, compare=False)

    @property
    def purpose(self) -> str:
        """The first sentence of its description, or its name in words."""
        return first_sentence(self.description) or words_of(self.name)

    @cached_property
    def name_words(self) -> tuple[str, ...]:
        """The words of its name in small letters, in order."""
        return tuple(identifier_words(self.name))

    @cached_property
    def action_words(self) -> tuple[str, ...]:
        """The words of its name from its verb on: `slack_post_message` and `chat.post` give post first."""
        words = identifier_words(self.name.rsplit(".", 1)[-1]) or list(self.name_words) or [""]
        verbs = (i for i, w in enumerate(words[:3]) if w in VERBS and (w not in NOUN_TOO or i + 1 < len(words)))
        return tuple(words[next(verbs, 0) :])

    @cached_property
    def told_verb(self) -> str:
        """The word that opens its description, "This tool will" and the like passed over; empty where there is none."""
        lead = _LEAD.match(self.description)
        words = identifier_words(first_sentence(self.description[lead.end() if lead else 0 :]))[:2]
        return "" if not words or words[1:] == ["of"] else words[0]

    @cached_property
    def name_stems(self) -> frozenset[str]:
        """The stems of its name."""
        return frozenset(stem(word) for word in self.name_words)

    @cached_property
    def open_objects(self) -> list[Leaf]:
        """Required objects none of whose fields is required by itself: one field at least must be filled."""
        needed = {leaf.path[0] for leaf in self.leaves if leaf.required}
        names = self.parameters.get("required")
        held = {leaf.path[0] for leaf in self.leaves if len(leaf.path) > 1}
        fields = {name: " or ".join(x.label for x in self.leaves if x.path[0] == name) for name in held - needed}
        listed = names if isinstance(names, list) else []
        return [
            Leaf((name,), {"type": "object", "description": f"with {fields[name]}"}, True, True)
            for name in listed
            if isinstance(name, str) and name in fields
        ]

    @property
    def required(self) -> list[Leaf]:
        """The leaves that every call must hold."""
        return [leaf for leaf in self.leaves if leaf.required]


def read_tools(tools: Any) -> list[Tool]:
    """The tools in order, each name once; what is not a tool is left out."""
    out: dict[str, Tool] = {}
    for item in tools if isinstance(tools, list | tuple) else []:
        function = item.get("function", item) if isinstance(item, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str) and function["name"]:
            try:
                tool = _read(json.dumps(function, sort_keys=False, default=str))
            except (RecursionError, ValueError):
                continue
            out.setdefault(tool.name, tool)
    return list(out.values())


@lru_cache(maxsize=1024)
def _read(function: str) -> Tool:
    data = json.loads(function)
    parameters = data.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    description = data.get("description")
    return Tool(data["name"], description if isinstance(description, str) else "", parameters, leaves_of(parameters))


def leaves_of(parameters: Schema) -> tuple[Leaf, ...]:
    """The leaves of an object schema, required ones first, else in the order of the schema."""
    found = _leaves(parameters, resolve(parameters, parameters), (), True)
    return tuple(sorted(found, key=lambda leaf: not leaf.required))


def _leaves(root: Schema, schema: Schema, path: tuple[str, ...], required: bool) -> list[Leaf]:
    properties = schema.get("properties")
    names = schema.get("required")
    must = {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()
    out: list[Leaf] = []
    for name, raw in properties.items() if isinstance(properties, dict) else ():
        inner = resolve(raw, root)
        needed = name in must
        if isinstance(inner.get("properties"), dict) and len(path) + 1 < _DEPTH:
            out += _leaves(root, inner, (*path, str(name)), required and needed)
        else:
            must_have = needed and not inner.get("nullable")
            absent = required and needed and not must_have
            full = with_items(inner, root, len(path))
            out.append(Leaf((*path, str(name)), full, required and must_have, must_have, absent))
    return out


def with_items(schema: Schema, root: Schema, depth: int = 0) -> Schema:
    """An array schema with its items resolved, and their leaves under `item_leaves`; any other schema as it is."""
    if schema.get("type") == "array" or "items" in schema:
        items = resolve(schema.get("items"), root)
        deep = isinstance(items.get("properties"), dict) and depth + 1 < _DEPTH
        inner = tuple(_leaves(root, items, ("",) * (depth + 1), True)) if deep else ()
        return {**schema, "type": "array", "items": items, "item_leaves": inner}
    return schema


def resolve(schema: Any, root: Schema, depth: int = 0) -> Schema:
    """One schema without $ref, allOf, null alternatives and lists of types; what cannot be read is `{}`.

    Keeps `nullable` (true where null was an alternative), `alts` (other alternatives, each resolved) and
    `notes` (what a schema says of each choice: `{choice: text}`).
    """
    if not isinstance(schema, dict) or depth > 8:
        return {}
    out = {key: value for key, value in schema.items() if key not in ("$ref", "allOf", "anyOf", "oneOf")}
    if isinstance(schema.get("$ref"), str):
        out = {**resolve(_pointed(schema["$ref"], root), root, depth + 1), **out}
    for part in _schemas(schema, "allOf"):
        out = {**resolve(part, root, depth + 1), **out}
    out = _choose(out, [*_schemas(schema, "anyOf"), *_schemas(schema, "oneOf")], root, depth)
    if isinstance(out.get("type"), list):
        kinds = [kind for kind in out["type"] if kind != "null"]
        out["nullable"] = out.get("nullable") or "null" in out["type"]
        out["type"] = kinds[0] if kinds else "null"
    if "type" not in out and isinstance(out.get("properties"), dict):
        out["type"] = "object"
    return out


def _choose(out: Schema, options: list[Any], root: Schema, depth: int) -> Schema:
    if not options:
        return out
    read = [resolve(option, root, depth + 1) for option in options]
    real = [option for option in read if option.get("type") != "null"]
    if len(real) < len(read):
        out["nullable"] = True
    if real and all("const" in option for option in real):
        out["enum"] = [option["const"] for option in real]
        out["notes"] = {str(o["const"]): _text(o, "description") or _text(o, "title") for o in real}
        return out
    if real:
        out = {**real[0], **out}
        if len(real) > 1:
            out["alts"] = real[1:]
    return out


def _schemas(schema: Schema, key: str) -> list[Any]:
    found = schema.get(key)
    return found if isinstance(found, list) else []


def _pointed(pointer: str, root: Schema) -> Any:
    place: Any = root
    for part in pointer.removeprefix("#").strip("/").split("/"):
        place = place.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(place, dict) else None
    return place


def _text(schema: Schema, key: str) -> str:
    value = schema.get(key)
    return value if isinstance(value, str) else ""
