"""From the settings of a deployment to the deployment.

In: a name and its settings. Out: an object that answers requests. Nothing is connected or imported for it before its
first request, a LangChain target aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from segue.base.errors import ConfigError
from segue.router.deployment import Deployment, HttpDeployment
from segue.router.offline_deployment import OfflineDeployment
from segue.router.sessions import Sessions
from segue.router.settings import HTTP_ENGINES, DeploymentSettings

if TYPE_CHECKING:
    from segue.router.langchain_deployment import LangChainDeployment


def build(
    name: str, settings: DeploymentSettings, *, sessions: Sessions, environ: Mapping[str, str] | None = None
) -> Deployment:
    """The deployment that the settings describe.

    Raises:
        ConfigError: A LangChain target cannot be loaded. The message names the deployment.
    """
    if settings.engine == "offline":
        return OfflineDeployment(name, weight=settings.weight)
    if settings.engine == "anthropic":
        from segue.router.anthropic.deployment import AnthropicDeployment

        return AnthropicDeployment(name, settings, sessions=sessions, environ=environ)
    if settings.transport == "sdk":
        from segue.router.sdk.deployment import SdkDeployment

        return SdkDeployment(name, None, settings, environ=environ)
    if settings.engine in HTTP_ENGINES:
        return HttpDeployment(name, settings, sessions=sessions, environ=environ)
    return _from_langchain(name, settings)


def named_model(text: str) -> DeploymentSettings | None:
    """The settings behind `engine:model`, such as `openai:gpt-5-mini`; `None` where it is not of that shape."""
    engine, colon, model = text.partition(":")
    if text in ("offline", "offline/rules-1"):
        return DeploymentSettings(engine="offline")
    if not colon or not model or engine not in HTTP_ENGINES:
        return None
    key = {"openai": "env:OPENAI_API_KEY", "anthropic": "env:ANTHROPIC_API_KEY"}.get(engine)
    return DeploymentSettings(engine=engine, model=model, api_key=key)


def _from_langchain(name: str, settings: DeploymentSettings) -> LangChainDeployment:
    from segue.router.langchain_deployment import LangChainDeployment, load_chat_model

    try:
        chat_model = load_chat_model(settings.target or "")
    except ConfigError as error:
        raise ConfigError(f"[deployments.{name}] {error.message}") from error
    return LangChainDeployment(name, chat_model, settings)
