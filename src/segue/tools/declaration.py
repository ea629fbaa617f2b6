"""Declaration: what a tool says of itself so that the gate can judge its calls.

Where its results come from and what they are (`returns`), which arguments decide where something lands (`sinks`),
which carry text out (`content`), and what bounds an amount (`amount_cap`). Plain data in, a checked declaration out.
What an author leaves at `None` is derived by `segue.tools.deriving`; what the gate makes of it is in
`segue.guards.gate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, cast, get_args

from segue.base.errors import UserError, names

Level = Literal["user", "trusted", "party", "source", "member", "resolved"]
"""How a value came into the run, as far as it may fill a sink.

`user`: it stands in the user's own words. `trusted`: the system's own data, of the same kind. `party`: written by
somebody whom the user named. `source`: it stands in something that the user named, such as a page or a file. `member`:
written by an insider. `resolved`: confirmed by a resolver, under a name that the user said.
"""

LEVELS: tuple[str, ...] = get_args(Level)
KINDS = (
    "address", "url", "account", "user", "channel", "venue", "id", "path", "secret", "text", "amount", "date", "name",
)  # fmt: skip
"""What a value is; an id may say of what, as in `id:order`. `auto` stands for address, url, account or user, by its
looks."""
DEFAULT_LEVELS: dict[str, tuple[Level, ...]] = {
    "address": ("user", "trusted", "resolved"),
    "url": ("user", "trusted"),
    "account": ("user", "trusted", "resolved"),
    "user": ("user", "trusted", "party", "resolved"),
    "channel": ("user", "trusted", "party", "resolved"),
    "venue": ("user", "trusted", "party", "resolved"),
    "id": ("user", "trusted", "party", "resolved"),
    "path": ("user", "trusted", "party", "resolved"),
    "secret": ("user",),
    "text": ("user", "source"),
    "name": ("user", "trusted", "party"),
}
_EFFECTS, _REACHES = ("read", "write", "irreversible"), ("own", "out", "account")


@dataclass(frozen=True)
class Returned:
    """What a field of a result is."""

    trust: tuple[str, ...]
    """The first that holds counts. `sys`: the system's own data. `sys:<argument>`: that, as far as the argument came
    from the user. `party:<field or argument>`: written by whoever is named there. `member`: by an insider. None of
    these: anybody could have written it."""
    kind: str = "text"
    """What a trusted value is. Only a value of a sink's own kind may fill it, and text never does."""


@dataclass(frozen=True)
class Sink:
    """An argument that decides where something lands, or on what."""

    kind: str
    levels: tuple[Level, ...]
    """Where its values may come from, the best first."""


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What a tool says of itself. `None` is not said: it is derived from names, types and schemas."""

    effect: Literal["read", "write", "irreversible"] | None = None
    reach: Literal["own", "out", "account"] | None = None
    group: str | None = None
    """The unit of plans: a plan allows groups, and every tool that writes is in one. By default the tool's name."""
    src: str | None = None
    """The argument that names what is read: a page, a file, an inbox. Empty for none."""
    confidential: bool | None = None
    """Whether what it returns is watched for in outgoing text."""
    returns: Mapping[str, Returned] | None = None
    """Fields of the result by name, at any depth. The empty name is the result itself, or each item or line of it.
    Fields that are not named could have been written by anybody."""
    sinks: Mapping[str, Sink] | None = None
    """Arguments by name; `attachments.file_id` for a field inside one."""
    content: tuple[str, ...] | None = None
    """Arguments that carry text out: looked through for links, addresses, accounts and confidential values."""
    amount_cap: str | None = None
    """The argument that holds an amount, which must be bounded by the user's words or by what is usual. Empty: none."""
    resolver: str | None = None
    """Of a tool that reads: the kind of value that it confirms, such as `id:order`. Empty: none."""

    @classmethod
    def of(cls, given: Declaration | Mapping[str, Any], tool: str, parameters: Mapping[str, Any]) -> Declaration:
        """A declaration out of what an author wrote, checked against the tool's schema.

        A dict has the fields of this class. In `returns`, `"sys:query address"` is a trust and a kind; in `sinks`,
        `"address"` is a kind with its usual levels, and `"address: user, trusted"` says them.

        Raises:
            UserError: Something does not fit. The message names the tool and the argument or field.
        """
        if isinstance(given, Declaration):
            data = {each.name: getattr(given, each.name) for each in fields(cls)}
        elif isinstance(given, Mapping):
            data = dict(given)
        else:
            raise UserError(f"tool {tool!r}: declare is a dict or a Declaration, not {type(given).__name__}")
        known = [each.name for each in fields(cls)]
        if unknown := [str(key) for key in data if key not in known]:
            raise UserError(f"tool {tool!r}: a declaration has no field {unknown[0]!r}; there are {', '.join(known)}")
        return cls(**{key: _READ[key](value, _At(tool, key, parameters)) for key, value in data.items()})


