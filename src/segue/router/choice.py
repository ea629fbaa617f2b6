"""The choice that is made when nothing is configured, and the words for it.

In: the settings and the environment. Out: settings that a router can be made of, and a `Choice` that says which
endpoint and model were taken, and why. In this order: what is configured; `OPENAI_BASE_URL`; a model server that
answers on loopback; a bare `OPENAI_API_KEY`, only where its use was allowed; `offline/rules-1`. Nothing outside
loopback is contacted unless `OPENAI_BASE_URL` names it, and a named endpoint that is down is an error, never a reason
to go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from segue.base.errors import ConfigError
from segue.router.catalogue import Served, served_by
from segue.router.errors import AttemptError, EndpointRefused
from segue.router.settings import DeploymentSettings, RouterSettings, RouteSettings

Source = Literal["settings", "base_url", "loopback", "key", "offline"]

PROBE_S = 0.3
_EXPLICIT_S = 10.0
_DEFAULT_OPENAI_MODEL = "gpt-5-mini"


@dataclass(frozen=True)
class Probe:
    """A model server that may be running on this machine."""

    title: str
    engine: str
    base: str
    """Its address, without `/v1`; loopback."""


PROBES = (
    Probe("vLLM", "vllm", "http://127.0.0.1:8000"),
    Probe("Ollama", "ollama", "http://127.0.0.1:11434"),
    Probe("llama.cpp", "openai", "http://127.0.0.1:8080"),
    Probe("LM Studio", "openai", "http://127.0.0.1:1234"),
)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which model answers, and why it is that one."""

    source: Source
    why: str
    """One sentence."""
    endpoint: str
    """The base URL; empty for the offline model, and for settings with more than one."""
    model: str

    def __str__(self) -> str:
        at = f" at {self.endpoint}" if self.endpoint else ""
        return f"{self.model}{at}: {self.why}"


async def choose(
    settings: RouterSettings | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    probes: Sequence[Probe] = PROBES,
) -> tuple[RouterSettings, Choice]:
    """Settings with at least one deployment and a default route, and why they are these.

    Takes at most about 0.4 s where `OPENAI_BASE_URL` is not set. `environ` is the environment (`None`: the process's).

    Raises:
        EndpointError: `OPENAI_BASE_URL` is set and does not answer; the message names it and the way out.
        ConfigError: `OPENAI_BASE_URL` is no URL, or the endpoint serves no model.
    """
    settings = settings or RouterSettings()
    environ = os.environ if environ is None else environ
    if settings.deployments:
        return settings, _configured(settings)
    if base_url := environ.get("OPENAI_BASE_URL", "").strip():
        return await _explicit(settings, base_url, environ)
    found = await _on_loopback(probes) if settings.detect else None
    if found is not None:
        probe, served = found
        why = f"{probe.title} answers on this machine, and nothing else is configured."
        endpoint = f"{probe.base}/v1"
        deployment = DeploymentSettings(engine=served.engine or probe.engine, endpoint=endpoint, model=served.first)
        return _with(settings, deployment), Choice(source="loopback", why=why, endpoint=endpoint, model=served.first)
    if settings.use_key and environ.get("OPENAI_API_KEY"):
        return _by_key(settings, environ)
    why = "no endpoint is configured (OPENAI_BASE_URL, segue.toml) and no model server answers on this machine"
    if not settings.detect:
        why = "no endpoint is configured (OPENAI_BASE_URL, segue.toml) and none is looked for"
    if environ.get("OPENAI_API_KEY"):
        why += "; OPENAI_API_KEY is set but is only spent when asked to, with --use-key"
    offline = DeploymentSettings(engine="offline", model="offline/rules-1")
    return _with(settings, offline), Choice(source="offline", why=f"{why}.", endpoint="", model="offline/rules-1")


