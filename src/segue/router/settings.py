"""The router's section of the settings: deployments, routes, and what may be used without any.

In: the tables `[deployments.NAME]`, `[routes.NAME]` and `[router]` of `segue.toml`, or keyword arguments. Out: checked,
frozen settings. Which file they come from and what overrides what is the workspace's business; deployments are made
of them in `segue.router.build`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from segue.base.errors import ConfigError
from segue.router.route_settings import (
    CanarySettings,
    Policy,
    RouteSettings,
    RuleSettings,
    ShadowSettings,
    SpendingSettings,
)
from segue.router.secrets import WAY_OUT, check_reference, is_reference
from segue.router.tables import Positive, Section, Table, named

__all__ = [
    "ENGINES", "HTTP_ENGINES", "CanarySettings", "DeploymentSettings", "Engine", "Policy", "PriceSettings",
    "RouteSettings", "RouterSettings", "RuleSettings", "ShadowSettings", "SpendingSettings", "named",
]  # fmt: skip

Engine = Literal["vllm", "openai", "anthropic", "ollama", "offline", "langchain"]
ENGINES: tuple[str, ...] = ("vllm", "openai", "anthropic", "ollama", "offline", "langchain")
HTTP_ENGINES = {
    "vllm": "http://127.0.0.1:8000/v1",
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "ollama": "http://127.0.0.1:11434/v1",
}
"""The engines that are reached by HTTP, each with the endpoint that stands for none being given."""

_SECRET_HEADERS = ("authorization", "api-key", "apikey", "token", "cookie", "secret")

Dollars = Annotated[float, Field(ge=0)]
Reference = Annotated[str, AfterValidator(check_reference)]


class PriceSettings(Table):
    """Dollars for a million tokens."""

    input_usd_per_mtok: Dollars
    output_usd_per_mtok: Dollars
    cached_usd_per_mtok: Dollars | None = None
    """For input tokens out of the server's prefix cache; `None` is the price of the others."""


