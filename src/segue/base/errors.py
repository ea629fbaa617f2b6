"""The exception tree: each error says what it was, whether trying again may help, and the way out.

    SegueError
    ├── UserError                wired wrongly, by the developer; never retryable
    │   ├── ConfigError          segue.toml, .env or the environment holds something unusable
    │   └── BadInput             an argument, a name or an id from a person does not exist or does not fit
    ├── OperatorError            the world outside: endpoints, stores, files
    │   ├── EndpointError        a model endpoint could not be reached or refused
    │   └── StoreError           a database or a file could not be read or written
    ├── RunStopped               the run ends early, in order: budget, deadline, cancel, block, loop
    └── RunNotFinished           the output of a run was asked for that has none

What a tool raises is not in this tree: it becomes a failed tool result, which the model reads.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

from segue.base.ids import new_id

Category = Literal["usage", "config", "input", "endpoint", "store", "budget", "run", "internal"]
Severity = Literal["info", "warning", "error", "critical"]


class SegueError(Exception):
    """Every error that Segue raises on purpose.

    Attributes:
        category: What kind of thing went wrong; retry and fallback follow it.
        severity: How loudly an operator is told.
        retryable: Whether the same call may succeed later without a change.
        way_out: One sentence on what to do now; empty where the message already says it.
        error_id: Unique per raised error; stands in logs, spans and notifications.
    """

    category: Category = "internal"
    severity: Severity = "error"
    retryable: bool = False

    def __init__(self, message: str, *, way_out: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.way_out = way_out
        self.error_id = new_id("err")

    def __str__(self) -> str:
        return f"{self.message} {self.way_out}".rstrip() if self.way_out else self.message


class UserError(SegueError):
    """Wired wrongly by the developer: a wrong type, a clash of names, a missing piece."""

    category: Category = "usage"


class ConfigError(UserError):
    """A setting is unusable. The message names the file or variable, the key and the mend."""

    category: Category = "config"


class BadInput(UserError):
    """Something that a person gave does not exist or does not fit."""

    category: Category = "input"


class OperatorError(SegueError):
    """The world outside failed. `retryable` says whether trying again may help."""

    category: Category = "endpoint"
    retryable: bool = True


class EndpointError(OperatorError):
    """A model endpoint could not be reached, refused, or broke off."""


class StoreError(OperatorError):
    """A database or file could not be read or written."""

    category: Category = "store"
    severity: Severity = "critical"


StopReason = Literal["budget", "deadline", "cancelled", "blocked", "loop"]


class RunStopped(SegueError):
    """Raised inside a run to end it early and in order; the run's status becomes `stopped`."""

    category: Category = "run"
    severity: Severity = "warning"

    def __init__(self, reason: StopReason, message: str, *, way_out: str = "", owner: str = "") -> None:
        super().__init__(message, way_out=way_out)
        self.reason: StopReason = reason
        self.owner = owner
        """Whose own budget it was that ended: its task fails, and the run goes on; empty for the run itself."""
        self.partial = ""
        """What had been said until then, where whoever raised it knows."""
        if reason == "budget":
            self.category = "budget"


class RunNotFinished(SegueError):
    """`run.output` was read although the run is waiting, stopped or failed."""

    category: Category = "run"

    def __init__(self, run_id: str, status: str, detail: str = "") -> None:
        ways = {
            "waiting": "Answer run.interrupts with ws.resume(run.id, answers={...}).",
            "stopped": "See run.stop_reason, and run.partial for what it reached.",
            "failed": "See run.error.",
        }
        super().__init__(
            f"run {run_id} has no output: its status is {status!r}{f' ({detail})' if detail else ''}.",
            way_out=ways.get(status, ""),
        )
        self.run_id = run_id
        self.status = status


def error_id_of(error: BaseException) -> str:
    """The id of an error; one that is not ours is given one, so that log, span and record name the same."""
    found = getattr(error, "error_id", None)
    if not isinstance(found, str) or not found:
        found = new_id("err")
        with suppress(AttributeError, TypeError):
            error.error_id = found  # type: ignore[attr-defined]
    return found


def names(held: object) -> str:
    """The names in `held`, sorted and joined, for a message that says what there is instead."""
    found = sorted(str(name) for name in held) if hasattr(held, "__iter__") else [str(held)]
    return ", ".join(found) or "none"
