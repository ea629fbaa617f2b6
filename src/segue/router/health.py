"""Whether deployments answer now: settings in, what each endpoint says of itself out.

A vLLM server is asked for its health, its models and its figures, any other endpoint for its models; nobody is asked
for a generation. All are asked side by side, each within a deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from segue.base.errors import ConfigError
from segue.router.catalogue import served_by
from segue.router.errors import AttemptError
from segue.router.sessions import Sessions
from segue.router.settings import HTTP_ENGINES, DeploymentSettings
from segue.router.vllm_servers.asking import Said, Server
from segue.router.vllm_servers.metrics import VllmMetrics, scrape

TIMEOUT_S = 2.0

State = Literal["ok", "not asked", "unreachable", "too late", "refused", "failing", "asleep", "no such model", "no key"]
_STATES: dict[str, State] = {"unreachable": "unreachable", "timeout": "too late", "refused": "refused"}


@dataclass(frozen=True, kw_only=True)
class Health:
    """What one deployment's endpoint said."""

    state: State
    """`not asked` where there is no list of models to ask for: Azure, and chat models that were brought along."""
    detail: str = ""
    """What is wrong; no secrets."""
    took_s: float | None = None
    """How long it took to answer; `None` where nobody answered."""
    metrics: VllmMetrics | None = None
    """The figures of a vLLM server; `None` where there are none."""

    @property
    def well(self) -> bool:
        """Whether nothing speaks against asking it."""
        return self.state in ("ok", "not asked")


async def healths(
    deployments: Mapping[str, DeploymentSettings],
    *,
    environ: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> dict[str, Health]:
    """Ask all of them at once; what goes wrong is told, never raised. `timeout_s` bounds each question."""
    sessions = Sessions()
    try:
        async with asyncio.TaskGroup() as group:
            tasks = {
                name: group.create_task(_health(name, settings, sessions, environ, timeout_s))
                for name, settings in deployments.items()
            }
        return {name: task.result() for name, task in tasks.items()}
    finally:
        await sessions.aclose()


async def _health(
    name: str, settings: DeploymentSettings, sessions: Sessions, environ: Mapping[str, str] | None, timeout_s: float
) -> Health:
    try:
        if settings.engine == "offline":
            return Health(state="ok", took_s=0.0)
        if settings.engine not in HTTP_ENGINES or settings.api_version is not None:
            return Health(state="not asked")
        if settings.engine == "vllm":
            return await _of_vllm(name, settings, sessions, environ, timeout_s)
        return await _of_listing(name, settings, environ, timeout_s)
    except AttemptError as error:
        return Health(state=_STATES.get(error.outcome, "failing"), detail=error.message)
    except ConfigError as error:
        return Health(state="no key", detail=error.message)


async def _of_listing(
    name: str, settings: DeploymentSettings, environ: Mapping[str, str] | None, timeout_s: float
) -> Health:
    loop = asyncio.get_running_loop()
    began = loop.time()
    served = await served_by(settings, name=name, environ=environ, timeout_s=timeout_s)
    took_s = loop.time() - began
    if settings.model in served.models or f"{settings.model}:latest" in served.models:
        return Health(state="ok", took_s=took_s)
    return Health(state="ok", took_s=took_s, detail=f"it does not list {settings.model!r}")


async def _of_vllm(
    name: str, settings: DeploymentSettings, sessions: Sessions, environ: Mapping[str, str] | None, timeout_s: float
) -> Health:
    server = Server(name, settings, sessions=sessions, environ=environ, timeout_s=timeout_s)

    async def metrics() -> VllmMetrics | None:
        try:
            return await scrape(settings, name=name, sessions=sessions, environ=environ, timeout_s=timeout_s)
        except AttemptError:
            return None

    said, listed, figures = await asyncio.gather(
        server.get("/health"), server.get("/v1/models"), metrics(), return_exceptions=True
    )
    if isinstance(said, BaseException):
        raise said
    if isinstance(listed, BaseException):
        raise listed
    if isinstance(figures, BaseException):
        raise figures
    found = Health(state="ok", took_s=said.took_s, metrics=figures)
    if said.status not in (200, 404):  # behind a proxy that serves /v1 only, there is no /health
        return replace(found, state="failing", detail=f"/health says {said.status}: its engine is dead")
    if figures is not None and figures.asleep:
        return replace(found, state="asleep", detail="its engine sleeps")
    if listed.status != 200:
        raise server.error(listed)
    models = _models(listed)
    if settings.model not in models:
        held = ", ".join(models) or "none"
        return replace(found, state="no such model", detail=f"it does not serve {settings.model!r}; it has: {held}")
    return found


def _models(listed: Said) -> list[str]:
    data: Any = listed.json()
    entries = data.get("data") if isinstance(data, dict) else None
    held = entries if isinstance(entries, list) else []
    return [str(entry["id"]) for entry in held if isinstance(entry, dict) and entry.get("id")]