class DeploymentSettings(Section):
    """One model on one endpoint."""

    engine: str = "openai"
    """Who speaks there: `openai` (or what speaks like it), `anthropic`, `vllm`, `ollama`, `offline`, `langchain`."""
    endpoint: str | None = None
    """The base URL, up to and with `/v1`; `None` is the engine's usual one."""
    model: str = ""
    api_key: Reference | None = Field(default=None, repr=False)
    """A reference, `env:NAME` or `file:PATH`; never the key itself."""
    weight: Positive = 1.0
    price: PriceSettings | None = None
    """`None` looks the price up by endpoint and model."""
    connect_s: Positive = 2.0
    first_token_s: Positive = 30.0
    """From the request to the first piece of the answer; a model that thinks silently needs more."""
    idle_s: Positive = 20.0
    """Between two pieces of an answer."""
    requests_per_second: Positive | None = None
    """What the server allows; more wait in the router, or go elsewhere."""
    requests_per_minute: Positive | None = None
    tokens_per_minute: int | None = Field(default=None, gt=0)
    """Input and output together."""
    max_concurrency: int | None = Field(default=None, gt=0)
    """Requests side by side; `None` for as many as come, and fewer where the server refuses some."""
    max_output_tokens: int | None = Field(default=None, gt=0)
    context_tokens: int | None = Field(default=None, gt=0)
    """Input and output that fit together; `None` where it is not known."""
    images: bool | None = None
    """Whether the model takes images; `None` leaves it to the server."""
    tools: bool | None = None
    """Whether it calls tools."""
    structured: bool | None = None
    """Whether it keeps to a schema."""
    metrics: bool = True
    """For engine `vllm`: whether its `/metrics` are read, at most once a second, while there is traffic."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Sent with each request; a value may be a reference, and must be one where the header is a secret."""
    transport: Literal["wire", "sdk"] = "wire"
    """`sdk` reaches an OpenAI-compatible endpoint through the openai package: for Azure and the Responses API."""
    api: Literal["chat", "responses"] = "chat"
    """Which API of OpenAI's; `responses` needs the transport `sdk`."""
    api_version: str | None = None
    """Azure's, such as `2024-10-21`; makes the endpoint an Azure resource, and needs the transport `sdk`."""
    azure_deployment: str | None = None
    """What Azure calls the model; `None` is `model` itself."""
    target: str | None = None
    """For engine `langchain`: where the chat model is, as `module:attribute`."""

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, engine: str) -> str:
        if engine not in ENGINES:
            raise ValueError(f"there is no engine {engine!r}; choose one of {', '.join(ENGINES)}")
        return engine

    @field_validator("endpoint")
    @classmethod
    def _is_url(cls, endpoint: str | None) -> str | None:
        if endpoint is None:
            return None
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"a URL such as http://127.0.0.1:8000/v1 is wanted, not {_without_password(endpoint)!r}")
        if parts.username or parts.password:
            raise ValueError(f"a URL must not hold a password. {WAY_OUT}")
        if parts.query or parts.fragment:
            raise ValueError(f"a URL ends with its path here; a key goes into `api_key` or `headers`. {WAY_OUT}")
        if not _is_host(parts):
            raise ValueError(f"{_without_password(endpoint)!r} has no possible host and port")
        return endpoint.rstrip("/")

    @field_validator("headers")
    @classmethod
    def _no_literal_secrets(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if any(word in name.lower() for word in _SECRET_HEADERS) and not is_reference(value):
                raise ValueError(f"header {name!r} looks like a secret. {WAY_OUT}")
        return headers

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.engine in HTTP_ENGINES and not self.model:
            raise ConfigError(f"engine {self.engine!r} needs `model`, the name of a model that the endpoint serves.")
        self._check_transport()
        if self.engine == "langchain" and ":" not in (self.target or ""):
            raise ConfigError('engine "langchain" needs `target`, as "module:attribute" of a LangChain chat model.')
        return self

    def _check_transport(self) -> None:
        if self.transport == "sdk" and self.engine not in ("openai", "vllm", "ollama"):
            raise ConfigError(f'transport "sdk" speaks to OpenAI-compatible endpoints, not to engine {self.engine!r}.')
        if self.transport == "wire" and (self.api == "responses" or self.api_version or self.azure_deployment):
            raise ConfigError('`api`, `api_version` and `azure_deployment` need transport = "sdk".')
        if self.api_version and not self.endpoint:
            raise ConfigError("`api_version` needs `endpoint`, such as https://NAME.openai.azure.com.")

    @property
    def url(self) -> str:
        """The endpoint, or the engine's usual one; empty for an engine without HTTP."""
        return self.endpoint or HTTP_ENGINES.get(self.engine, "")


class RouterSettings(Section):
    """Everything that the router is told."""

    deployments: dict[str, DeploymentSettings] = Field(default_factory=dict)
    routes: dict[str, RouteSettings] = Field(default_factory=dict)
    default_route: str = ""
    """The route for whoever names none; empty is `default`, else the first one."""
    wait_s: Annotated[float, Field(ge=0)] = 60.0
    """The longest that a request waits in the router for rate limits and its turn."""
    retry_share: float = Field(default=0.2, ge=0, le=1)
    """The share of requests that may be made once more at deployments that all failed, beside ten a second."""
    budgets: dict[str, SpendingSettings] = Field(default_factory=dict)
    """What tenants, users or deployments may spend by the hour, day or month."""
    cache_mb: Positive = 64.0
    """The most that answers kept for routes with `cache_s` may take."""
    use_key: bool = False
    """Whether a bare `OPENAI_API_KEY` may be spent without any deployment being configured."""
    detect: bool = True
    """Whether model servers are looked for on loopback when nothing is configured."""

    @field_validator("budgets", mode="before")
    @classmethod
    def _named_budgets(cls, tables: Any) -> Any:
        return named("router.budgets", SpendingSettings, tables)

    @field_validator("deployments", mode="before")
    @classmethod
    def _named_deployments(cls, tables: Any) -> Any:
        return named("deployments", DeploymentSettings, tables)

    @field_validator("routes", mode="before")
    @classmethod
    def _named_routes(cls, tables: Any) -> Any:
        return named("routes", RouteSettings, tables)

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        from segue.router.checks import check_routes  # it knows these classes

        check_routes(self.routes, self.deployments, self.default_route)
        return self

    @classmethod
    def from_tables(cls, tables: Mapping[str, Any], *, source: str = "segue.toml") -> RouterSettings:
        """Settings out of parsed TOML; tables of other rooms are left alone.

        Raises:
            ConfigError: Something in them is unusable. The message names `source`, the table and the key.
        """
        own = {key: tables[key] for key in ("deployments", "routes") if key in tables}
        router = tables.get("router", {})
        if not isinstance(router, Mapping):
            raise ConfigError(f"{source}: [router] is a table, not {type(router).__name__}.")
        try:
            return cls(**{**router, **own})
        except ConfigError as error:
            raise ConfigError(f"{source}: {error.message}") from None


def _is_host(parts: SplitResult) -> bool:
    """Whether the host could be one, and the port too; whether it exists is seen when it is asked."""
    try:
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        return False
    host = parts.hostname or ""
    if ":" in host:
        return port_fits
    labels = host.rstrip(".").split(".")
    return port_fits and not re.search(r"[\s<>\"{}|^`\\]", host) and all(0 < len(label) < 64 for label in labels)


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"***@{tail}" if at and head else url
