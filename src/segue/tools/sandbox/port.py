"""The port of every sandbox: a request in, a result out, and what the sandbox can do said beforehand.

A sandbox that lacks what a request asks for refuses it; it never does less in silence. Which tier a workspace uses is
decided there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from segue.base.errors import OperatorError, UserError

Isolation = Literal["interpreter", "os", "vm", "remote"]
ErrorKind = Literal["syntax", "error", "time", "memory", "value", "crashed"]
ToolHandle = Callable[..., Awaitable[Any]]
"""A tool that code may call; the call goes through the gate before it gets here."""


class SandboxUnavailable(OperatorError):
    """The sandbox that was asked for cannot be started. Nothing is run anywhere else instead."""

    retryable = False

    def __init__(self, sandbox: str, why: str, *, way_out: str) -> None:
        super().__init__(f"the sandbox {sandbox} cannot be used: {why}.", way_out=way_out)


class SandboxLacks(UserError):
    """A request asks for something that this sandbox does not have."""

    def __init__(self, sandbox: str, what: str) -> None:
        super().__init__(
            f"the sandbox {sandbox} has no {what}, and the request asks for it.",
            way_out="Look at `sandbox.caps`, and leave it out or use a sandbox that has it.",
        )


@dataclass(frozen=True, kw_only=True)
class SandboxCaps:
    """What a sandbox is and has."""

    isolation: Isolation
    """What stands between the code and the machine."""
    numpy: bool
    files: bool
    network: bool
    tool_calls: bool
    snapshots: bool
    """Whether a session can be saved and gone on with."""
    platforms: tuple[str, ...]
    """Values of `sys.platform` that it runs on."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one run may use; past any of these it ends and says so."""

    wall_s: float = 5.0
    cpu_s: float = 5.0
    mem_mb: int = 512
    out_kb: int = 256
    """Of printed text; what comes after is dropped and the result is marked. A value may be as large."""
    files_mb: int = 32
    procs: int = 0
    tool_calls: int = 50


@dataclass(frozen=True, kw_only=True)
class ExecRequest:
    """A program and what it is given."""

    code: str
    """Its last expression is the value of the run."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """JSON values by the name under which the code finds them."""
    files_in: Mapping[str, bytes] = field(default_factory=dict)
    tools: Mapping[str, ToolHandle] = field(default_factory=dict)
    limits: Limits = Limits()
    session_id: str | None = None
    """Go on in this session; `None` is a fresh one, which sees nothing of any other run."""


@dataclass(frozen=True, kw_only=True)
class ExecError:
    """Why a run failed."""

    kind: ErrorKind
    message: str
    line: int | None = None
    """1-based line of the code, where known."""


@dataclass(frozen=True, kw_only=True)
class ExecUsage:
    """What a run used."""

    wall_s: float = 0.0
    tool_calls: int = 0


@dataclass(frozen=True, kw_only=True)
class ExecResult:
    """What came of a run. All of it is the code's own word, except `ok`, `usage` and `truncated`."""

    ok: bool
    stdout: str = ""
    stderr: str = ""
    value: Any = None
    """JSON data; decimals, dates and integers beyond 64 bits are text."""
    files_out: Mapping[str, bytes] = field(default_factory=dict)
    error: ExecError | None = None
    """`None` exactly where `ok`."""
    usage: ExecUsage = ExecUsage()
    sandbox_id: str = ""
    truncated: bool = False
    """Printed text was dropped."""


class CodeSandbox(Protocol):
    """Runs code that nobody vouches for."""

    @property
    def caps(self) -> SandboxCaps:
        """What it is and has."""
        ...

    async def run(self, request: ExecRequest) -> ExecResult:
        """Run the code. What the code does wrong is in the result; a cancelled run is ended at once.

        Raises:
            SandboxUnavailable: The sandbox cannot be started.
            SandboxLacks: The request asks for what `caps` says it has not.
        """
        ...

    async def close(self) -> None:
        """End its processes. A closed sandbox starts again when it is used again."""
        ...
