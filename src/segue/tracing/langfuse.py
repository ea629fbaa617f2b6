"""Spans as Langfuse reads them: a redacted span in, `langfuse.*` attributes out.

Names and shapes are those that Langfuse's own SDK sends (5.0), without the SDK, which costs fifty times as much on the
way: observations by type, usage and cost on generations only, trace attributes on every observation. `docs/langfuse.md`
is the table. Sending is done by `segue.tracing.otlp`.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from segue.tracing.genai import as_json
from segue.tracing.spans import SpanRow
from segue.tracing.tracer import About

TRACES_PATH = "/api/public/otel/v1/traces"
SCORES_PATH = "/api/public/scores"
_TYPES = {
    "run": "agent", "graph": "chain", "node": "chain", "edge": "event", "generation": "generation", "tool": "tool",
    "verdict": "guardrail", "retry": "span", "hedge": "span", "shadow": "span",
    "span": "span",
}  # fmt: skip
_OWN = "langfuse.observation."


def credentials(public_key: str, secret_key: str) -> dict[str, str]:
    """The headers of a request; version 4 of the ingestion is the one that shows spans at once."""
    pair = base64.b64encode(f"{public_key}:{secret_key}".encode()).decode()
    return {
        "Authorization": f"Basic {pair}",
        "x-langfuse-public-key": public_key,
        "x-langfuse-ingestion-version": "4",
    }


def attributes(row: SpanRow, about: About | None, *, environment: str = "", release: str = "") -> dict[str, Any]:
    """The attributes of one observation and of the trace that it belongs to."""
    out: dict[str, Any] = {f"{_OWN}type": _TYPES.get(row.kind, "span"), **_level(row)}
    if row.kind == "run":
        out["langfuse.internal.is_app_root"] = True
    if about is not None:
        out |= _trace(row, about)
    if environment:
        out["langfuse.environment"] = environment
    if release:
        out["langfuse.release"] = release
    if row.payload is not None:
        out |= {f"{_OWN}input": as_json(row.payload.input), f"{_OWN}output": as_json(row.payload.output)}
    if row.kind == "generation":
        out |= _generation(row)
    for key, value in row.attributes.items():
        if key.startswith("gen_ai."):
            out[key] = value
        else:
            out[f"{_OWN}metadata.{key.removeprefix('segue.').replace('.', '_')}"] = as_json(value)
    return {key: value for key, value in out.items() if value is not None}


def _trace(row: SpanRow, about: About) -> dict[str, Any]:
    out: dict[str, Any] = {
        "langfuse.trace.name": about.agent[:200],
        "session.id": about.thread_id[:200],
        "langfuse.trace.metadata.run_id": row.run_id,
        "langfuse.trace.metadata.tenant": row.tenant,
    }
    if about.user:
        out["user.id"] = about.user[:200]
    if about.tags:
        out["langfuse.trace.tags"] = [tag[:200] for tag in about.tags]
    return out


def _level(row: SpanRow) -> dict[str, Any]:
    held = row.attributes
    match row.status:
        case "error":
            why = held.get("error.type") or held.get("segue.reason") or held.get("segue.stop_reason") or "failed"
            return {f"{_OWN}level": "ERROR", f"{_OWN}status_message": why}
        case "cancelled":
            return {f"{_OWN}level": "WARNING", f"{_OWN}status_message": "cancelled"}
        case "waiting":
            return {f"{_OWN}status_message": "waits for a person"}
        case _:
            return {}


def _generation(row: SpanRow) -> dict[str, Any]:
    held = row.attributes
    read, written = held.get("gen_ai.usage.input_tokens"), held.get("gen_ai.usage.output_tokens")
    out: dict[str, Any] = {f"{_OWN}model.name": held.get("gen_ai.response.model")}
    if read is not None and written is not None:
        cached = held.get("gen_ai.usage.cache_read.input_tokens") or 0
        usage = {"input": read - cached, "output": written, "total": read + written}
        out[f"{_OWN}usage_details"] = as_json(usage | ({"input_cached_tokens": cached} if cached else {}))
    if (cost := held.get("segue.cost_usd")) is not None:
        out[f"{_OWN}cost_details"] = as_json({"total": cost})
    if (first := held.get("segue.first_token_s")) is not None:
        out[f"{_OWN}completion_start_time"] = f'"{_iso(row.start_ns + int(first * 1e9))}"'
    if held.get("segue.prompt.source") == "langfuse" and str(held.get("segue.prompt.version")).isdecimal():
        out[f"{_OWN}prompt.name"] = held.get("segue.prompt.name")
        out[f"{_OWN}prompt.version"] = int(held["segue.prompt.version"])
    if row.payload is not None and row.payload.parameters:
        given = {key: value for key, value in row.payload.parameters.items() if value is not None}
        out[f"{_OWN}model.parameters"] = as_json(given) if given else None
    return out


def _iso(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
