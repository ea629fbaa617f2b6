"""A deployment: one model somewhere, asked for one generation at a time.

In: a request. Out: a `Reply` with its message entered and its usage priced, deltas on the way, or an error that says
what to do next. Whoever brings a model of another kind derives from `Deployment` and writes `generate`. The kinds that
Segue brings are here (HTTP), in `segue.router.anthropic`, `segue.router.sdk`, `segue.router.offline_deployment` and
`segue.router.langchain_deployment`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from segue.base.messages import enter, estimate_tokens
from segue.base.usage import Usage
from segue.router.body import build_body
from segue.router.limits import Limits
from segue.router.placing.host import NO_PRICE, Rates
from segue.router.prices import Prices
from segue.router.reading import Answer
from segue.router.secrets import is_there
from segue.router.sessions import Sessions
from segue.router.settings import DeploymentSettings
from segue.router.types import GenerationRequest, OnDelta, Reply
from segue.router.wire import Wire


class Deployment(ABC):
    """One model on one endpoint."""

    name: str
    model: str = ""
    engine: str = "custom"
    weight: float = 1.0
    context_tokens: int | None = None
    """Input and output that fit together; `None` where it is not known."""
    max_output_tokens: int | None = None
    """The cap on every answer of it; `None` for none of its own."""
    can: Mapping[str, bool | None] = {}
    """What is known of `images`, `tools` and `structured`: whether it takes them."""
    continues: bool = False
    """Whether it goes on with an answer that is begun in the request."""
    streams: bool = False
    """Whether its first token is known although nobody reads the pieces of the answer."""

    @abstractmethod
    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        """Answer one request; `deadline` is a reading of `time.monotonic()`.

        `on_delta` is called on the event loop for each piece of the answer; the reply holds the same, whole.

        Raises:
            AttemptError: It failed; the router goes on by what the error says of itself.
        """

    async def quote(self, input_tokens: int, output_tokens: int) -> float | None:
        """What a generation of this size costs in US dollars, nothing of it cached; `None` where no price is known."""
        return None

    def rates(self) -> Rates | None:
        """About what a token costs, told at once; `NO_PRICE` where no price is known, `None` as long as it is not."""
        return NO_PRICE

    def limits(self) -> Limits:
        """What it allows; none of its own."""
        return Limits()

    async def aclose(self) -> None:
        """Give back what is held for the running event loop."""
        return

    def describe(self) -> dict[str, Any]:
        """What a person may know of it; no secrets."""
        return {"engine": self.engine, "model": self.model}


class EndpointDeployment(Deployment):
    """A model behind an API: what all of them have in common, whichever way they are spoken to."""

    streams = True

    def __init__(self, name: str, settings: DeploymentSettings, *, environ: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.model = settings.model
        self.engine = settings.engine
        self.continues = settings.engine == "vllm"
        self.weight = settings.weight
        self.context_tokens = settings.context_tokens
        self.max_output_tokens = settings.max_output_tokens
        self.can = {"images": settings.images, "tools": settings.tools, "structured": settings.structured}
        self._settings = settings
        self._environ = environ
        self._prices = Prices(settings.url, settings.price)

    @abstractmethod
    async def _ask(self, request: GenerationRequest, on_delta: OnDelta | None, deadline: float | None) -> Answer:
        """Send the request and read the whole answer."""

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        """Answer one request over the wire."""
        answer = await self._ask(request, on_delta, deadline)
        message = answer.message
        for part in message.get("reasoning", ()):
            part["by"] = self.name
        enter(message, source=answer.model or self.model)
        return Reply(
            message=message,
            usage=(answer.usage and self._prices.at_once(answer.usage)) or await self._usage(request, answer),
            finish_reason=answer.finish_reason,
            model=answer.model or self.model,
            first_token_s=answer.first_token_s,
            headers=answer.headers,
            counts_cached=answer.counts_cached,
        )

    async def _usage(self, request: GenerationRequest, answer: Answer) -> Usage:
        """The server's count, priced; where it gave none our estimate, whose cost is not known."""
        if answer.usage is None:
            return estimated_usage(request, output_tokens=estimate_tokens(answer.message), cost_usd=None)
        return await self._prices.priced(answer.usage, self.model, cache_write_tokens=answer.cache_write_tokens)

    async def quote(self, input_tokens: int, output_tokens: int) -> float | None:
        """By the price in the settings, or by the table."""
        return await self._prices.quote(input_tokens, output_tokens, self.model)

    def rates(self) -> Rates | None:
        """By the price in the settings, or by the table once it was read."""
        return self._prices.rates(self.model)

    def limits(self) -> Limits:
        """As the settings have them."""
        held = self._settings
        return Limits.of(
            requests_per_second=held.requests_per_second, requests_per_minute=held.requests_per_minute,
            tokens_per_minute=held.tokens_per_minute, max_concurrency=held.max_concurrency,
        )  # fmt: skip

    def describe(self) -> dict[str, Any]:
        """Engine, model, endpoint, and where its key comes from."""
        out = {"engine": self.engine, "model": self.model, "endpoint": self._settings.url}
        if (reference := self._settings.api_key) is not None:
            out["api_key"] = f"{reference} ({'set' if is_there(reference, self._environ) else 'not set'})"
        return out


class HttpDeployment(EndpointDeployment):
    """A model behind an OpenAI-compatible server."""

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
        self._wire = Wire(name, settings, sessions=self._sessions, environ=environ)

    async def _ask(self, request: GenerationRequest, on_delta: OnDelta | None, deadline: float | None) -> Answer:
        body = build_body(request, self._settings, deployment=self.name)
        return await self._wire.send(body, on_delta=on_delta, deadline=deadline, taken_ids=taken_ids(request))

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._sessions.aclose()


def taken_ids(request: GenerationRequest) -> set[str]:
    """The ids of all tool calls in the conversation; a new call needs another one."""
    return {call["id"] for message in request.messages for call in message.get("tool_calls", ())}


def estimated_usage(request: GenerationRequest, *, output_tokens: int, cost_usd: float | None) -> Usage:
    """The tokens of a generation that nobody counted, at four characters a token."""
    asked = sum(message.get("tokens") or estimate_tokens(message) for message in request.messages)
    return Usage(input_tokens=asked, output_tokens=output_tokens, model_calls=1, cost_usd=cost_usd)
