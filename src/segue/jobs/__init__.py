"""Runs that are accepted now and done later, by worker processes; schedules that start them. See `docs/jobs.md`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.jobs.jobs import Jobs
    from segue.jobs.opening import open_jobs
    from segue.jobs.planning import Planning
    from segue.jobs.port import Job, JobRequest, JobState, Rights
    from segue.jobs.schedules import CatchUp, Overlap, Schedule
    from segue.jobs.worker import Worker, WorkerLost

_HOMES = {
    "CatchUp": "schedules", "Job": "port", "JobRequest": "port", "JobState": "port", "Jobs": "jobs",
    "Overlap": "schedules", "Planning": "planning", "Rights": "port", "Schedule": "schedules", "Worker": "worker",
    "WorkerLost": "worker", "open_jobs": "opening",
}  # fmt: skip

__all__ = [
    "CatchUp", "Job", "JobRequest", "JobState", "Jobs", "Overlap", "Planning", "Rights", "Schedule", "Worker",
    "WorkerLost", "open_jobs",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load a name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