def _configured(settings: RouterSettings) -> Choice:
    name = settings.default_route or ("default" if "default" in settings.routes else next(iter(settings.routes), ""))
    held = settings.routes[name].deployments if name else tuple(settings.deployments)
    first = settings.deployments[held[0]]
    route = f"route {name!r} with " if name else ""
    why = f"the settings say so ({route}deployment{'s' if len(held) > 1 else ''} {', '.join(held)})."
    model = first.model or first.target or first.engine
    return Choice(source="settings", why=why, endpoint=first.url if len(held) == 1 else "", model=model)


async def _explicit(
    settings: RouterSettings, base_url: str, environ: Mapping[str, str]
) -> tuple[RouterSettings, Choice]:
    """The endpoint of `OPENAI_BASE_URL`, asked which models it serves."""
    key = "env:OPENAI_API_KEY" if environ.get("OPENAI_API_KEY") else None
    wanted = environ.get("OPENAI_MODEL", "").strip()
    try:
        asked = DeploymentSettings(endpoint=base_url, api_key=key, model=wanted or "(first served)")
    except ConfigError as error:
        raise ConfigError(f"OPENAI_BASE_URL: {error.message.removeprefix('endpoint: ')}") from None
    try:
        served = await served_by(asked, name="OPENAI_BASE_URL", environ=environ, timeout_s=_EXPLICIT_S)
    except EndpointRefused as error:
        if not wanted or error.status in (401, 403):
            raise
        served = Served(models=(wanted,))  # not every server lists its models
    except AttemptError as error:
        error.way_out = f"Start the server at {asked.url}, or mend or unset OPENAI_BASE_URL."
        raise
    model = wanted or served.first
    if not model:
        raise ConfigError(f"OPENAI_BASE_URL: {asked.url} lists no model. Name one in OPENAI_MODEL.")
    deployment = asked.model_copy(update={"model": model, "engine": served.engine or "openai"})
    said = "OPENAI_MODEL names the model" if wanted else "the model is the first that it lists"
    choice = Choice(source="base_url", why=f"OPENAI_BASE_URL is set; {said}.", endpoint=asked.url, model=model)
    return _with(settings, deployment), choice


def _by_key(settings: RouterSettings, environ: Mapping[str, str]) -> tuple[RouterSettings, Choice]:
    model = environ.get("OPENAI_MODEL", "").strip() or _DEFAULT_OPENAI_MODEL
    deployment = DeploymentSettings(engine="openai", model=model, api_key="env:OPENAI_API_KEY")
    why = "OPENAI_API_KEY is set and its use is allowed; calls are billed to it."
    return _with(settings, deployment), Choice(source="key", why=why, endpoint=deployment.url, model=model)


async def _on_loopback(probes: Sequence[Probe]) -> tuple[Probe, Served] | None:
    """The first of the probes that answers, all of them asked side by side."""
    answers = await asyncio.gather(*(_probe(probe) for probe in probes))
    return next(((probe, served) for probe, served in zip(probes, answers, strict=True) if served), None)


async def _probe(probe: Probe) -> Served | None:
    """What answers there; `None` where nothing does, or nothing that serves a chat model."""
    try:
        async with asyncio.timeout(PROBE_S):
            if not await _is_open(probe.base):
                return None
            path = "/api/tags" if probe.engine == "ollama" else "/v1/models"
            settings = DeploymentSettings(engine=probe.engine, endpoint=probe.base, model="-", connect_s=PROBE_S)
            served = await served_by(settings, name=probe.title, environ={}, path=path, timeout_s=PROBE_S)
    except (TimeoutError, OSError, AttemptError):
        return None
    return served if served.first else None


async def _is_open(base: str) -> bool:
    """Whether anybody listens there: a refusal is known at once, before a client library is loaded."""
    parts = urlsplit(base)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def _with(settings: RouterSettings, deployment: DeploymentSettings) -> RouterSettings:
    """The settings with this one deployment, under its engine's name, as the default route."""
    name = deployment.engine
    route = RouteSettings(deployments=(name,))
    return settings.model_copy(update={"deployments": {name: deployment}, "routes": {"default": route}})
