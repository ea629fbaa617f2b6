"""Sinks: one value of an argument that decides where something lands in; whether it may stand there, and why, out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from segue.guards.gate.looks import addressed, hides, look_of, skeleton
from segue.guards.gate.said import Said
from segue.guards.gate.values import Origin, Values, key_of
from segue.tools.declaration import Sink

CALLED = {
    "address": "an e-mail address", "url": "a link", "account": "an account", "user": "a user", "channel": "a channel",
    "venue": "a name", "id": "an id", "path": "a file", "secret": "a secret", "text": "a text", "name": "a name",
}  # fmt: skip


@dataclass(frozen=True)
class Filled:
    """What is known of one value in one sink."""

    argument: str
    value: str
    kind: str
    levels: frozenset[str]
    """The levels that it is known at."""
    tools: frozenset[str] = frozenset()
    """Of a trusted value: the tools that gave it."""
    titles: frozenset[str] = frozenset()
    origin: Origin | None = None
    """Where it was read, if it was."""
    unclear: bool = False
    hidden: bool = False


def leaves(arguments: Mapping[str, Any], path: str) -> Iterator[Any]:
    """The single values of an argument, or of a field inside one: `attachments.file_id`."""
    first, _, rest = path.partition(".")
    yield from _leaves(arguments.get(first), rest, 0)


def _leaves(value: Any, path: str, depth: int) -> Iterator[Any]:
    if depth > 40:
        yield "[nested too deep]"
    elif isinstance(value, Mapping):
        first, _, rest = path.partition(".")
        if path:
            yield from _leaves(value.get(first), rest, depth + 1)
        else:
            for key, item in value.items():
                yield key
                yield from _leaves(item, "", depth + 1)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _leaves(item, path, depth + 1)
    elif value is not None and value != "" and not isinstance(value, bool):
        if not path or depth == 0 or not isinstance(value, str | int | float):
            yield value
        elif path:
            yield value  # a bare value where an object was expected is judged as the field itself


def fill(argument: str, value: Any, sink: Sink, values: Values, said: Said) -> Filled:
    """Find out all that is known of a value in a sink."""
    text = value if isinstance(value, str) else str(value)
    if sink.kind in ("address", "auto"):
        text = addressed(text)
    kind = look_of(text) if sink.kind == "auto" else sink.kind
    hidden = hides(text)
    levels: set[str] = set()
    found = [pair for pair in _pairs(text, kind, values) if pair in values.whole]
    tools: set[str] = set()
    titles: set[str] = set()
    unclear, origin = False, None
    if not hidden:
        if said.has(text, kind) and not _other_case(text, kind, found, values, said):
            levels.add("user")
        for pair in found:
            levels |= values.whole[pair].keys()
            tools |= values.tools.get(pair, set())
            titles |= values.titles.get(pair, set())
            unclear = unclear or pair in values.unclear
            if pair in values.confirmed and _bears(pair, values, said):
                levels.add("resolved")
        levels |= _in_texts(text, kind, sink, levels, values)
    levels.discard("untrusted")
    if unclear:
        levels -= {"looked", "trusted", "resolved"} if "user" not in levels else set()
    if not (levels | ({"trusted"} if "looked" in levels else set())) & set(sink.levels):
        origin = _origin(text, kind, found, values)
    return Filled(argument, text, kind, frozenset(levels), frozenset(tools), frozenset(titles), origin, unclear, hidden)


def allowed(filled: Filled, sink: Sink) -> bool:
    """Whether one of its levels is one that the sink takes."""
    levels = filled.levels | ({"trusted"} if "looked" in filled.levels else set())
    return bool(levels & set(sink.levels))


def imitates(filled: Filled, values: Values, said: Said) -> str:
    """The known value that this one looks like and is not; empty for none."""
    if filled.value.isascii() and not filled.hidden:
        return ""
    seen, longest = skeleton(filled.value), len(filled.value) + 2
    known = [key for _, key in said.values]
    known += [key for (kind, key), held in values.whole.items() if kind == filled.kind and "untrusted" not in held]
    near = (key for key in known if longest - 4 <= len(key) <= longest and key != filled.value)
    return next((key for key in near if skeleton(key) == seen), "")


def _bears(pair: tuple[str, str], values: Values, said: Said) -> bool:
    """Whether the user spoke of what this is called: of a person by any of their names, of a thing by all of it."""
    spoken = said.mentions if pair[0].startswith("id") else said.names
    return any(spoken(each) for each in values.titles.get(pair, ()))


def _pairs(text: str, kind: str, values: Values) -> Iterator[tuple[str, str]]:
    yield kind, key_of(text, kind)
    if kind == "id":  # of no said what: any id will do
        yield from (pair for pair in values.whole_keys(text) if pair[0].startswith("id:"))
    elif kind.startswith("id:"):
        yield "id", key_of(text, "id")


def _other_case(text: str, kind: str, found: list[tuple[str, str]], values: Values, said: Said) -> bool:
    """Whether there is another one of this name in other case, and the user wrote that one."""
    spelled = set[str]().union(*(values.spelled.get(pair, set()) for pair in found))
    return len(spelled) > 1 and not any(text.strip() in each for each in said.texts)


def _in_texts(text: str, kind: str, sink: Sink, levels: set[str], values: Values) -> set[str]:
    base = kind.partition(":")[0]
    if levels & set(sink.levels):
        return set()
    if base in ("address", "url", "account"):
        return set(values.inside.get((base, key_of(text, base)), ())) & {"party", "source", "member"}
    if base in ("user", "channel", "venue", "path", "name", "text"):
        wanted = [level for level in ("party", "source", "member") if level in sink.levels]
        return {level for level in wanted if values.in_texts(text, level)}
    return set()


def _origin(text: str, kind: str, found: list[tuple[str, str]], values: Values) -> Origin | None:
    base = kind.partition(":")[0]
    seen = [values.whole[pair] for pair in found] + [values.inside.get((base, key_of(text, base)), {})]
    seen += [values.whole[pair] for pair in values.whole_keys(text)]
    if origin := next((origin for levels in seen for origin in levels.values()), None):
        return origin
    unclear = next((values.unclear[pair] for pair in found if pair in values.unclear), None)
    levels = ("untrusted", "member", "source", "party", "trusted")
    return unclear or next((where for level in levels if (where := values.in_texts(text, level))), None)
