"""From what a server says when it refuses to the error that says what to do about it.

In: a status, the body of the answer or an error out of the stream, and the deployment's settings. Out: one of
`segue.router.errors`, its detail bounded and free of secrets.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

import orjson

from segue.base.patterns import lazy_pattern
from segue.router.errors import (
    AttemptError,
    BadRequest,
    BrokenStream,
    ContextOverflow,
    EndpointFailed,
    EndpointRefused,
    RateLimited,
)
from segue.router.secrets import redact

_OVERFLOW = lazy_pattern(
    r"context[ _-]?(length|window|size|limit)|maximum (input|prompt|context)|too many (input )?tokens|"
    r"(prompt|input|conversation) is too long|exceeds? the (available|model'?s)",
    re.IGNORECASE,
)
_SPENT = lazy_pattern(
    r"insufficient_quota|credit balance is too low|reached your specified \S* ?usage limits", re.IGNORECASE
)
"""No credit is left; Anthropic says so with a 400."""
_UNREADABLE = lazy_pattern(
    r"not a multi-?modal model|at most 0 (image|audio|video)|"
    r"(image|audio|video|vision|file|inline_data)\S*( \w+)? (is|are) (not|only) supported|"
    r"(does not|doesn't|not) support (image|audio|video|vision|multi-?modal)|"
    r"unknown variant `?(image_url|input_audio|file)|allowed values: \['text'\]",
    re.IGNORECASE,
)
"""What a model cannot read: servers say so with a 400, llama.cpp with a 500."""
_STATUS = lazy_pattern(r"[45][0-9][0-9]")
_WAYS_OUT = {
    401: 'Give it a key: api_key = "env:NAME", and see that the variable holds the right one.',
    402: "See the account's credit.",
    403: "See what the key may do.",
    404: "See `model` and `endpoint` (with /v1); GET /models on the endpoint lists what it serves.",
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What a server said."""

    status: int | None
    message: str = ""
    kind: str = ""
    """Its `type` and `code` and `param`, as one text to search in."""


def read_fault(status: int | None, body: bytes) -> Fault:
    """Find the message in the body of an error, whatever shape the server gives it."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Fault(status=status, message=body.decode("utf-8", "replace"))
    return fault_of(data, status)


def fault_of(data: Any, status: int | None = None) -> Fault:
    """The same out of parsed JSON, as it also comes in mid stream; a numeric `code` counts as a status."""
    error = data.get("error", data) if isinstance(data, Mapping) else data
    if not isinstance(error, Mapping):
        return Fault(status=status, message=str(error))
    message = error.get("message") or error.get("detail") or error.get("error") or orjson.dumps(dict(error)).decode()
    if status is None and _STATUS.fullmatch(code := str(error.get("code"))):
        status = int(code)
    kind = " ".join(str(error[key]) for key in ("type", "code", "param") if error.get(key))
    return Fault(status=status, message=message if isinstance(message, str) else str(message), kind=kind)


def to_error(
    fault: Fault, *, deployment: str, model: str, secrets: Sequence[str], headers: Mapping[str, str] | None = None
) -> AttemptError:
    """The error for a fault; `headers` are the answer's, for how long to wait."""
    detail = redact(fault.message, secrets)
    status = fault.status
    if status is None:
        return BrokenStream(deployment, "reported an error in mid stream", detail=detail)
    if _is_overflow(fault):
        return ContextOverflow(
            deployment,
            f"cannot take so long a conversation ({status}, model {model!r})",
            detail=detail,
            status=status,
            way_out="Shorten the conversation, or route to a model with a longer context.",
        )
    if status in (400, 404, 415, 422, 500) and _UNREADABLE.search(fault.message):
        return EndpointRefused(
            deployment,
            f"cannot read what the conversation holds beside text ({status}, model {model!r})",
            detail=detail,
            status=status,
            way_out="Route to a model that reads it, or leave it out of the messages.",
        )
    if status in (400, 429) and _SPENT.search(f"{fault.kind} {fault.message}"):
        what = f"refused ({status}, model {model!r})"
        return EndpointRefused(deployment, what, detail=detail, status=status, way_out=_WAYS_OUT[402])
    if status == 429:
        wait = retry_after_s(headers or {})
        return RateLimited(deployment, "is over its rate limit (429)", retry_after_s=wait, detail=detail)
    if status in (401, 402, 403, 404, 405, 410) or status < 400:
        what = f"refused ({status}, model {model!r})"
        return EndpointRefused(deployment, what, detail=detail, status=status, way_out=_WAYS_OUT.get(status, ""))
    if status in (400, 413, 422):
        return BadRequest(deployment, f"does not accept the request ({status})", detail=detail, status=status)
    return EndpointFailed(deployment, f"failed ({status})", detail=detail, status=status)


def reason(error: Exception, secrets: Sequence[str]) -> str:
    """Why a connection failed, in the system's words where there are any."""
    inner = getattr(error, "os_error", None)
    said = (getattr(inner, "strerror", None) or str(inner)) if inner is not None else str(error)
    return redact(said or type(error).__name__, secrets, limit=200)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The wait that an answer asks for: `retry-after-ms`, `Retry-After` in seconds or as a date; else `None`."""
    try:
        if (millis := headers.get("retry-after-ms")) is not None:
            wait = float(millis) / 1000
        elif (value := headers.get("Retry-After")) is None:
            return None
        else:
            wait = _seconds(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, wait) if isfinite(wait) else None


def _seconds(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return parsedate_to_datetime(value).timestamp() - time.time()


def _is_overflow(fault: Fault) -> bool:
    if fault.status not in (400, 413, 422):
        return False
    known = ("context_length_exceeded", "input_tokens", "exceed_context_size")
    return any(word in fault.kind for word in known) or bool(_OVERFLOW.search(fault.message))
