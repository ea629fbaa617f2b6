"""Prompt templates: a file or a Langfuse prompt in; text with its variables filled in, named and versioned, out.

    prompt = Prompt.load("prompts/support.md")
    Agent("support", instructions=prompt.bind(shop="Nordlys"))

Values are put in as they are and never looked at again, so nothing in them is a variable and nothing is run. How a
file is read is in `template_file`, what a value must be in `template_variables`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from segue.agents.template_file import Parsed, TemplateError, filled, parse
from segue.agents.template_langfuse import fetched
from segue.agents.template_variables import Variable
from segue.base.errors import BadInput, EndpointError, UserError, names
from segue.base.ids import content_hash
from segue.context.run import RunContext

_log = logging.getLogger("segue.prompts")


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A template at one version. Frozen: a newer version is loaded by loading it again."""

    name: str
    body: str = field(repr=False)
    variables: tuple[Variable, ...] = ()
    version: str = ""
    labels: tuple[str, ...] = ()
    source: str = ""
    """Where it comes from: a path, or `langfuse:NAME`."""
    fallback_for: str = ""
    """Where another source was asked for and could not be had: that source."""

    @property
    def hash(self) -> str:
        """Of the body, 32 hex digits: the same text has the same hash wherever it comes from."""
        return content_hash(self.body.encode())

    @property
    def about(self) -> dict[str, str]:
        """What the generation span says of it."""
        held = {"name": self.name, "version": self.version, "hash": self.hash}
        return held | ({"source": "langfuse"} if self.source.startswith("langfuse:") else {})

    @classmethod
    def load(cls, path: Path | str, *, version: str | int | None = None, label: str | None = None) -> Prompt:
        """A template out of a file, or of a folder with versions of it: `support.md`, `support@2.md`, `support@3.md`.

        Args:
            path: The file without a version, `prompts/support.md`.
            version: This version, by the file's name or its front matter.
            label: The version that has this label in its front matter.

        With neither, the file itself; where it is not there, the version with the highest number.

        Raises:
            BadInput: There is no such file, version or label; the message says which there are.
            UserError: The template is unusable; the message names file, line and variable.
        """
        path = Path(path)
        if version is not None and label is not None:
            raise UserError(f"{path}: give a version or a label, not both")
        if version is None and label is None and path.is_file():
            return _read(path)
        held = [_read(each) for each in _versions(path)]
        if version is None and label is None:
            found = sorted(held, key=lambda each: _order(each.version))[-1:]
        else:
            found = [each for each in held if each.version == str(version) or (label and label in each.labels)]
        if len(found) == 1:
            return found[0]
        wanted = f"label {label!r}" if label else f"version {str(version)!r}" if version is not None else "template"
        there = names([f"{each.version or '?'} ({names(each.labels)})" if label else each.version for each in held])
        what = "is not there" if not found else "stands in several files"
        raise BadInput(f"{path}: {wanted} {what}; the versions are: {there}")

    @classmethod
    def parse(cls, text: str, *, name: str = "", source: str = "") -> Prompt:
        """A template out of its text, front matter and all.

        Raises:
            UserError: It is unusable; the message names line and variable.
        """
        return cls._of(parse(text, source or name or "template", name=name), source)

    @classmethod
    def _of(cls, held: Parsed, source: str) -> Prompt:
        return cls(
            name=held.name, body=held.body, variables=held.variables, version=held.version, labels=held.labels,
            source=source,
        )  # fmt: skip

    @classmethod
    def langfuse(
        cls,
        name: str,
        *,
        label: str | None = None,
        version: int | None = None,
        fallback: Prompt | None = None,
        deadline_s: float = 2.0,
        client: Any = None,
    ) -> Prompt:
        """A text prompt out of Langfuse's prompt management, as it is now.

        Its variables are those that `variables` of its config declares, else those of the fallback, else texts.

        Args:
            name: Its name there.
            label: Such as `production`, which it is without label and version.
            version: One version, for good.
            fallback: What to take where it cannot be had in time, or is unusable; a warning is logged.
            deadline_s: Seconds for the whole of it; the caller waits that long at most.
            client: A `langfuse.Langfuse` whose `get_prompt`, and cache, is used; `None` asks with LANGFUSE_PUBLIC_KEY,
                LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL of the environment.

        Raises:
            EndpointError: It cannot be had, and there is no fallback.
            UserError: It is no text prompt, or its variables do not agree, and there is no fallback.
        """
        if version is not None and label is not None:
            raise UserError(f"langfuse:{name}: give a version or a label, not both")
        source = f"langfuse:{name}"
        try:
            held = fetched(
                name, label=label, version=version, variables=fallback.variables if fallback else None,
                deadline_s=deadline_s, client=client,
            )  # fmt: skip
            return cls._of(held, source)
        except (EndpointError, UserError) as error:
            if fallback is None:
                raise
            _log.warning("prompt %s: the local version is used: %s (%s)", name, error, error.error_id)
            return replace(fallback, fallback_for=source)

    def render(self, **values: Any) -> str:
        """The text with these values.

        Raises:
            UserError: A value is missing, too many, or does not fit; the message names file, line and variable.
        """
        held = {each.name: each for each in self.variables}
        if unknown := sorted(values.keys() - held.keys()):
            what = f"there is no variable {unknown[0]!r}; declared are: {names(held)}"
            raise TemplateError(self._place, 0, what, variable=unknown[0])
        texts = {name: self._text(each, values) for name, each in held.items()}
        return filled(self.body, texts.__getitem__)

    def bind(self, **values: Any) -> BoundPrompt:
        """Instructions for an agent. A value may be a function of the run context; the others are checked now.

        Raises:
            UserError: As for `render`.
        """
        return BoundPrompt(self, values)

    @property
    def _place(self) -> str:
        return self.source or self.name or "template"

    def _text(self, variable: Variable, values: Mapping[str, Any]) -> str:
        given = values.get(variable.name, variable.default)
        if given is None:
            if not variable.required:
                return ""
            what = f"the variable {variable.name!r} is missing."
            way_out = f"Give it: {variable.name}=…, or declare a default."
            raise TemplateError(self._place, variable.line, what, variable=variable.name, way_out=way_out)
        try:
            return variable.text(given)
        except ValueError as error:
            what = f"the variable {variable.name!r} {error}"
            raise TemplateError(self._place, variable.line, what, variable=variable.name) from None


