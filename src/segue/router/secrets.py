"""References to secrets: `env:NAME` or `file:PATH`. The secret itself is read where it is used and kept nowhere.

In: a reference as it stands in the settings. Out: the secret, for one request. What a server says back goes through
`redact` before it reaches an error or a log.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

from segue.base.errors import ConfigError

WAY_OUT = 'Write a reference instead: "env:NAME" for an environment variable, "file:PATH" for a file.'


def check_reference(value: str) -> str:
    """The reference itself, if it is one. The message of the error does not repeat the value.

    Raises:
        ValueError: It is a literal, or a reference to nothing.
    """
    kind, _, where = value.strip().partition(":")
    if kind not in ("env", "file") or not where.strip():
        raise ValueError(f"a secret must not stand in the settings itself. {WAY_OUT}")
    return value.strip()


def is_reference(value: str) -> bool:
    """Whether the value is `env:…` or `file:…`."""
    return value.startswith(("env:", "file:"))


def resolve(reference: str, environ: Mapping[str, str] | None = None, *, wanted_by: str = "a setting") -> str:
    """The secret that a reference points to, without white space around it.

    Raises:
        ConfigError: The variable is not set, or the file cannot be read, or it is empty.
    """
    kind, _, where = reference.partition(":")
    if kind == "env":
        value = (os.environ if environ is None else environ).get(where, "").strip()
        if not value:
            raise ConfigError(
                f"{wanted_by} needs the environment variable {where}, which is not set.",
                way_out="Set it in the environment or in .env.",
            )
        return value
    try:
        value = Path(where).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{wanted_by} needs a secret from the file {where}: {error}.") from error
    if not value:
        raise ConfigError(f"{wanted_by} needs a secret from the file {where}, which is empty.")
    return value


def is_there(reference: str, environ: Mapping[str, str] | None = None) -> bool:
    """Whether the reference points to something, without saying to what."""
    try:
        return bool(resolve(reference, environ))
    except ConfigError:
        return False


def redact(text: str, secrets: Iterable[str], *, limit: int = 500) -> str:
    """The text on one line, at most `limit` characters, with each secret replaced by `***`, however it is spelt."""
    for secret in secrets:
        for spelling in _spellings(secret):
            text = text.replace(spelling, "***")
    text = " ".join(text.split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def cause(error: BaseException, secrets: Iterable[str]) -> BaseException | None:
    """The error itself, for `raise … from`; `None` where it, or what is behind it, would tell a secret."""
    spellings = [spelling for secret in secrets for spelling in _spellings(secret)]
    behind: BaseException | None = error
    while behind is not None:
        told = f"{behind}{behind!r}{behind.args!r}{vars(behind)!r}"
        if any(spelling in told for spelling in spellings):
            return None
        behind = behind.__cause__ or behind.__context__
    return error


def _spellings(secret: str) -> Iterable[str]:
    """How it may stand in a text: as it is, in a URL, in JSON, in a repr. What is very short is no secret."""
    if len(secret) < 4:
        return ()
    shown = (repr(secret)[1:-1], repr(secret.encode())[2:-1])
    return dict.fromkeys((secret, quote(secret), quote_plus(secret), json.dumps(secret)[1:-1], *shown))
