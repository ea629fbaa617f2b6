"""What a request can be refused for, each with its status; and any error as what a client reads of it.

    SegueError
    └── Refusal          a request is refused
        ├── NoKey        401: no key, or none that counts
        ├── NotAllowed   403: the key may not do this
        ├── NotThere     404: no such thing in this tenant
        ├── NotNow       409: it is not in a state for this
        ├── TooLarge     413
        └── TooMany      429: a limit of the key; says when to come again

A body is `{"error": {"type", "message", "way_out", "error_id"}}`, under `/v1` in OpenAI's shape. No body holds a
traceback, or the text of an error that Segue did not raise on purpose: that stands in the log, by its id.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from segue.base.errors import BadInput, OperatorError, SegueError, UserError, error_id_of
from segue.base.ids import new_id
from segue.workspace.resuming import Superseded
from segue.workspace.turns import ThreadBusy

_log = logging.getLogger("segue.server")
_MOST_FAULTS = 5


class Refusal(SegueError):
    """A request is refused."""

    category = "input"
    status = 400
    headers: Mapping[str, str] = {}


class NoKey(Refusal):
    """No key was given, or none that counts."""

    status = 401
    headers = {"WWW-Authenticate": "Bearer"}  # noqa: RUF012 - it is never changed


class NotAllowed(Refusal):
    """The key, or where the request comes from, does not allow it."""

    status = 403


class NotThere(Refusal):
    """There is no such thing in this tenant."""

    status = 404

    def __init__(self, what: str, name: str, *, way_out: str = "") -> None:
        super().__init__(f"there is no {what} {name!r} here", way_out=way_out)


class NotNow(Refusal):
    """It is not in a state in which this can be done."""

    status = 409


class TooLarge(Refusal):
    """The body is larger than the server takes."""

    status = 413

    def __init__(self, most: int) -> None:
        super().__init__(f"the body of a request is {most} bytes at most", way_out="[server] max_body_bytes raises it.")


class TooMany(Refusal):
    """A limit of the key is reached."""

    status = 429

    def __init__(self, what: str, retry_after_s: int) -> None:
        super().__init__(f"too many {what}", way_out=f"Come again in {retry_after_s} s.")
        self.headers = {"Retry-After": str(retry_after_s)}


def answer(error: BaseException, path: str) -> Response:
    """What a client reads of an error."""
    status, told = _told(error)
    headers = dict(getattr(error, "headers", None) or {})
    if path.startswith("/v1/"):
        kind = _OPENAI.get(status, "invalid_request_error" if status < 500 else "server_error")
        message = f"{told['message']} {told['way_out']}".rstrip()
        told = {"message": message, "type": kind, "param": None, "code": told["type"], "error_id": told["error_id"]}
    return Response(orjson.dumps({"error": told}), status, headers, "application/json")


_OPENAI = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def _told(error: BaseException) -> tuple[int, dict[str, Any]]:
    match error:
        case RequestValidationError():
            return 422, _plain("invalid", _faults(error), "Mend the request; its shape is in /api/openapi.json.")
        case HTTPException():
            return error.status_code, _plain(_NAMES.get(error.status_code, "refused"), str(error.detail), "")
        case SegueError():
            status = status_of(error)
            return status, _plain(_name(error), error.message, error.way_out, error_id_of(error))
        case _:
            id_ = error_id_of(error)
            _log.error("a request failed (%s): %s: %s", id_, type(error).__name__, error, exc_info=error)
            return 500, _plain("internal", "the server failed at this request", f"Its log has more, by {id_}.", id_)


_NAMES = {404: "not_there", 405: "method_not_allowed", 400: "invalid", 413: "too_large"}


def status_of(error: SegueError) -> int:
    """The HTTP status that an error is answered by."""
    match error:
        case Refusal():
            return error.status
        case Superseded() | ThreadBusy():
            return 409
        case BadInput() | UserError():
            return 422
        case OperatorError():
            return 503
        case _:
            return 409


def _name(error: SegueError) -> str:
    name = type(error).__name__
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name).lstrip("_")


def _plain(type_: str, message: str, way_out: str, error_id: str = "") -> dict[str, Any]:
    return {"type": type_, "message": message, "way_out": way_out, "error_id": error_id or new_id("err")}


def _faults(error: RequestValidationError) -> str:
    found = error.errors()
    told = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in found[:_MOST_FAULTS]]
    more = f" and {len(found) - _MOST_FAULTS} more" if len(found) > _MOST_FAULTS else ""
    return ("; ".join(told) + more).encode(errors="replace").decode()
