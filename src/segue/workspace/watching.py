"""What watches over runs: `[audit]`, `[notify]` and `[logging]` in; the log, the channels and the handler out.

Secrets are references, and are resolved here, when the workspace opens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from segue.base.errors import Severity
from segue.graphs.running import found_context
from segue.router.secrets import check_reference, is_reference, resolve
from segue.tracing.audit import AuditLog
from segue.tracing.audit_key import key_beside
from segue.tracing.logs import configure
from segue.tracing.notify import EmailChannel, LogChannel, Notifiers, Subscription, WebhookChannel
from segue.tracing.redaction import Redaction, redactor

AUDIT_FILE = "audit.db"


def _reference(value: str) -> str:
    return check_reference(value) if value else value


Secret = Annotated[str, AfterValidator(_reference)]
"""`env:NAME` or `file:PATH`; empty for none."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class AuditSection(_Section):
    """`[audit]`: the log of decisions."""

    enabled: bool = True
    key: Secret = ""
    """Where the key is; empty for the file beside the data directory."""


class WebhookSection(_Section):
    """`[notify.webhook]`: notices by POST."""

    url: str
    """A URL, or a reference to one that is secret."""
    secret: Secret = ""
    """What the body is signed with."""
    at: Severity = "error"
    waiting: bool = True
    timeout_s: float = Field(default=5.0, gt=0)


class EmailSection(_Section):
    """`[notify.email]`: notices by e-mail."""

    host: str
    port: int = Field(default=587, ge=1, le=65535)
    sender: str
    to: tuple[str, ...] = Field(min_length=1)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Secret = ""
    password: Secret = ""
    at: Severity = "critical"
    waiting: bool = False
    timeout_s: float = Field(default=15.0, gt=0)


class NotifySection(_Section):
    """`[notify]`: who is told when a run fails or waits."""

    log: Severity | Literal["off"] = "error"
    """The lowest severity that is logged."""
    webhook: WebhookSection | None = None
    email: EmailSection | None = None
    tries: int = Field(default=3, ge=1, le=10)
    capacity: int = Field(default=256, ge=1)
    """Notices that may wait for one channel."""


class LoggingSection(_Section):
    """`[logging]`: how Segue's own log lines look."""

    format: Literal["", "text", "json"] = ""
    """Empty leaves logging to the program."""
    level: Literal["debug", "info", "warning", "error", "critical"] = "info"


def audit_key(section: AuditSection, data_dir: Path, environ: Mapping[str, str]) -> bytes:
    """The key of the audit log.

    Raises:
        ConfigError: The reference leads nowhere.
        StoreError: The key file is gone or cannot be read.
    """
    if section.key:
        return resolve(section.key, environ, wanted_by="[audit] key").encode()
    return key_beside(data_dir, log=data_dir / AUDIT_FILE)


async def open_audit(
    section: AuditSection, data_dir: Path, environ: Mapping[str, str], stack: AsyncExitStack
) -> AuditLog | None:
    """The audit log, closed with the stack; `None` where it is switched off."""
    if not section.enabled:
        return None
    log = AuditLog(data_dir / AUDIT_FILE, audit_key(section, data_dir, environ))
    stack.push_async_callback(asyncio.to_thread, log.close)
    return log


def open_notifiers(
    section: NotifySection, classes: tuple[Any, ...], environ: Mapping[str, str], stack: AsyncExitStack
) -> Notifiers:
    """The channels, closed with the stack; `classes` is what is redacted.

    Raises:
        ConfigError: A reference leads nowhere.
    """
    told: list[Subscription] = []
    if section.log != "off":
        told.append(Subscription(channel=LogChannel(), at=section.log, waiting=section.log == "info"))
    if (hook := section.webhook) is not None:
        channel = WebhookChannel(
            url=_resolved(hook.url if is_reference(hook.url) else "", environ, "webhook.url") or hook.url,
            secret=_resolved(hook.secret, environ, "webhook.secret"), timeout_s=hook.timeout_s,
        )  # fmt: skip
        told.append(Subscription(channel=channel, at=hook.at, waiting=hook.waiting))
    if (mail := section.email) is not None:
        told.append(Subscription(channel=_email(mail, environ), at=mail.at, waiting=mail.waiting))
    notifiers = Notifiers(told, redaction=Redaction(redactor(classes)), capacity=section.capacity, tries=section.tries)
    stack.push_async_callback(notifiers.aclose)
    return notifiers


def _email(mail: EmailSection, environ: Mapping[str, str]) -> EmailChannel:
    return EmailChannel(
        host=mail.host, port=mail.port, sender=mail.sender, to=mail.to, security=mail.security,
        username=_resolved(mail.username, environ, "email.username"),
        password=_resolved(mail.password, environ, "email.password"), timeout_s=mail.timeout_s,
    )  # fmt: skip


def _resolved(reference: str, environ: Mapping[str, str], name: str) -> str:
    return resolve(reference, environ, wanted_by=f"[notify] {name}") if reference else ""


def open_logging(section: LoggingSection, classes: tuple[Any, ...], stack: AsyncExitStack) -> None:
    """Send Segue's log lines to standard error as the settings say, until the stack closes."""
    if section.format:
        undo: Callable[[], None] = configure(
            section.format, level=section.level, find=lambda: found_context(None), redact=redactor(classes)
        )
        stack.callback(undo)
