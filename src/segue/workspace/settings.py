"""Settings of a workspace: environment over `.env` over `segue.toml` over defaults.

Each room owns its section; here they are put together and read. A value's source can be told (`sources`).
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from segue.base.errors import ConfigError
from segue.guards.settings import GuardsSection
from segue.memory.documents.by_url import DocumentsSection
from segue.router.settings import DeploymentSettings, RouterSettings, RouteSettings, SpendingSettings, named
from segue.tracing.alerts import AlertSection
from segue.tracing.settings import LangfuseSection, RedactionSection, TracingSection
from segue.workspace.keeping import Place, SharedPlace
from segue.workspace.sections import JobsSection, ServerSection
from segue.workspace.watching import AuditSection, LoggingSection, NotifySection, Secret

FILE = "segue.toml"
_TABLES = "_tables"
"""The argument by which `read` hands over what the file holds; settings that a program makes itself read no file."""


class RouterSection(BaseModel):
    """`[router]`: what holds for all routes, and what may be used when none is configured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default_route: str = ""
    use_key: bool = False
    """Whether a bare OPENAI_API_KEY may be spent without asking."""
    detect: bool = True
    """Whether a model server on loopback is looked for."""
    wait_s: float = Field(default=60.0, ge=0)
    """The longest that a request waits in the router for limits and its turn."""
    cache_mb: float = Field(default=64.0, gt=0)
    """The most that answers kept for routes with `cache_s` may take."""
    retry_share: float = Field(default=0.2, ge=0, le=1)
    """The share of requests that may be made once more at deployments that all failed, beside ten a second."""
    budgets: dict[str, SpendingSettings] = Field(default_factory=dict)
    """What tenants, users or deployments may spend by the hour, day or month."""

    @field_validator("budgets", mode="before")
    @classmethod
    def _named_budgets(cls, tables: Any) -> Any:
        return named("router.budgets", SpendingSettings, tables)


