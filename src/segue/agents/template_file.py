r"""Template files: text in; front matter and body, checked against each other, out.

    ---
    name: support
    version: 3
    labels: [production]
    variables:
      shop: str
      limit_eur: {type: float, min: 0, max: 500, default: 50}
    ---
    You answer for {{shop}}. Refund up to EUR {{limit_eur}} without asking.

The front matter is plain YAML without tags. `{{name}}` is the only thing that is replaced in the body; `\{{` stands
for two braces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from segue.agents.template_variables import KEYS, TYPES, Variable
from segue.base.errors import UserError, names

PLACE = re.compile(r"\\\{\{|\{\{(.*?)\}\}", re.DOTALL)
"""A pair of braces that is meant, or what stands between two pairs."""
_NAME = re.compile(r"[A-Za-z_]\w*")
_TOP = frozenset({"name", "version", "labels", "variables", "description"})


class TemplateError(UserError):
    """A template, or a value for it, does not fit. The message names file, line and variable."""

    def __init__(self, place: str, line: int, what: str, *, variable: str = "", way_out: str = "") -> None:
        at = f"{place}:{line}" if line else place
        super().__init__(f"{at}: {what}", way_out=way_out)
        self.place = place
        self.line = line
        self.variable = variable


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """What stands in a template file."""

    name: str
    version: str
    labels: tuple[str, ...]
    variables: tuple[Variable, ...]
    body: str


def parse(text: str, place: str, *, name: str = "", version: str = "") -> Parsed:
    """Read a template; `name` and `version` are what the file's own name says.

    Raises:
        TemplateError: It is no template, or its variables and its body do not agree.
    """
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    front, body, first = _split(text, place)
    held = _mapping(front, place, "the front matter", _TOP) if front is not None else {}
    variables = tuple(_variables(held.get("variables"), place))
    check_body(body, variables, place, first)
    scalars = {key: _scalar(held[key], place, key) for key in ("name", "version") if key in held}
    if version and scalars.get("version", version) != version:
        line = _line(held["version"])
        raise TemplateError(place, line, f"the file is version {version} by its name and {scalars['version']} by this")
    labels = _value(held["labels"], place) if "labels" in held else []
    if not isinstance(labels, list) or not all(isinstance(each, str) for each in labels):
        raise TemplateError(place, _line(held["labels"]), "labels is a list of words")
    return Parsed(
        name=scalars.get("name", name), version=scalars.get("version", version), labels=tuple(labels),
        variables=variables, body=body,
    )  # fmt: skip


def check_body(body: str, variables: tuple[Variable, ...], place: str, first: int = 1) -> None:
    """See that the body names declared variables only, and all of them; its first line is line `first`.

    Raises:
        TemplateError: It does not.
    """
    declared, used = {each.name: each for each in variables}, set[str]()
    for match in PLACE.finditer(body):
        if match[1] is None:
            continue
        line, name = first + body.count("\n", 0, match.start()), match[1].strip()
        if not _NAME.fullmatch(name):
            way_out = "For braces that are meant write \\{{."
            raise TemplateError(place, line, f"{match[0]!r} names no variable.", way_out=way_out)
        if name not in declared:
            what = f"there is no variable {name!r}; declared are: {names(declared)}."
            raise TemplateError(place, line, what, variable=name, way_out="Declare it under variables.")
        used.add(name)
    for each in variables:
        if each.name not in used:
            raise TemplateError(place, each.line, f"the variable {each.name!r} is not used", variable=each.name)


def filled(body: str, text_of: Callable[[str], str]) -> str:
    """The body with the text of each variable in its place; what is put in is not looked at again."""
    return PLACE.sub(lambda match: "{{" if match[1] is None else text_of(match[1].strip()), body)


def declared(table: Any, place: str) -> tuple[Variable, ...]:
    """Variables out of plain data, as `variables` of a front matter has them.

    Raises:
        TemplateError: A declaration is unusable.
    """
    if not isinstance(table, Mapping):
        raise TemplateError(place, 0, "variables is a table of names")
    return tuple(_variable(str(name), held, place, 0) for name, held in table.items())


def _split(text: str, place: str) -> tuple[str | None, str, int]:
    """The front matter, the body without blank lines around it, and the number of the body's first line."""
    front, rest, skipped = None, text, 0
    if text.startswith("---\n"):
        end = re.compile(r"^---[ \t]*$\n?", re.MULTILINE).search(text, 4)
        if end is None:
            raise TemplateError(place, 1, "the front matter has no end.", way_out="Close it with a line of ---.")
        front, rest, skipped = text[4 : end.start()], text[end.end() :], text.count("\n", 0, end.end())
    body = rest.strip("\n")
    if not body.strip():
        raise TemplateError(place, 0, "there is no text behind the front matter")
    return front, body.rstrip(), skipped + 1 + (len(rest) - len(rest.lstrip("\n")))


