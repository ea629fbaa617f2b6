"""Whether a vLLM server is set up for agents: a deployment in, findings out.

It is asked what a router asks it, and a handful of tiny generations: one token, twice with the same prompt; a stream; a
tool call that is required and strict; one that is left to the model; an answer that must fit a schema. They cost some
hundred tokens. What cannot be seen is `unknown`, never ok.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from segue.router.errors import AttemptError
from segue.router.sessions import Sessions
from segue.router.settings import DeploymentSettings
from segue.router.vllm_servers.asking import Said, Server
from segue.router.vllm_servers.finding import (
    AFTER_ANSWER,
    AWAKE,
    CONTEXT,
    METRICS,
    MODEL,
    PREFIX,
    REACHABLE,
    VERSION,
    Finding,
    Property,
)
from segue.router.vllm_servers.metrics import VllmMetrics, scrape
from segue.router.vllm_servers.probes import Probes

TIMEOUT_S = 30.0


async def check(
    settings: DeploymentSettings,
    *,
    name: str,
    sessions: Sessions,
    environ: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> list[Finding]:
    """Look at one server; `name` is what findings call it, `timeout_s` bounds each single question.

    A server that cannot be reached, refuses or breaks off is a finding, not an error.

    Raises:
        ConfigError: A secret that the deployment refers to is not there.
    """
    server = Server(name, settings, sessions=sessions, environ=environ, timeout_s=timeout_s)
    found = [await _seen(REACHABLE, lambda: _reachable(server))]
    if found[0].state != "ok":
        return found
    found.append(await _seen(VERSION, lambda: _version(server)))
    found += await _models(server)
    metrics = await _metrics(server, sessions, environ, timeout_s, found)
    if metrics is not None and metrics.asleep:
        return [*found, *(each.unknown("the engine sleeps") for each in AFTER_ANSWER)]
    if any(each.name == MODEL.name and each.state == "missing" for each in found):
        return [*found, *(each.unknown("not asked for, since the model is not to be had") for each in AFTER_ANSWER)]
    return [*found, *await Probes(server, metrics).findings()]


async def _seen(wanted: Property, look: Callable[[], Awaitable[Finding]]) -> Finding:
    """What a look finds; where it failed, that."""
    try:
        return await look()
    except AttemptError as error:
        return wanted.missing(error.message) if wanted is REACHABLE else wanted.unknown(error.message)


async def _reachable(server: Server) -> Finding:
    said = await server.get("/health")
    if said.status == 200:
        return REACHABLE.ok(f"{server.url} is healthy")
    if said.status == 404:  # behind a proxy that serves /v1 only
        return REACHABLE.ok(f"{server.url} answers; it shows no /health")
    return REACHABLE.missing(f"/health says {said.status}: its engine is dead", mend="Start the server anew.")


async def _version(server: Server) -> Finding:
    said = await server.get("/version")
    data = said.json()
    if said.status != 200 or not isinstance(data, dict) or not data.get("version"):
        return VERSION.unknown(f"/version says {said.status}, and no version")
    return VERSION.ok(str(data["version"]))


async def _models(server: Server) -> list[Finding]:
    """Whether the model is served, and whether `context_tokens` is what it takes."""
    try:
        said = await server.get("/v1/models")
    except AttemptError as error:
        return [MODEL.unknown(error.message), CONTEXT.unknown("the models are not listed")]
    if said.status in (401, 403):
        mend = 'Give it the key: api_key = "env:NAME" in the settings.'
        return [
            MODEL.missing(f"/v1/models refuses ({said.status})", mend=mend),
            CONTEXT.unknown("the models are not shown"),
        ]
    entries = _entries(said)
    if not entries:
        return [MODEL.unknown(f"/v1/models says {said.status}, and no models"), CONTEXT.unknown("no model is listed")]
    wanted = server.settings.model
    entry = entries.get(wanted)
    if entry is None:
        found = MODEL.missing(f"{wanted!r} is not served; there are: {', '.join(entries)}")
        return [found, CONTEXT.unknown("the model is not served")]
    parent = entry.get("parent")
    kind = f"{wanted!r} is served" + (f", an adapter of {parent!r}" if parent else "")
    longest = entry.get("max_model_len") or entries.get(str(parent), {}).get("max_model_len")
    return [MODEL.ok(kind), _context(server.settings.context_tokens, longest)]


def _entries(said: Said) -> dict[str, dict[str, Any]]:
    data = said.json() if said.status == 200 else None
    listed = data.get("data") if isinstance(data, dict) else None
    held = listed if isinstance(listed, list) else []
    return {str(entry["id"]): entry for entry in held if isinstance(entry, dict) and entry.get("id")}


def _context(set_to: int | None, longest: Any) -> Finding:
    if not isinstance(longest, int):
        return CONTEXT.unknown("the server does not tell its max_model_len")
    mend = f"context_tokens = {longest} in the settings, or --max-model-len of the server"
    if set_to is None:
        return CONTEXT.missing(f"the server takes {longest} tokens; `context_tokens` is not set", mend=mend)
    if set_to > longest:
        return CONTEXT.missing(f"the server takes {longest} tokens; `context_tokens` says {set_to}", mend=mend)
    return CONTEXT.ok(f"{set_to} of the {longest} tokens that the server takes")


async def _metrics(
    server: Server, sessions: Sessions, environ: Mapping[str, str] | None, timeout_s: float, found: list[Finding]
) -> VllmMetrics | None:
    """The figures; what they tell is added to `found`."""
    try:
        metrics = await scrape(
            server.settings, name=server.name, sessions=sessions, environ=environ, timeout_s=timeout_s
        )
    except AttemptError as error:
        hidden = "the figures are not to be had"
        found += [METRICS.missing(error.message), AWAKE.unknown(hidden), PREFIX.unknown(hidden)]
        return None
    size = f"{metrics.kv_tokens} tokens of KV cache" if metrics.kv_tokens else "a KV cache of unknown size"
    found.append(METRICS.ok(f"{metrics.running} running, {metrics.waiting} waiting, {size}"))
    found.append(AWAKE.missing("the engine sleeps") if metrics.asleep else AWAKE.ok("the engine is awake"))
    found.append(_prefix(metrics))
    return metrics


def _prefix(metrics: VllmMetrics) -> Finding:
    if metrics.prefix_caching is None:
        return PREFIX.unknown("the figures do not tell")
    if not metrics.prefix_caching:
        return PREFIX.missing("it is off")
    rate = "nothing looked up yet" if metrics.hit_rate is None else f"{metrics.hit_rate:.0%} of prompt tokens found"
    return PREFIX.ok(f"on, {rate}")
