"""Sections of the settings that rooms above the workspace read: `[jobs]` and `[server]`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class JobsSection(BaseModel):
    """`[jobs]`: runs that are worked off later, by `segue worker`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = ""
    """`postgresql://…` of the database that the queue and the schedules lie in; empty for `database_url`, and without
    that for files in the data directory. A reference (`env:NAME`) where it holds a password."""
    concurrency: int = Field(default=8, ge=1)
    """Runs that one worker process works on at a time."""
    tenant_concurrency: int = Field(default=0, ge=0)
    """Runs of one tenant at a time, over all workers; 0 for no limit."""
    poll_s: float = Field(default=0.2, gt=0)
    """How often a worker looks for work."""
    max_attempts: int = Field(default=5, ge=1)
    """How often a run is tried that fails in ways that may pass; then it is on the dead-letter list."""
    backoff_s: float = Field(default=2.0, gt=0)
    """Before the second try; twice as long before each further one."""
    backoff_max_s: float = Field(default=300.0, gt=0)
    max_deliveries: int = Field(default=20, ge=1)
    """How many workers may die over one segment before it is on the dead-letter list."""
    segment_s: float = Field(default=3600.0, gt=0)
    """The longest that a run may hold a slot in one go."""
    drain_s: float = Field(default=30.0, gt=0)
    """How long a worker that is asked to stop waits for checkpoints, before it stops its runs where they stand."""
    keep_days: float = Field(default=30.0, gt=0)
    """How long jobs that ended and decisions about schedules are kept in the queue; runs stay."""
    owners: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Whose rights schedules use: `"tenant/user" = ["scope", …]`. The single user of this machine needs no line."""


class ServerSection(BaseModel):
    """`[server]`: agents over HTTP, by `segue serve` and `segue dev`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str = "127.0.0.1"
    """The address to listen at. On any but loopback every request needs a key."""
    port: int = Field(default=8765, ge=0, le=65535)
    """0 for any that is free."""
    agents: tuple[str, ...] = ()
    """What is served, as `module:attr` or `file.py:attr`; empty for what the folder's Python files define."""
    allowed_hosts: tuple[str, ...] = ()
    """What the Host header may name; empty for any where a key is needed, and for loopback alone where none is."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call the server, such as `https://app.example.org`; empty for none."""
    requests_per_minute: int = Field(default=600, ge=1)
    """Of one key that has no limit of its own."""
    concurrent_runs: int = Field(default=128, ge=1)
    """Runs at a time of one key that has no limit of its own."""
    max_body_bytes: int = Field(default=1_000_000, ge=1024)
    """Of one request."""
    keep_alive_s: float = Field(default=15.0, gt=0)
    """Seconds of silence after which an event stream sends a comment."""
    stream_buffer_bytes: int = Field(default=262_144, ge=4096)
    """What may wait for one reader of a stream; who is slower reads on from the log."""
    keep_events_days: float = Field(default=30.0, gt=0)
    """How long the events of runs are kept."""
    traceparent: bool = False
    """Whether the trace of a run hangs under the span that the client's `traceparent` header names. A client that may
    name it may put its runs into any trace, so this is for clients that are yours."""
    deps: str = ""
    """The function that makes the `deps` of runs, as `module:function`; it is given the principal."""
