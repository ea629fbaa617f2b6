"""The router's section of the settings: deployments, routes, and what may be used without any.

In: the tables `[deployments.NAME]`, `[routes.NAME]` and `[router]` of `segue.toml`, or keyword arguments. Out: checked,
frozen settings. Which file they come from and what overrides what is the workspace's business; deployments are made
of them in `segue.router.build`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NoReturn, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    field_validator,
    model_validator,
)

from segue.base.errors import ConfigError, names
from segue.router.secrets import WAY_OUT, check_reference, is_reference

Engine = Literal["vllm", "openai", "anthropic", "ollama", "offline", "langchain"]
ENGINES: tuple[str, ...] = ("vllm", "openai", "anthropic", "ollama", "offline", "langchain")
Policy = Literal[
    "predicted", "fastest", "first", "round_robin", "weighted", "least_loaded", "lowest_latency", "cheapest"
]
HTTP_ENGINES = {
    "vllm": "http://127.0.0.1:8000/v1",
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "ollama": "http://127.0.0.1:11434/v1",
}
"""The engines that are reached by HTTP, each with the endpoint that stands for none being given."""

_SECRET_HEADERS = ("authorization", "api-key", "apikey", "token", "cookie", "secret")

Positive = Annotated[float, Field(gt=0)]
Dollars = Annotated[float, Field(ge=0)]
Reference = Annotated[str, AfterValidator(check_reference)]


class _Table(BaseModel):
    """Frozen; unknown keys are refused; no error shows a value, which may be a secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Section(_Table):
    """A table with a name of its own; what does not fit into it is a `ConfigError`."""

    @model_validator(mode="wrap")
    @classmethod
    def _one_kind_of_error(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            _refuse(cls, error)


class PriceSettings(_Table):
    """Dollars for a million tokens."""

    input_usd_per_mtok: Dollars
    output_usd_per_mtok: Dollars
    cached_usd_per_mtok: Dollars | None = None
    """For input tokens out of the server's prefix cache; `None` is the price of the others."""


class DeploymentSettings(_Section):
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


class RuleSettings(_Table):
    """Which requests of a route go by another one: those to which all of it applies."""

    route: str
    tools: bool | None = None
    """Only requests with tools, or only those without."""
    images: bool | None = None
    min_input_tokens: int | None = Field(default=None, ge=0)
    max_input_tokens: int | None = Field(default=None, ge=0)
    speakers: tuple[str, ...] = ()
    """Names of agents and planners; `*` stands for anything."""
    min_difficulty: float | None = Field(default=None, ge=0, le=1)
    """From 0 to 1, as `segue.router.difficulty` sees it."""
    max_difficulty: float | None = Field(default=None, ge=0, le=1)


class CanarySettings(_Table):
    """A share of a route's threads that goes by another route: of a new model, adapter or deployment."""

    route: str
    share: float = Field(ge=0, le=1)
    """From 0 to 1. A thread that is among them stays among them while the share grows."""


class RouteSettings(_Section):
    """A named choice of deployments."""

    deployments: tuple[str, ...] = ()
    """In their order of preference; at least one, unless there is a `fleet`."""
    fleet: str = ""
    """Where more deployments are listed: a TOML or JSON file, or `dns://HOST:PORT`. Looked at anew while there is
    traffic; those that come and go need no restart."""
    fleet_like: str = ""
    """For `dns://`: the deployment whose settings, but for the endpoint, those of the fleet have."""
    hedge: float = Field(default=0.0, ge=0, le=0.5)
    """The share of requests, such as 0.05, that a second deployment is asked, too, when the first token is late."""
    canary: CanarySettings | None = None
    """A share of the threads tries another route."""
    policy: Policy = "predicted"
    """`predicted` goes model by model in their order, and among the deployments of a model to where the answer is
    foreseen soonest; `fastest` does so whatever the model. The plain ones: `first` in order, `round_robin` in turn,
    `weighted` at random by weight, `least_loaded`, `lowest_latency`, `cheapest`."""
    second_usd: Positive = 0.01
    """What a second is worth in US dollars, where prices are compared with waiting."""
    fallbacks: tuple[str, ...] = ()
    """Routes to go on with when all deployments have failed."""
    rules: tuple[RuleSettings, ...] = ()
    """The first that applies sends a request by its route; this one is its fallback then."""
    cache_s: Positive | None = None
    """How long an answer is given again to the very same request of the same tenant; `None` for never."""
    cache_after_writes: bool = False
    """Also where the result of a tool that may write stands in the request."""
    temperature: float | None = Field(default=None, ge=0)
    max_output_tokens: int | None = Field(default=None, gt=0)
    parallel_tool_calls: bool | None = None
    extra: dict[str, Any] = Field(default_factory=dict)
    """Put into the body of each request, such as `reasoning_effort`."""

    @model_validator(mode="after")
    def _has_deployments(self) -> Self:
        if not self.deployments and not self.fleet:
            raise ConfigError("deployments: at least one is wanted, or a `fleet`.")
        if self.fleet.startswith("dns://") and not self.fleet_like:
            raise ConfigError("fleet: one out of DNS wants `fleet_like`, a deployment that says `model` and all else.")
        return self


class RouterSettings(_Section):
    """Everything that the router is told."""

    deployments: dict[str, DeploymentSettings] = Field(default_factory=dict)
    routes: dict[str, RouteSettings] = Field(default_factory=dict)
    default_route: str = ""
    """The route for whoever names none; empty is `default`, else the first one."""
    wait_s: Annotated[float, Field(ge=0)] = 60.0
    """The longest that a request waits in the router for rate limits and its turn."""
    cache_mb: Positive = 64.0
    """The most that answers kept for routes with `cache_s` may take."""
    use_key: bool = False
    """Whether a bare `OPENAI_API_KEY` may be spent without any deployment being configured."""
    detect: bool = True
    """Whether model servers are looked for on loopback when nothing is configured."""

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


def named(table: str, kind: type[_Section], entries: Any) -> Any:
    """The entries of a table of tables, each of its kind.

    Raises:
        ConfigError: One does not fit; the message names its table.
    """
    if not isinstance(entries, Mapping):
        raise ConfigError(f"[{table}] is a table of tables, [{table}.NAME], not {type(entries).__name__}.")
    out: dict[str, Any] = {}
    for name, entry in entries.items():
        try:
            out[name] = kind.model_validate(entry)
        except ConfigError as error:
            raise ConfigError(f"[{table}.{name}] {error.message}") from None
    return out


def _refuse(kind: type[_Section], error: ValidationError) -> NoReturn:
    """Raise the first complaint as a sentence; the values, which may be secrets, stay out of it."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        raise ConfigError(f"has an unknown key {where!r}; the keys are: {names(kind.model_fields)}.") from None
    said = first["msg"].removeprefix("Value error, ").rstrip(".")
    raise ConfigError(f"{where}: {said}." if where else f"{said}.") from None


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
