"""Settings of this room: `[tracing]`, `[langfuse]` and `[redaction]`."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from segue.tracing.redaction import ALL, Class

_SECRET_HEADERS = ("auth", "key", "token", "cookie", "secret", "password")


def _url(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError(f"this is a URL such as http://localhost:4318/v1/traces, not {value!r}")
    if parts.password or parts.username:
        raise ValueError(
            "a secret must not stand in a URL; give it as a header that refers to it: env:NAME or file:PATH"
        )
    return value


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, held in value.items():
        secret = any(word in name.lower() for word in _SECRET_HEADERS)
        if secret and not held.startswith(("env:", "file:")):
            raise ValueError(
                f"the header {name} holds a secret, which must not stand in the settings itself. Write a reference "
                'instead: "env:NAME" for an environment variable, "file:PATH" for a file.'
            )
    return value


def _reference(value: str) -> str:
    if not value.startswith(("env:", "file:")):
        raise ValueError('a key is a reference: "env:NAME" for an environment variable, "file:PATH" for a file')
    return value


Url = Annotated[str, AfterValidator(_url)]
Headers = Annotated[dict[str, str], AfterValidator(_headers)]
Reference = Annotated[str, AfterValidator(_reference)]
Share = Annotated[float, Field(ge=0, le=1)]
Classes = tuple[Class, ...]


class OtlpSection(BaseModel):
    """`[tracing.otlp.NAME]`: one of several OTLP endpoints."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: Url
    """The whole URL, `…/v1/traces`."""
    headers: Headers = Field(default_factory=dict)
    """With each request; secrets as `env:NAME` or `file:PATH`."""
    content: bool = True
    """Whether messages, arguments and results are sent, redacted; else only what happened and how long it took."""
    sample: Share | None = None
    """The share of the runs that is sent; `None` for `[tracing] sample`."""


class TenantTracingSection(BaseModel):
    """`[tracing.tenants.NAME]`: what holds for one tenant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep_days: float = Field(gt=0)
    """How long the spans of its runs are kept here."""


class TracingSection(BaseModel):
    """`[tracing]`: where spans go."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    """Whether the local store is written. Langfuse and OTLP have their own switches."""
    capacity: int = Field(default=65_536, ge=1)
    """Spans that may wait to be written before the newest are dropped."""
    sample: Share = 1.0
    """The share of the runs that is sent to Langfuse and to OTLP endpoints, beside those that are kept anyway."""
    local_sample: Share = 1.0
    """The same for the local store."""
    keep_above_usd: float | None = Field(default=None, ge=0)
    """Runs that cost more are kept whatever the share; `None` for none."""
    keep_above_s: float | None = Field(default=None, ge=0)
    """Runs that took longer are kept whatever the share; `None` for none."""
    keep_days: float | None = Field(default=None, gt=0)
    """How long the spans of runs are kept in the local store; `None` for ever."""
    tenants: dict[str, TenantTracingSection] = Field(default_factory=dict)
    """Tenants that have another `keep_days`."""
    bridge: bool = True
    """Whether spans of the program's own OpenTelemetry nest in ours, and ours in theirs."""
    otlp_endpoint: Url = ""
    """An OTLP endpoint over HTTP, the whole URL; empty for none. More than one: `[tracing.otlp.NAME]`."""
    otlp_headers: Headers = Field(default_factory=dict)
    otlp: dict[str, OtlpSection] = Field(default_factory=dict)

    def endpoints(self) -> dict[str, OtlpSection]:
        """All OTLP endpoints by name."""
        if not self.otlp_endpoint:
            return dict(self.otlp)
        return {"otlp": OtlpSection(endpoint=self.otlp_endpoint, headers=self.otlp_headers), **self.otlp}


class LangfuseSection(BaseModel):
    """`[langfuse]`: a project that traces and scores are sent to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool | None = None
    """`None`: where both keys are set."""
    host: Url = ""
    """Empty: LANGFUSE_BASE_URL or LANGFUSE_HOST, else Langfuse's cloud."""
    public_key: Reference = "env:LANGFUSE_PUBLIC_KEY"
    secret_key: Reference = "env:LANGFUSE_SECRET_KEY"
    environment: str = ""
    """Empty: LANGFUSE_TRACING_ENVIRONMENT."""
    release: str = ""
    """Empty: LANGFUSE_RELEASE."""
    content: bool = True
    """Whether messages, arguments and results are sent, redacted."""
    sample: Share | None = None
    """The share of the runs that is sent; `None` for `[tracing] sample`."""


class RedactionSection(BaseModel):
    """`[redaction]`: for each destination what must not reach it, out of `secrets` and `pii`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: tuple[Literal["secrets"], ...] = ("secrets",)
    """What a model reads, and with it checkpoints, records, artefacts and the index of documents. Personal data reaches
    them, since an agent must be able to look up an address; a rail can take it out."""
    traces: Classes = ALL
    """The local store."""
    logs: Classes = ALL
    langfuse: Classes = ALL
    otlp: Classes = ALL
    metrics: Classes = ALL
    exports: Classes = ALL
    """Files that runs are exported to."""

    @model_validator(mode="after")
    def _secrets_nowhere(self) -> RedactionSection:
        for name in type(self).model_fields:
            if "secrets" not in getattr(self, name):
                raise ValueError(f'{name}: secrets are redacted everywhere; write ["secrets"] or ["secrets", "pii"]')
        return self