def _mapping(front: str, place: str, what: str, known: frozenset[str]) -> dict[str, Any]:
    """The top of the front matter, as YAML nodes by their keys."""
    import yaml  # type: ignore[import-untyped]

    try:
        node = yaml.compose(front, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark is not None else 1
        raise TemplateError(place, line, f"{what} is no YAML: {getattr(error, 'problem', None) or error}") from None
    if node is None:
        return {}
    held = dict(_pairs(node, place, what))
    if unknown := [key for key in held if key not in known]:
        line = _line(held[unknown[0]])
        raise TemplateError(place, line, f"there is no {unknown[0]!r} in {what}; there are {names(known)}")
    return held


def _pairs(node: Any, place: str, what: str) -> Iterator[tuple[str, Any]]:
    if node.id != "mapping":
        raise TemplateError(place, _line(node), f"{what} is a table of names")
    seen = set[str]()
    for key, value in node.value:
        if key.value in seen:
            raise TemplateError(place, _line(key), f"{key.value!r} stands twice in {what}")
        seen.add(key.value)
        yield str(key.value), value


def _variables(node: Any, place: str) -> Iterator[Variable]:
    if node is None:
        return
    for name, held in _pairs(node, place, "variables"):
        yield _variable(name, _value(held, place), place, _line(held))


def _variable(name: str, held: Any, place: str, line: int) -> Variable:
    def wrong(what: str) -> TemplateError:
        return TemplateError(place, line, f"variable {name!r}: {what}", variable=name)

    if not _NAME.fullmatch(name):
        raise wrong("a name is letters, digits and _")
    rules = {"type": held} if isinstance(held, str) else dict(held or {}) if isinstance(held, dict | None) else None
    if rules is None or (rules.keys() - KEYS):
        what = f"there is no rule {sorted(map(str, rules.keys() - KEYS))[0]!r}" if rules else "this is no declaration"
        raise wrong(f"{what}; a declaration is a type, or a table of {names(KEYS)}")
    if rules.get("type", "str") not in TYPES:
        raise wrong(f"there is no type {rules['type']!r}; there are {names(TYPES)}")
    try:
        re.compile(rules.get("pattern", ""))
        given: dict[str, Any] = {**rules, "name": name, "enum": tuple(rules.get("enum", ())), "line": line}
        made = Variable(**given)
        return made if made.default is None else Variable(**{**given, "default": made.checked(made.default)})
    except (TypeError, ValueError, re.error) as error:
        raise wrong(f"the declaration does not fit: {error}") from None


def _value(node: Any, place: str) -> Any:
    """A YAML node as plain data; a tag that would make anything else is refused."""
    import yaml

    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except (yaml.YAMLError, ValueError) as error:
        raise TemplateError(place, _line(node), f"this is no plain data: {getattr(error, 'problem', error)}") from None
    finally:
        loader.dispose()


def _scalar(node: Any, place: str, key: str) -> str:
    """The text of a node as it is written: version 1.10 is not 1.1."""
    if node.id != "scalar" or not node.value:
        raise TemplateError(place, _line(node), f"{key} is a word or a number")
    return str(node.value)


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 2
