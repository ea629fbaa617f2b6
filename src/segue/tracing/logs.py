"""Logs that carry ids: log records in; the same with the run, thread, trace, span and error they belong to out.

`RunLog` is the logger that a run context lends (`ctx.log`): its records carry the ids wherever they go. `RunIds` is a
filter for a handler: it finds the run that a record was made in, for code that logs in the ordinary way.
`configure` puts one handler on the logger `segue`, as text or as JSON, with both and with redaction.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import orjson

from segue.tracing.redaction import RedactingFilter, Redactor, redactor

IDS = ("run_id", "thread_id", "trace_id", "span_id", "agent", "error_id")
"""What records carry, as attributes; empty where there is none."""
Find = Callable[[], Any]
"""Gives the context of the run that is going on here, or `None`."""
Format = Literal["text", "json"]


def ids_of(ctx: Any) -> dict[str, str]:
    """The ids of a run context; all empty for `None`."""
    held = {"tool_call_id": getattr(ctx, "tool_call_id", "")} if getattr(ctx, "tool_call_id", "") else {}
    return {name: str(getattr(ctx, name, "") or "") for name in IDS} | held


class RunLog(logging.LoggerAdapter[logging.Logger]):
    """A logger whose records carry the ids of one run; a call's own `extra` goes over them."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Add the ids."""
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


def run_log(ctx: Any, name: str = "segue.run") -> RunLog:
    """The logger of a run context."""
    return RunLog(logging.getLogger(name), ids_of(ctx))


class RunIds(logging.Filter):
    """Gives each record the ids of the run that it was made in. Put it on a handler; it lets everything pass."""

    def __init__(self, find: Find | None = None, redact: Redactor | None = None) -> None:
        super().__init__()
        self._find = find or (lambda: None)
        self._redact = redact or redactor()

    def filter(self, record: logging.LogRecord) -> bool:
        """Set what is not set yet; the error's id comes from the exception that the record carries."""
        try:
            found = ids_of(self._find())
        except Exception:
            found = ids_of(None)
        if record.exc_info and record.exc_info[1] is not None:
            found["error_id"] = str(getattr(record.exc_info[1], "error_id", ""))
        found["thread_id"] = self._redact(found["thread_id"])
        for name, value in found.items():
            if not getattr(record, name, ""):
                setattr(record, name, value)
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `at`, `level`, `logger`, `message`, the ids that are there, and what `extra` gave."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        told: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= {key: value for key, value in vars(record).items() if key not in _PLAIN and value not in ("", None)}
        if trace := _traceback(record):
            told["traceback"] = trace
        return orjson.dumps(told, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class TextFormatter(logging.Formatter):
    """One line: time, level, logger, message, then the ids that are there; a traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        ids = " ".join(f"{name}={value}" for name in IDS if (value := getattr(record, name, "")))
        line = f"{at} {record.levelname.lower()} {record.name}: {record.getMessage()}{f'  {ids}' if ids else ''}"
        return "\n".join(part for part in (line, _traceback(record)) if part)


_PLAIN = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})


def _traceback(record: logging.LogRecord) -> str:
    if record.exc_text:
        return record.exc_text
    return "".join(traceback.format_exception(*record.exc_info)).rstrip() if record.exc_info else ""


def configure(
    form: Format,
    *,
    level: str = "info",
    find: Find | None = None,
    redact: Redactor | None = None,
    stream: TextIO | None = None,
) -> Callable[[], None]:
    """Send what Segue logs to a stream, in one form, redacted, with ids. The root logger's handlers do not get it too.

    Args:
        form: `text` or `json`.
        level: debug, info, warning, error or critical.
        find: Gives the run context of the code that logs; `None` for records that bring their own ids only.
        redact: What is taken out; `None` takes out secrets and personal data.
        stream: `None` is standard error.

    Returns:
        A function that takes it all back.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    handler.addFilter(RunIds(find, redact))  # first: redaction turns the exception, which has the error's id, into text
    handler.addFilter(RedactingFilter(redact))
    logger = logging.getLogger("segue")
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False

    def undo() -> None:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]
        handler.close()

    return undo
