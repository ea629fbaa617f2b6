"""Exporting: a run in; all that is known of it as one file out, redacted for people elsewhere, and sealed.

What lies in several stores is put together here: the record, spans, edges with their reasons, the conversation from the
checkpoint, artefacts, documents by version, effects, decisions, prices and versions. What cannot be found is said in
`notes`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import asdict
from typing import Any

from segue._version import __version__
from segue.agents.run import RunRecord
from segue.agents.runnable import Runnable
from segue.base.errors import BadInput
from segue.base.principal import LOCAL, Principal
from segue.tracing.redaction import Redaction, redactor
from segue.tracing.spans import SpanRow
from segue.tracing.uses import Use
from segue.workspace.effects import Effects
from segue.workspace.settings import environment
from segue.workspace.travel import Travel
from segue.workspace.watching import audit_key

_PACKAGES = ("langgraph", "langchain-core", "openai", "anthropic", "pydantic", "numpy")
_MOST_DECISIONS = 10_000


class Exporting(Travel, Effects):
    """Runs as files."""

    async def export(self, run_id: str, *, agent: Runnable | None = None, principal: Principal = LOCAL) -> bytes:
        """All that is known of a run, as canonical JSON, redacted as `[redaction] exports` says, and sealed.

        Args:
            run_id: The run.
            agent: Its agent, by which the conversation is read from the checkpoint; `None` for the one that this
                process knows by its name. Without it the export holds the run's trajectory alone.
            principal: Whose tenant.

        Raises:
            BadInput: There is no such run in this tenant.
            StoreError: A store cannot be read, or the audit key is gone.
        """
        from segue.tracing.export_seal import sealed

        record = self._record(run_id, principal)
        await asyncio.to_thread(self.tracer.flush)
        if self.audit is not None:
            await self.audit.settle()
        notes: list[str] = []
        spans = await asyncio.to_thread(self.traces.spans, record.run_id, tenant=record.tenant)
        used = await asyncio.to_thread(self.traces.uses, record.run_id, tenant=record.tenant)
        content = {
            "run": asdict(record),
            "spans": [_span(each) for each in spans if each.kind != "edge"],
            "edges": [_span(each) for each in spans if each.kind == "edge"],
            "messages": await self._conversation(record, agent, principal, notes),
            "artefacts": await asyncio.to_thread(self._artefacts, record.tenant, used, notes),
            "documents": [each._asdict() for each in used if each.what == "document"],
            "effects": [asdict(each) for each in await self.effects(run_id=run_id, limit=1_000, principal=principal)],
            "decisions": await asyncio.to_thread(self._decisions, record),
            "prices": self._prices(spans),
            "versions": _versions(),
        }
        if not spans:
            notes.append("there are no spans: tracing was off, the run was not among local_sample, or they are gone")
        classes = self.settings.redaction.exports
        seen = Redaction(redactor(classes)).data(content)
        about = {"exported_at": self._clock.now(), "redacted": list(classes), "notes": notes}
        key = await asyncio.to_thread(audit_key, self.settings.audit, self.data_dir, environment(self.folder))
        return await asyncio.to_thread(sealed, _whole({"about": about, **seen}), key)

    async def _conversation(
        self, record: RunRecord, agent: Runnable | None, principal: Principal, notes: list[str]
    ) -> list[Any]:
        """The messages of the thread as they stood at the run's last checkpoint."""
        known = agent or self._agents.get(record.agent)
        if known is None:
            notes.append(f"the agent {record.agent!r} is not known here: no conversation, see run/trajectory")
            return []
        try:
            held = await self.checkpoints(record.thread_id, agent=known, limit=None, principal=principal)
            last = next((each.id for each in held if each.run_id == record.run_id), None)
            if last is None:
                notes.append("the run has no checkpoint any more: no conversation, see run/trajectory")
                return []
            found = await self.state(record.thread_id, checkpoint_id=last, agent=known, principal=principal)
        except BadInput as error:
            notes.append(f"no conversation, see run/trajectory: {error.message}")
            return []
        return [dict(each) for each in found.messages]

    def _artefacts(self, tenant: str, used: list[Use], notes: list[str]) -> list[dict[str, Any]]:
        found = []
        for artefact_id in dict.fromkeys(each.name for each in used if each.what == "artefact"):
            try:
                media_type, data = self.artefacts.get(tenant, artefact_id)
            except BadInput:
                notes.append(f"the artefact {artefact_id} is gone")
                continue
            text = data.decode(errors="replace")
            found.append({"id": artefact_id, "media_type": media_type, "bytes": len(data), "text": text})
        return found

    def _decisions(self, record: RunRecord) -> list[dict[str, Any]]:
        if self.audit is None:
            return []
        from segue.tracing.audit_check import entries

        return entries(self.audit.path, limit=_MOST_DECISIONS, run_id=record.run_id)[::-1]

    def _prices(self, spans: list[SpanRow]) -> list[dict[str, Any]]:
        """What each deployment took and cost, and its price where the settings name one."""
        totals: dict[tuple[str, str], dict[str, Any]] = defaultdict(
            lambda: {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}
        )
        for span in spans:
            if span.kind != "generation":
                continue
            held = span.attributes
            total = totals[str(held.get("segue.deployment", "")), str(held.get("gen_ai.response.model", ""))]
            total["input_tokens"] += held.get("gen_ai.usage.input_tokens") or 0
            total["output_tokens"] += held.get("gen_ai.usage.output_tokens") or 0
            cost = held.get("segue.cost_usd")
            known = total["cost_usd"] is not None and (cost is not None or span.status != "ok")
            total["cost_usd"] = total["cost_usd"] + (cost or 0.0) if known else None
        found = []
        for (deployment, model), total in totals.items():
            settings = self.settings.deployments.get(deployment)
            price = None if settings is None or settings.price is None else settings.price.model_dump(mode="json")
            found.append({"deployment": deployment, "model": model, "price": price, **total})
        return found


def _span(row: SpanRow) -> dict[str, Any]:
    return {name: value for name, value in row._asdict().items() if name != "payload"}


def _versions() -> dict[str, str]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"segue": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _whole(value: Any) -> Any:
    """Without halves of characters, which no JSON text holds."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_whole(key): _whole(held) for key, held in value.items()}
    return [_whole(each) for each in value] if isinstance(value, list) else value
