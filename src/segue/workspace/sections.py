"""Sections of the settings that rooms above the workspace read: `[jobs]`, for runs that are worked off later."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class JobsSection(BaseModel):
    """`[jobs]`: runs that are worked off later, by `segue worker`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str = ""
    """`postgresql://…` of the database that the queue and the schedules lie in; empty for files in the data directory.
    A reference (`env:NAME`) where it holds a password."""
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
