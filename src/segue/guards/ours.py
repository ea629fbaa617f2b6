"""Our rails as validators of guardrails-ai, for somebody who builds a Guard there.

A rail goes in, a class that `Guard.use(...)` takes comes out. A rail that only reads text needs nothing more; one that
looks at its run is handed the run's context as `metadata={"segue_ctx": ctx}`.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from segue.base.errors import UserError
from segue.base.ids import new_id
from segue.context.decisions import Rewrite
from segue.context.run import RunContext, Services
from segue.guards.judging import Judgement, judge
from segue.guards.quiet import quiet
from segue.guards.rail import Rail, Subject
from segue.tracing.spans import new_trace_id
from segue.tracing.tracer import Tracer

if TYPE_CHECKING:
    from guardrails.validator_base import Validator  # type: ignore[import-untyped, import-not-found, unused-ignore]


def to_validator(rail: Rail) -> type[Validator]:
    """A Validator class of theirs, registered as `segue/<name of the rail>`, that asks this rail.

    A rewrite is a failure with a fix, so that `on_fail="fix"` takes it; a block and an ask are failures without one.
    A rail that fails is a failure too.

    Raises:
        UserError: guardrails-ai is not installed, or this is no rail.
    """
    if not isinstance(rail, Rail):
        raise UserError(f"to_validator takes a rail, not {type(rail).__name__}; make one with @rail")
    quiet()
    from guardrails.validator_base import FailResult, PassResult, Validator, register_validator

    def result(judgement: Judgement) -> Any:
        verdict = judgement.verdict
        if type(verdict).__name__ == "Allow":
            return PassResult()
        fix = verdict.value if isinstance(verdict, Rewrite) else None
        return FailResult(error_message=verdict.reason or f"rail {rail.name!r} does not allow it", fix_value=fix)

    class RailValidator(Validator):  # type: ignore[misc, unused-ignore]
        def _validate(self, value: Any, metadata: dict[str, Any]) -> Any:
            return result(_run(rail, value, metadata))

        async def async_validate(self, value: Any, metadata: dict[str, Any]) -> Any:
            return result(await _judged(rail, value, metadata))

    RailValidator.__name__ = RailValidator.__qualname__ = f"Segue_{rail.name}"
    made: type[Validator] = register_validator(name=f"segue/{rail.name}", data_type="string")(RailValidator)
    return made


async def _judged(rail: Rail, value: Any, metadata: dict[str, Any] | None) -> Judgement:
    place = "output" if "output" in rail.places else min(rail.places)
    ctx = (metadata or {}).get("segue_ctx") or _detached()
    return await judge([rail], Subject(place=place, text=str(value)), ctx)


def _run(rail: Rail, value: Any, metadata: dict[str, Any] | None) -> Judgement:
    """The judgement from code that is not async, also where an event loop runs in this very thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_judged(rail, value, metadata))
    found: list[Judgement] = []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(_judged(rail, value, metadata))), daemon=True)
    thread.start()
    thread.join()
    return found[0]


class _NoRun:
    """Stands where a run's services would be."""

    def __getattr__(self, name: str) -> Any:
        raise UserError(
            "this rail is used outside a run and has no services",
            way_out='Hand the run\'s context over as metadata={"segue_ctx": ctx}.',
        )


def _detached() -> RunContext[Any]:
    none: Any = _NoRun()
    services = Services(router=none, tracer=Tracer(), artefacts=none)
    return RunContext(run_id=new_id("run"), thread_id=new_id("thread"), trace_id=new_trace_id(), services=services)
