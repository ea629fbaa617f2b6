"""Which models an endpoint serves.

In: an endpoint. Out: the names of its chat models, and the engine where the answer gives it away. OpenAI-compatible
servers and Anthropic tell at `GET /models`, Ollama also at `GET /api/tags`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from segue.router.auth import key_headers
from segue.router.errors import EndpointFailed, EndpointTimeout, EndpointUnreachable
from segue.router.faults import read_fault, reason, to_error
from segue.router.secrets import cause, redact, resolve
from segue.router.sessions import Sessions, proxy_for, read_at_most
from segue.router.settings import DeploymentSettings

_MAX_BYTES = 1024 * 1024
_NOT_FOR_CHAT = ("embed", "rerank", "whisper", "tts", "bge-", "minilm")


@dataclass(frozen=True, kw_only=True)
class Served:
    """What an endpoint serves."""

    models: tuple[str, ...]
    """Chat models, as the endpoint lists them."""
    engine: str | None = None
    """`vllm` where the answer says so; else `None`."""

    @property
    def first(self) -> str:
        """The first model; empty where there is none."""
        return next(iter(self.models), "")


async def served_by(
    settings: DeploymentSettings,
    *,
    name: str,
    environ: Mapping[str, str] | None = None,
    path: str = "/models",
    timeout_s: float = 10.0,
) -> Served:
    """Ask an endpoint for its models; `name` is what errors call it.

    Raises:
        AttemptError: It cannot be reached, refuses, or answers something else.
    """
    import aiohttp

    secrets = [] if settings.api_key is None else [resolve(settings.api_key, environ, wanted_by=name)]
    headers = key_headers(settings, secrets[0] if secrets else None)
    if settings.engine == "anthropic" and path == "/models":
        path = "/models?limit=1000"  # else 20
    url, sessions = f"{settings.url}{path}", Sessions()
    try:
        async with asyncio.timeout(timeout_s):
            session = await sessions.get()
            timeout = aiohttp.ClientTimeout(total=None, connect=settings.connect_s)
            async with session.get(
                url, headers=headers, proxy=proxy_for(url), timeout=timeout, allow_redirects=False
            ) as response:
                status, body = response.status, await read_at_most(response.content, _MAX_BYTES)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise EndpointUnreachable(
            name, f"cannot be reached at {settings.url}", detail=reason(error, secrets)
        ) from cause(error, secrets)
    except TimeoutError:
        raise EndpointTimeout(name, f"gave no answer at {url} within {timeout_s:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise EndpointFailed(name, f"gave no answer at {url}", detail=reason(error, secrets)) from cause(error, secrets)
    finally:
        await sessions.aclose()
    if status != 200:
        raise to_error(read_fault(status, body), deployment=name, model="", secrets=secrets)
    served = _read(body)
    if served is None:
        said = redact(body.decode("utf-8", "replace"), secrets, limit=200)
        raise EndpointFailed(name, f"gives no list of models at {url}", detail=said)
    return served


def _read(body: bytes) -> Served | None:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    entries: Any = (data.get("data") if "data" in data else data.get("models")) if isinstance(data, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None
    found = [str(entry.get("id") or entry.get("name") or "") for entry in entries]
    models = tuple(name for name in found if name and not any(word in name.lower() for word in _NOT_FOR_CHAT))
    is_vllm = any(entry.get("owned_by") == "vllm" for entry in entries)
    return Served(models=models, engine="vllm" if is_vllm else None)
