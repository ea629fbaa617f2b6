"""Clients of the openai package: one for each event loop, made of settings, or the one that was brought along.

In: the settings of a deployment, or a client. Out: a client that does not try again by itself and has no deadline but
for connecting: both are ours. A client that is made here takes nothing from the environment of the process: key,
organisation and endpoint are what the settings say, and its key goes with each request.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from segue.router.auth import request_headers
from segue.router.sessions import KEEP_ALIVE_S, PerLoop, proxy_for
from segue.router.settings import DeploymentSettings

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_AUTH = {"authorization": "Authorization", "api-key": "api-key"}
"""As the package spells them, so that one takes the place of the other."""


class Clients(Protocol):
    """Where the client of the running event loop comes from."""

    async def get(self) -> AsyncOpenAI:
        """The client of the running event loop."""

    def headers(self) -> tuple[dict[str, Any], list[str]]:
        """What a request carries beside the client's own, and the secrets in it."""

    async def aclose(self) -> None:
        """Give back what is held for the running event loop."""


class GivenClient:
    """A client that somebody made, and will close."""

    def __init__(self, name: str, client: AsyncOpenAI, settings: DeploymentSettings, environ: Any) -> None:
        from openai import Timeout

        self._client = client.with_options(max_retries=0, timeout=Timeout(None, connect=settings.connect_s))
        self._name = name
        self._settings = settings
        self._environ = environ

    async def get(self) -> AsyncOpenAI:
        """The client."""
        return self._client

    def headers(self) -> tuple[dict[str, Any], list[str]]:
        """The headers of the settings; the client has its own key."""
        headers, secrets = _headers(self._settings, self._environ, self._name)
        return headers, [*secrets, *([self._client.api_key] if self._client.api_key else [])]

    async def aclose(self) -> None:
        """Nothing: whoever made the client closes it."""


class OwnClients:
    """Clients made of settings."""

    def __init__(self, name: str, settings: DeploymentSettings, environ: Mapping[str, str] | None) -> None:
        self._name = name
        self._settings = settings
        self._environ = environ
        self._held = PerLoop(lambda: _life(settings), is_closed=lambda client: client.is_closed())

    async def get(self) -> AsyncOpenAI:
        """The client of the running event loop."""
        return await self._held.get()

    def headers(self) -> tuple[dict[str, Any], list[str]]:
        """Key and headers of the settings; where there is no key, none is sent."""
        from openai import Omit

        headers, secrets = _headers(self._settings, self._environ, self._name)
        absent = {name: Omit() for name in _AUTH.values()}
        return {**absent, **headers}, secrets

    async def aclose(self) -> None:
        """Close the client of the running event loop."""
        await self._held.aclose()


async def _life(settings: DeploymentSettings) -> AsyncGenerator[AsyncOpenAI]:
    client = _made(settings)
    try:
        yield client
    finally:
        await client.close()


def _made(settings: DeploymentSettings) -> AsyncOpenAI:
    import ssl

    import httpx
    from openai import AsyncAzureOpenAI, AsyncOpenAI

    http_client = httpx.AsyncClient(
        proxy=proxy_for(settings.url),
        trust_env=False,
        verify=ssl.create_default_context(),
        follow_redirects=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=KEEP_ALIVE_S),
    )
    common: dict[str, Any] = {
        "api_key": "-",  # the real one goes with each request
        "timeout": httpx.Timeout(None, connect=settings.connect_s),
        "max_retries": 0,
        "http_client": http_client,
    }
    if settings.api_version is None:
        client = AsyncOpenAI(base_url=settings.url, **common)
    else:
        client = AsyncAzureOpenAI(
            azure_endpoint=settings.url, api_version=settings.api_version, azure_ad_token="", **common
        )
    client.organization = client.project = None
    return client


def _headers(
    settings: DeploymentSettings, environ: Mapping[str, str] | None, name: str
) -> tuple[dict[str, Any], list[str]]:
    headers, secrets = request_headers(settings, environ, wanted_by=f"deployment {name!r}")
    return {_AUTH.get(name.lower(), name): value for name, value in headers.items()}, secrets
