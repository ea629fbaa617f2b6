"""A model that is reached through the openai package, as a deployment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segue.router.assemble import Assembler
from segue.router.body import build_body
from segue.router.deployment import EndpointDeployment, taken_ids
from segue.router.reading import Answer, Collector
from segue.router.sdk.clients import Clients, GivenClient, OwnClients
from segue.router.sdk.responses_assemble import ResponseAssembler
from segue.router.sdk.responses_body import build_response_body
from segue.router.sdk.wire import ResponsesWire, SdkWire
from segue.router.settings import DeploymentSettings
from segue.router.types import GenerationRequest, OnDelta

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class SdkDeployment(EndpointDeployment):
    """A model behind OpenAI's API, Azure's, or one that is like them; by chat completions or by responses."""

    def __init__(
        self,
        name: str,
        client: AsyncOpenAI | None,
        settings: DeploymentSettings,
        *,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`client` is an `AsyncOpenAI` or `AsyncAzureOpenAI` that signs in by itself; `None` makes one of the settings.

        With a client, `endpoint` and `api_key` of the settings may be left out. It is not closed here.
        """
        clients: Clients
        if client is None:
            clients = OwnClients(name, settings, environ)
        else:
            settings = settings.model_copy(update={"endpoint": settings.endpoint or str(client.base_url).rstrip("/")})
            clients = GivenClient(name, client, settings, environ)
        super().__init__(name, settings, environ=environ)
        self._clients = clients
        kind = ResponsesWire if settings.api == "responses" else SdkWire
        self._wire = kind(name, settings, clients)

    async def _ask(self, request: GenerationRequest, on_delta: OnDelta | None, deadline: float | None) -> Answer:
        settings, collector = self._settings, self._collector()
        build = build_response_body if settings.api == "responses" else build_body
        body = build(request, settings, deployment=self.name)
        if settings.azure_deployment:
            body["model"] = settings.azure_deployment
        taken = taken_ids(request)
        return await self._wire.send(body, collector, on_delta=on_delta, deadline=deadline, taken_ids=taken)

    def _collector(self) -> Collector:
        return ResponseAssembler() if self._settings.api == "responses" else Assembler()

    async def aclose(self) -> None:
        """Close the client of the running event loop, where it was made here."""
        await self._clients.aclose()

    def describe(self) -> dict[str, Any]:
        """Engine, model, endpoint, where its key comes from, and the API."""
        return {**super().describe(), "transport": "sdk", "api": self._settings.api}
