"""Models and settings: what answers and how it has done, and what `segue doctor` knows."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from segue.router.now import DeploymentNow, now_of
from segue.server.errors import NotAllowed
from segue.server.routing import plain, routes
from segue.server.serving import Here, Server, Who
from segue.server.told_models import (
    CheckTold,
    DeploymentNowTold,
    DeploymentTold,
    ModelsTold,
    RouteTold,
    SettingsTold,
    SettingTold,
)
from segue.tracing.spans import SpanRow
from segue.workspace.examining import examine

router = routes("models")
_LOOKED_AT = 1_000
_SEES_SETTINGS = {"admin", "*"}


@router.get("/models")
async def list_deployments(server: Here, who: Who) -> ModelsTold:
    """Say which deployments there are, and what the tenant's newest 1,000 generations say of each."""
    core = await server.router()
    held, now = core.describe(), now_of(core)
    spans = await asyncio.to_thread(server.ws.traces.generations, tenant=who.tenant, limit=_LOOKED_AT)
    by_name: dict[str, list[SpanRow]] = {}
    failed = [span for span in spans if span.status == "error"]
    for span in spans:
        by_name.setdefault(str(span.attributes.get("segue.deployment", "")), []).append(span)
    return ModelsTold(
        default_route=held["default_route"], chosen=_chosen(server), looked_at=len(spans), failed=len(failed),
        last_error=_error(failed[0]) if failed else "",
        routes=[RouteTold(name=name, **route) for name, route in held["routes"].items()],
        deployments=[_told(name, each, by_name.get(name, []), now[name]) for name, each in held["deployments"].items()],
    )  # fmt: skip


@router.get("/settings")
async def get_settings(server: Here, who: Who) -> SettingsTold:
    """Say what is set and from where, what is installed, and whether what runs need is there; needs `admin` or `*`."""
    if not _SEES_SETTINGS & set(who.scopes):
        raise NotAllowed("settings want a key with the scope 'admin'")
    found = await examine(server.ws)
    settings = [SettingTold(name=name, **plain(held)) for name, held in found["settings"].items()]
    return SettingsTold(
        segue=found["segue"], python=found["python"], platform=found["platform"], packages=found["packages"],
        checks=[CheckTold(**each) for each in found["checks"]], settings=settings,
        langfuse=server.ws.scores.host,
    )  # fmt: skip


def _chosen(server: Server) -> str:
    choice = getattr(server.ws.router, "choice", None)
    return "" if choice is None else str(choice.why)


def _told(name: str, held: dict[str, Any], spans: Sequence[SpanRow], now: DeploymentNow) -> DeploymentTold:
    good = [span for span in spans if span.status == "ok"]
    costs = [span.attributes.get("segue.cost_usd") for span in good]
    first = [value for span in good if (value := span.attributes.get("segue.first_token_s")) is not None]
    return DeploymentTold(
        name=name, engine=str(held.get("engine", "")), model=str(held.get("model", "")),
        endpoint=str(held.get("endpoint", "")), api_key=str(held.get("api_key", "")),
        offline=str(held.get("model", "")).startswith("offline/"), generations=len(good),
        input_tokens=sum(int(span.attributes.get("gen_ai.usage.input_tokens") or 0) for span in good),
        output_tokens=sum(int(span.attributes.get("gen_ai.usage.output_tokens") or 0) for span in good),
        cost_usd=None if None in costs else sum(float(cost or 0) for cost in costs),
        median_s=statistics.median((span.end_ns - span.start_ns) / 1e9 for span in good) if good else None,
        median_first_token_s=statistics.median(first) if first else None,
        last_at=max(span.end_ns for span in spans) / 1e9 if spans else None,
        now=DeploymentNowTold(**asdict(now)),
    )  # fmt: skip


def _error(span: SpanRow) -> str:
    held = span.attributes
    return " ".join(str(held[name]) for name in ("error.type", "segue.error_id") if name in held) or "it failed"
