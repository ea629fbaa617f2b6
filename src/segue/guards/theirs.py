"""guardrails-ai both ways: its validators and guards as rails here, rails as validators there.

A validator is called directly, without a Guard around it, since that costs a thousandth. The library is imported here
only, and never with its telemetry (`segue.guards.quiet`). It installs nothing by itself: validators come as packages
(`guardrails-ai-regex-match` and the like).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from segue.base.errors import UserError, names
from segue.context.decisions import Allow, Block, Decision, Rewrite
from segue.context.run import RunContext
from segue.guards.quiet import quiet
from segue.guards.rail import Place, Rail, Subject, checked_places, checked_timeout, text_of_value
from segue.guards.repair import read_json
from segue.guards.threads import Threads

if TYPE_CHECKING:
    from guardrails import AsyncGuard, Guard  # type: ignore[import-untyped, import-not-found, unused-ignore]
    from guardrails.validator_base import Validator  # type: ignore[import-untyped, import-not-found, unused-ignore]


def from_validator(
    validator: Validator,
    on: Place | Iterable[Place] = ("input", "output"),
    *,
    name: str = "",
    timeout_s: float = 2.0,
    metadata: Mapping[str, Any] | None = None,
    inline: bool = False,
) -> Rail:
    """One of their validators as a rail that stands at `on`.

    Where it does not pass, its `on_fail` decides: `fix` rewrites to the fix it offers, `fix_reask` too where the fix
    passes, `custom` to what the function returns, `noop` allows and says so, all others block. A validator that is
    not async runs in a thread, so that it can be given up; `inline` saves the 0.1 ms for one that is known to be quick.

    Raises:
        UserError: guardrails-ai is not installed, this is no validator of theirs, or it needs metadata that is
            not there.
    """
    quiet()
    from guardrails.validator_base import Validator as Theirs  # type: ignore[import-untyped, import-not-found, unused-ignore]

    if not isinstance(validator, Theirs):
        raise UserError(f"from_validator takes an instance of a guardrails-ai Validator, not {_named(validator)}")
    held = {**validator._metadata, **(metadata or {})}
    missing = set(validator.required_metadata_keys) - set(held)
    called = name or validator.rail_alias
    if missing:
        raise UserError(f"validator {called!r} needs metadata={{{names(missing)}: …}}, which is not there")
    return _ValidatorRail(validator, called, checked_places(_places(on), called), timeout_s, held, inline)


def from_guard(
    guard: Guard | AsyncGuard,
    on: Place | Iterable[Place] = ("input", "output"),
    *,
    name: str = "",
    timeout_s: float = 5.0,
    metadata: Mapping[str, Any] | None = None,
) -> Rail:
    """A whole Guard of theirs as a rail that stands at `on`; prefer `AsyncGuard`, the other kind runs in a thread.

    Text that passes changed is rewritten, text that does not pass is blocked. A Guard keeps the last texts that it
    saw in its `history`, in memory.

    Raises:
        UserError: guardrails-ai is not installed, or this is no Guard of theirs.
    """
    quiet()
    from guardrails import AsyncGuard, Guard

    if not isinstance(guard, Guard):
        raise UserError(f"from_guard takes a guardrails-ai Guard or AsyncGuard, not {_named(guard)}")
    guard.configure(allow_metrics_collection=False)
    quiet()
    called = name or guard.name
    places = checked_places(_places(on), called)
    return _GuardRail(guard, called, places, timeout_s, dict(metadata or {}), isinstance(guard, AsyncGuard))


class _ValidatorRail(Rail):
    def __init__(
        self,
        validator: Any,
        name: str,
        places: frozenset[Place],
        timeout_s: float,
        metadata: dict[str, Any],
        inline: bool,
    ) -> None:
        from guardrails.validator_base import Validator, types_to_validators

        self.name, self.places, self.timeout_s = name, places, checked_timeout(timeout_s, name)
        self._validator, self._metadata, self._inline = validator, metadata, inline
        self._threads = Threads()
        self._is_async = type(validator).async_validate is not Validator.async_validate
        alias = validator.rail_alias
        self._kinds = {kind for kind in ("string", "list", "object") if alias in types_to_validators.get(kind, ())}

    async def check(self, subject: Subject, ctx: RunContext[Any]) -> Decision:
        value: Any = subject.text
        for kind, held in (("list", list), ("object", dict)):
            if isinstance(subject.value, held) and kind in self._kinds:
                value = subject.value
        result = await self._validate(value)
        if result.outcome == "pass":
            if self._validator.override_value_on_pass and not isinstance(result.value_override, type):
                return Rewrite(result.value_override, f"validator {self.name!r} gave another value", self.name)
            return Allow()
        return await self._failed(value, result)

    async def _validate(self, value: Any) -> Any:
        if self._is_async:
            return await self._validator.async_validate(value, dict(self._metadata))
        if self._inline:
            return self._validator.validate(value, dict(self._metadata))
        return await self._threads.call(self._validator.validate, value, dict(self._metadata))

    async def _failed(self, value: Any, result: Any) -> Decision:
        """By `on_fail`; their messages are not passed on, since they may quote the text."""
        failed, action = f"validator {self.name!r} did not pass", str(getattr(self._on_fail, "value", self._on_fail))
        fix = result.fix_value
        if action == "noop":
            return Allow(f"{failed}, and its on_fail is noop", self.name)
        if action == "custom" and self._validator.on_fail_method is not None:
            put = await self._threads.call(self._validator.on_fail_method, value, result)
            return Allow(f"{failed}, and its on_fail let it be", self.name) if put == value else self._put(put, failed)
        if action == "fix":
            return self._put(fix, failed) if fix is not None else Block(f"{failed} and offers no fix", self.name)
        if action == "fix_reask":
            if fix is not None and (await self._validate(fix)).outcome == "pass":
                return self._put(fix, failed)
            return Block(f"{failed}, nor does its fix", self.name)
        return Block(failed, self.name)

    def _put(self, value: Any, failed: str) -> Rewrite:
        return Rewrite(value, f"{failed}; its fix stands instead", self.name)

    @property
    def _on_fail(self) -> Any:
        return self._validator.on_fail_descriptor


class _GuardRail(Rail):
    def __init__(
        self,
        guard: Any,
        name: str,
        places: frozenset[Place],
        timeout_s: float,
        metadata: dict[str, Any],
        is_async: bool,
    ) -> None:
        self.name, self.places, self.timeout_s = name, places, checked_timeout(timeout_s, name)
        self._guard, self._metadata, self._is_async = guard, metadata, is_async
        self._threads = Threads()

    async def check(self, subject: Subject, ctx: RunContext[Any]) -> Decision:
        from guardrails.errors import ValidationError  # type: ignore[import-untyped, import-not-found, unused-ignore]

        try:
            if self._is_async:
                outcome = await self._guard.validate(subject.text, metadata=dict(self._metadata))
            else:
                outcome = await self._threads.call(self._sync, subject.text)
        except ValidationError:
            return Block(f"guard {self.name!r}: a validator did not pass", self.name)
        if not outcome.validation_passed:
            failed = sorted({each.validator_name for each in outcome.validation_summaries or ()})
            by = f" ({', '.join(failed)})" if failed else ""
            return Block(f"guard {self.name!r} did not pass{by}", self.name)
        return self._passed(outcome.validated_output, subject)

    def _passed(self, output: Any, subject: Subject) -> Decision:
        """A Guard with a schema reads the text as JSON and passes data."""
        if output is None:
            return Block(f"guard {self.name!r} left nothing of it", self.name)
        held = subject.text if subject.value is None else subject.value
        if output in (subject.text, held) or (isinstance(held, str) and output == _data(held)):
            return Allow()
        new = text_of_value(output) if subject.value is None else output
        return Rewrite(new, f"guard {self.name!r} passed it changed", self.name)

    def _sync(self, text: str) -> Any:
        """In its own thread: they make an event loop where there is none, and leave it open."""
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            return self._guard.validate(text, metadata=dict(self._metadata))
        finally:
            asyncio.set_event_loop(None)
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()


def _data(text: str) -> Any:
    try:
        return read_json(text)
    except (ValueError, RecursionError):
        return None


def _places(on: Place | Iterable[Place]) -> Iterable[str]:
    return [on] if isinstance(on, str) else on


def _named(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