@dataclass(frozen=True)
class _At:
    """Where in a declaration something is wrong."""

    tool: str
    field: str
    parameters: Mapping[str, Any]

    def wrong(self, why: str) -> UserError:
        return UserError(f"tool {self.tool!r}, declared {self.field}: {why}")

    def argument(self, name: Any) -> str:
        held = self.parameters.get("properties", {})
        if not isinstance(name, str):
            raise self.wrong(f"an argument's name is text, not {name!r}")
        if name.partition(".")[0] not in held:
            raise self.wrong(f"it has no argument {name!r}; its arguments are {', '.join(held) or 'none'}")
        return name

    def kind(self, name: Any) -> str:
        if not isinstance(name, str) or (name.partition(":")[0] not in KINDS and name != "auto"):
            raise self.wrong(f"no kind {name!r}; it is one of {', '.join(KINDS)}, or id:<what>")
        return name


def _choice(choices: tuple[str, ...]) -> Any:
    def read(value: Any, at: _At) -> Any:
        if value is not None and value not in choices:
            raise at.wrong(f"{value!r} is none of {', '.join(choices)}")
        return value

    return read


def _text(value: Any, at: _At) -> str | None:
    if value is not None and not isinstance(value, str):
        raise at.wrong(f"it is text, not {value!r}")
    return value


def _argument(value: Any, at: _At) -> str | None:
    return value if value is None or value == "" else at.argument(value)


def _bool(value: Any, at: _At) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise at.wrong(f"it is true or false, not {value!r}")
    return value


def _kind(value: Any, at: _At) -> str | None:
    return value if value is None or value == "" else at.kind(value)


def _content(value: Any, at: _At) -> tuple[str, ...] | None:
    if value is None:
        return None
    return tuple(at.argument(each) for each in ([value] if isinstance(value, str) else value))


def _returns(value: Any, at: _At) -> dict[str, Returned] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise at.wrong(f'it maps fields to what they are, such as {{"email": "sys:query address"}}, not {value!r}')
    return {str(key): _returned(str(key), each, at) for key, each in value.items()}


def _returned(name: str, given: Any, at: _At) -> Returned:
    if isinstance(given, Returned):
        trust, kind = given.trust, given.kind
    else:
        words = given.split() if isinstance(given, str) else list(_pair(given, ("trust", "kind"), name, at))
        if not 1 <= len(words) <= 2 or not all(isinstance(word, str) for word in words):
            raise at.wrong(f"field {name!r} is a trust and a kind, such as 'sys:query address', not {given!r}")
        trust, kind = tuple(words[0].split("|")), words[1] if len(words) == 2 else "text"
    for each in trust:
        what, _, of = each.partition(":")
        if what not in ("sys", "party", "member", "untrusted") or (what == "party" and not of):
            raise at.wrong(f"field {name!r}: no trust {each!r}; it is sys, sys:<argument>, party:<field>, member")
        if what == "sys" and of:
            at.argument(of)
    return Returned(trust, at.kind(kind))


def _sinks(value: Any, at: _At) -> dict[str, Sink] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise at.wrong(f'it maps arguments to kinds, such as {{"recipient": "address"}}, not {value!r}')
    return {at.argument(key): _sink(key, each, at) for key, each in value.items()}


def _sink(name: str, given: Any, at: _At) -> Sink:
    if isinstance(given, Sink):
        kind, levels = given.kind, given.levels
    elif isinstance(given, str):
        said = given.split()
        kind = said[0].rstrip(":") if said else ""
        rest = given.strip()[len(kind) :].strip(" :")
        said_levels: tuple[Any, ...] = tuple(rest.replace(",", " ").split())
        levels = said_levels
    elif isinstance(given, list | tuple) and given and all(each in LEVELS for each in given if isinstance(each, str)):
        raise at.wrong(f"argument {name!r}: say the kind too, as in 'address: {', '.join(map(str, given))}'")
    else:
        kind, held = _pair(given, ("kind", "levels"), name, at)
        levels = cast(tuple[Level, ...], (held,) if isinstance(held, str) else tuple(held or ()))
    if wrong := [str(each) for each in levels if each not in LEVELS]:
        raise at.wrong(f"argument {name!r}: no level {wrong[0]!r}; the levels are {', '.join(LEVELS)}")
    return Sink(at.kind(kind), levels or DEFAULT_LEVELS.get(kind.partition(":")[0], ("user", "trusted")))


def _pair(given: Any, keys: tuple[str, str], name: str, at: _At) -> tuple[Any, Any]:
    if isinstance(given, Mapping) and keys[0] in given and set(given) <= set(keys):
        return given[keys[0]], given.get(keys[1]) or ("text" if keys[1] == "kind" else ())
    if isinstance(given, Iterable) and not isinstance(given, str | Mapping) and len(pair := list(given)) == 2:
        return pair[0], pair[1]
    raise at.wrong(f"{name!r} is said by {names(keys)}, or as text, not by {given!r}")


_READ: dict[str, Any] = {
    "effect": _choice(_EFFECTS),
    "reach": _choice(_REACHES),
    "group": _text,
    "src": _argument,
    "confidential": _bool,
    "returns": _returns,
    "sinks": _sinks,
    "content": _content,
    "amount_cap": _argument,
    "resolver": _kind,
}