class BoundPrompt:
    """A prompt with its values: a function of the run context; the same values give the same bytes."""

    def __init__(self, prompt: Prompt, values: Mapping[str, Any]) -> None:
        self.prompt = prompt
        self._asked = {name: value for name, value in values.items() if callable(value)}
        self._values = {name: value for name, value in values.items() if not callable(value)}
        self._check()
        self._text = None if self._asked else prompt.render(**self._values)

    @property
    def about(self) -> dict[str, str]:
        """What the generation span says of the prompt."""
        return self.prompt.about

    def __call__(self, ctx: RunContext[Any]) -> str:
        """The text for this run."""
        if self._text is not None:
            return self._text
        return self.prompt.render(**self._values, **{name: ask(ctx) for name, ask in self._asked.items()})

    def _check(self) -> None:
        """See now what can be seen now: names, and the values that are no functions."""
        later = tuple(
            replace(each, required=False) if each.name in self._asked else each for each in self.prompt.variables
        )
        unknown = {name: "" for name in self._asked if name not in {each.name for each in later}}
        replace(self.prompt, variables=later).render(**self._values, **unknown)


def _read(path: Path) -> Prompt:
    name, _, version = path.stem.partition("@")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise TemplateError(str(path), 0, f"this is no UTF-8 text: {error.reason}") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error
    return Prompt._of(parse(text, str(path), name=name, version=version), str(path))


def _versions(path: Path) -> list[Path]:
    found = [path] if path.is_file() else []
    if path.parent.is_dir():
        found += sorted(path.parent.glob(f"{path.stem}@*{path.suffix}"))
    if not found:
        held = names([each.name for each in path.parent.glob("*")]) if path.parent.is_dir() else "no such folder"
        raise BadInput(f"there is no template {path}; in {path.parent} there are: {held}")
    return found


def _order(version: str) -> list[tuple[int, str]]:
    """Versions by their numbers: 10 comes after 9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"[.\-]", version)]