class WorkspaceSettings(BaseSettings):
    """Everything that can be set. In the environment: `SEGUE_` before the name, `__` between section and key."""

    model_config = SettingsConfigDict(
        env_prefix="SEGUE_",
        env_nested_delimiter="__",
        dotenv_filtering="match_prefix",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    data_dir: Path = Path(".segue")
    """Where checkpoints, traces and artefacts lie; relative to the workspace's folder."""
    database_url: SharedPlace = ""
    """`postgresql://…`, or a reference to it: the database for everything that has no place of its own, which many
    machines share. Empty: files in the data folder."""
    checkpoint_types: tuple[str, ...] = ()
    """Types of one's own that checkpoints may construct, as `module:Class`."""
    checkpoints: Place = ""
    """Where checkpoints and effects lie: `sqlite:///PATH`, `postgresql://…` or a reference. Empty: `database_url`,
    else the data folder."""
    encryption_key: Secret = ""
    """A reference to the key that checkpoints and effects are encrypted with; empty for none."""
    old_encryption_keys: tuple[Secret, ...] = ()
    """References to keys used before: what they encrypted still opens."""
    thread_wait_s: float = Field(default=30.0, ge=0)
    """Seconds that a run waits for a thread that another process or workspace has; 0 does not wait."""
    approval_expires_s: float | None = Field(default=None, gt=0)
    """Seconds after which a request for approval can no longer be answered; unset, never."""
    router: RouterSection = RouterSection()
    deployments: dict[str, DeploymentSettings] = Field(default_factory=dict)
    routes: dict[str, RouteSettings] = Field(default_factory=dict)
    tracing: TracingSection = TracingSection()
    langfuse: LangfuseSection = LangfuseSection()
    redaction: RedactionSection = RedactionSection()
    audit: AuditSection = AuditSection()
    notify: NotifySection = NotifySection()
    logging: LoggingSection = LoggingSection()
    alerts: dict[str, AlertSection] = Field(default_factory=dict)
    documents: DocumentsSection = DocumentsSection()
    guards: GuardsSection = GuardsSection()
    jobs: JobsSection = JobsSection()
    server: ServerSection = ServerSection()

    @field_validator("deployments", mode="before")
    @classmethod
    def _named_deployments(cls, tables: Any) -> Any:
        return named("deployments", DeploymentSettings, tables)

    @field_validator("routes", mode="before")
    @classmethod
    def _named_routes(cls, tables: Any) -> Any:
        return named("routes", RouteSettings, tables)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then `.env`, then what `read` found in `segue.toml`."""
        tables: dict[str, Any] = {}
        if isinstance(init_settings, InitSettingsSource):
            tables = init_settings.init_kwargs.pop(_TABLES, {})
        return init_settings, env_settings, dotenv_settings, InitSettingsSource(settings_cls, tables)

    def router_settings(self) -> RouterSettings:
        """The router's view: deployments, routes and what may be used without any."""
        return RouterSettings(
            deployments=self.deployments,
            routes=self.routes,
            default_route=self.router.default_route,
            use_key=self.router.use_key,
            detect=self.router.detect,
            wait_s=self.router.wait_s,
            cache_mb=self.router.cache_mb,
            retry_share=self.router.retry_share,
            budgets=self.router.budgets,
        )


def read(folder: Path, overrides: Mapping[str, Any] | None = None) -> WorkspaceSettings:
    """The settings of the workspace in a folder.

    Raises:
        ConfigError: A file is broken, or a value does not fit. The message names the file or variable and the key.
    """
    given: dict[str, Any] = {_TABLES: _check_toml(folder / FILE), **(overrides or {})}
    env_file = folder / ".env"
    try:
        return WorkspaceSettings(_env_file=env_file if env_file.is_file() else None, **given)
    except ValidationError as error:
        raise ConfigError(_explain(error, folder)) from None
    except ConfigError as error:
        raise ConfigError(f"{_place(folder)}: {error.message}", way_out=error.way_out) from None


def environment(folder: Path) -> dict[str, str]:
    """The environment that references are resolved in: the process's over the folder's `.env`."""
    held = _dotenv(folder)
    return {**{key: value for key, value in held.items() if value is not None}, **os.environ}


def sources(folder: Path) -> dict[str, str]:
    """For each top-level setting where its value comes from: a variable, a file, or the default."""
    toml = _check_toml(folder / FILE)
    dotenv = _dotenv(folder)
    found: dict[str, str] = {}
    for name in WorkspaceSettings.model_fields:
        prefix = f"SEGUE_{name.upper()}"
        if variable := next((key for key in os.environ if key == prefix or key.startswith(f"{prefix}__")), None):
            found[name] = f"environment {variable}"
        elif any(key.upper() == prefix or key.upper().startswith(f"{prefix}__") for key in dotenv):
            found[name] = ".env"
        else:
            found[name] = FILE if name in toml else "default"
    return found


def _dotenv(folder: Path) -> Mapping[str, str | None]:
    path = folder / ".env"
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    return dotenv_values(path)


def _check_toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} is not valid TOML: {error}.", way_out="Mend that line, or move the file away."
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None


def _fields_at(place: Sequence[int | str]) -> list[str]:
    """The names that a section of the settings knows."""
    section: Any = WorkspaceSettings
    for part in place:
        field = getattr(section, "model_fields", {}).get(part)
        section = field.annotation if field is not None else None
    return list(getattr(section, "model_fields", ()))


def _explain(error: ValidationError, folder: Path) -> str:
    lines = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in item["loc"])
        message = item["msg"]
        if item["type"] == "extra_forbidden":
            close = difflib.get_close_matches(str(item["loc"][-1]), _fields_at(item["loc"][:-1]), 1)
            message = f"there is no such setting{f'; did you mean {close[0]!r}?' if close else ''}"
        lines.append(f"{place}: {message}")
    return f"{_place(folder)}: {'; '.join(lines)}."


def _place(folder: Path) -> str:
    return f"settings of {folder / FILE} (or SEGUE_… in the environment, or .env)"
