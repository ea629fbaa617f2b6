"""A model behind Anthropic's Messages API, as a deployment."""

from __future__ import annotations

from collections.abc import Mapping

from segue.router.anthropic.body import answer_tool, build_body
from segue.router.anthropic.wire import MessagesWire
from segue.router.deployment import EndpointDeployment, taken_ids
from segue.router.reading import Answer
from segue.router.sessions import Sessions
from segue.router.settings import DeploymentSettings
from segue.router.types import GenerationRequest, OnDelta


class AnthropicDeployment(EndpointDeployment):
    """A Claude model, or whatever else speaks that API."""

    def __init__(
        self,
        name: str,
        settings: DeploymentSettings,
        *,
        sessions: Sessions | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(name, settings, environ=environ)
        self._sessions = sessions or Sessions()
        self._wire = MessagesWire(name, settings, sessions=self._sessions, environ=environ)

    async def _ask(self, request: GenerationRequest, on_delta: OnDelta | None, deadline: float | None) -> Answer:
        return await self._wire.send(
            build_body(request, self._settings, deployment=self.name),
            answer_tool=answer_tool(request, self._settings),
            on_delta=on_delta,
            deadline=deadline,
            taken_ids=taken_ids(request),
        )

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._sessions.aclose()
