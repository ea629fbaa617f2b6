"""The headers that a deployment's requests carry: its key as its engine wants it, and those of its settings.

In: the settings, and the environment that `env:` references look into. Out: headers for one request, and the secrets
among them, for `segue.router.secrets.redact`. They are read anew for each request, so that a key may change.
"""

from __future__ import annotations

from collections.abc import Mapping

from segue.base.errors import ConfigError
from segue.router.secrets import is_reference, resolve
from segue.router.settings import DeploymentSettings

ANTHROPIC_VERSION = "2023-06-01"
"""See https://platform.claude.com/docs/en/api/versioning."""


def key_headers(settings: DeploymentSettings, key: str | None) -> dict[str, str]:
    """What the endpoint knows the caller by; `key` is the secret itself, `None` where there is none."""
    headers = {"anthropic-version": ANTHROPIC_VERSION} if settings.engine == "anthropic" else {}
    if key is None:
        return headers
    if settings.engine == "anthropic":
        return {**headers, "x-api-key": key}
    if settings.api_version is not None:
        return {**headers, "api-key": key}
    return {**headers, "Authorization": f"Bearer {key}"}


def request_headers(
    settings: DeploymentSettings, environ: Mapping[str, str] | None, *, wanted_by: str
) -> tuple[dict[str, str], list[str]]:
    """The headers of a request, and the secrets in them; `wanted_by` is who errors name.

    Raises:
        ConfigError: A secret is not there, or holds what no header can carry.
    """
    secrets = []
    if settings.api_key is not None:
        secrets.append(resolve(settings.api_key, environ, wanted_by=wanted_by))
    headers = key_headers(settings, secrets[0] if secrets else None)
    for name, value in settings.headers.items():
        if is_reference(value):
            value = resolve(value, environ, wanted_by=wanted_by)
            secrets.append(value)
        headers[name] = value
    for name, value in headers.items():
        if not value.isprintable() or not value.isascii():
            raise ConfigError(f"{wanted_by}: header {name} holds what cannot be sent; is the secret the right one?")
    return headers, secrets
