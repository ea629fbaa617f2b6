"""Notifications: something that needs a person in; a log line, a POST or an e-mail out, later and elsewhere.

`Notifiers` is the `Notifier` port: it takes a notice, returns at once, and never raises. Each channel has a queue of
its own and a task that empties it, so that a slow one delays no other. What does not fit a queue, and what a channel
could not deliver within its tries, is counted. What is sent is redacted first. Which notices go where is set in
`segue.workspace.watching`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
import ssl
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import orjson

from segue.base.errors import OperatorError, Severity
from segue.base.ids import new_id
from segue.tracing.redaction import Redaction

if TYPE_CHECKING:
    from email.message import EmailMessage

_log = logging.getLogger("segue.notify")

SEVERITIES: tuple[str, ...] = get_args(Severity)
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR, "critical": logging.CRITICAL}
_CANNOT_MEND = range(400, 500)
"""Statuses that another try does not change, 408 and 429 aside."""


class NotDelivered(OperatorError):
    """A channel could not deliver a notice. Raised by channels, counted by `Notifiers`."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One thing to tell."""

    severity: str
    title: str
    detail: dict[str, Any]
    """Plain data; `kind` says what it is: `failed`, `waiting`, …"""
    at: float
    """Seconds since 1970."""
    id: str = field(default_factory=lambda: new_id("ntc"))

    def to_json(self) -> bytes:
        """As it is posted."""
        told = {"id": self.id, "at": self.at, "severity": self.severity, "title": self.title, "detail": self.detail}
        return orjson.dumps(told, default=str, option=orjson.OPT_NON_STR_KEYS)


class Channel(Protocol):
    """One way to reach somebody."""

    @property
    def name(self) -> str:
        """As it stands in counts and log lines."""
        ...

    async def deliver(self, notice: Notice) -> None:
        """Deliver one notice, within a deadline of its own.

        Raises:
            NotDelivered: It could not; `retryable` says whether another try may help.
        """
        ...


@dataclass(frozen=True)
class LogChannel:
    """Notices as lines of the logger `segue.notify`, at the level of their severity."""

    name: str = "log"

    async def deliver(self, notice: Notice) -> None:
        """Write one line; the detail is on the record as `notice`."""
        ids = {key: notice.detail.get(key, "") for key in ("run_id", "thread_id", "trace_id", "error_id")}
        _log.log(
            _LEVELS.get(notice.severity, logging.ERROR), "%s", notice.title, extra={"notice": notice.detail, **ids}
        )


@dataclass(frozen=True, kw_only=True)
class WebhookChannel:
    """Notices as JSON, by POST. Signed where there is a secret.

    `X-Segue-Signature: t=SECONDS,v1=HEX` is the HMAC-SHA256, by the secret, of `SECONDS.` and the body.
    """

    url: str = field(repr=False)
    secret: str = field(default="", repr=False)
    timeout_s: float = 5.0
    """For one try, from connecting to the last byte of the answer's head."""
    name: str = "webhook"

    async def deliver(self, notice: Notice) -> None:
        """Post it; any 2xx will do."""
        import aiohttp

        body = notice.to_json()
        headers = {"Content-Type": "application/json", "X-Segue-Notice": notice.id, **self._signed(body)}
        limit = aiohttp.ClientTimeout(total=self.timeout_s)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit, trust_env=True) as session,
                session.post(self.url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                if answer.status >= 300:
                    raise _refused(self.name, answer.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotDelivered(f"{self.name} could not be reached: {type(error).__name__}.") from error

    def _signed(self, body: bytes) -> dict[str, str]:
        if not self.secret:
            return {}
        now = str(int(time.time()))
        code = hmac.new(self.secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
        return {"X-Segue-Signature": f"t={now},v1={code}"}


@dataclass(frozen=True, kw_only=True)
class EmailChannel:
    """Notices as e-mails over SMTP, sent in a thread."""

    host: str
    port: int
    sender: str
    to: tuple[str, ...]
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    timeout_s: float = 15.0
    """For the whole conversation with the server."""
    name: str = "e-mail"

    async def deliver(self, notice: Notice) -> None:
        """Send one e-mail to all of `to`."""
        import smtplib
        from email.message import EmailMessage

        message = EmailMessage()
        message["Subject"] = " ".join(f"[segue] {notice.severity}: {notice.title}".split())[:200]
        message["From"], message["To"] = self.sender, ", ".join(self.to)
        message["Message-ID"] = f"<{notice.id}@segue>"
        lines = [notice.title, "", *(f"{key}: {value}" for key, value in notice.detail.items())]
        message.set_content("\n".join(lines))
        try:
            async with asyncio.timeout(self.timeout_s):
                await asyncio.to_thread(self._send, message)
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused) as error:
            refused = NotDelivered(f"{self.name} was refused by {self.host}: {type(error).__name__}.")
            refused.retryable = False
            raise refused from error
        except (smtplib.SMTPException, OSError, TimeoutError) as error:
            raise NotDelivered(f"{self.name} could not be sent by {self.host}: {type(error).__name__}.") from error

    def _send(self, message: EmailMessage) -> None:
        import smtplib

        secure = ssl.create_default_context()
        kind = smtplib.SMTP_SSL if self.security == "tls" else smtplib.SMTP
        more: dict[str, Any] = {"context": secure} if self.security == "tls" else {}
        with kind(self.host, self.port, timeout=self.timeout_s, **more) as server:
            if self.security == "starttls":
                server.starttls(context=secure)
            if self.username:
                server.login(self.username, self.password)
            server.send_message(message)


def _refused(name: str, status: int) -> NotDelivered:
    error = NotDelivered(f"{name} answered {status}.")
    error.retryable = status not in _CANNOT_MEND or status in (408, 429)
    return error


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """A channel with what it is told."""

    channel: Channel
    at: str = "error"
    """The lowest severity that it is told of: info, warning, error or critical."""
    waiting: bool = True
    """Whether it is told of runs that wait for a person."""

    def wants(self, notice: Notice) -> bool:
        """Whether this notice is for it."""
        if notice.detail.get("kind") == "waiting":
            return self.waiting
        return _rank(notice.severity) >= _rank(self.at)


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


class Notifiers:
    """The port's adapter: tells each channel what it wants to know. Made and closed on one event loop."""

    def __init__(
        self,
        subscriptions: Sequence[Subscription] = (),
        *,
        redaction: Redaction | None = None,
        capacity: int = 256,
        tries: int = 3,
        pause_s: float = 1.0,
    ) -> None:
        """Name the channels; tasks begin with the first notice.

        Args:
            subscriptions: Where notices go.
            redaction: What is taken out before anything is delivered; `None` takes out secrets and personal data.
            capacity: Notices that may wait for one channel; a newer one beyond that is dropped.
            tries: How often a delivery is tried, while it may help.
            pause_s: Before the second try; twice as long before each further one.
        """
        self._queues = [_Queue(each, redaction or Redaction(), capacity, tries, pause_s) for each in subscriptions]
        self._loop: asyncio.AbstractEventLoop | None = None
        with contextlib.suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """For each channel: `delivered`, `failed`, `dropped`, `waiting`."""
        return {each.name: each.counts() for each in self._queues}

    def notify(self, severity: str, title: str, detail: dict[str, Any]) -> None:
        """Take a notice; delivered later. From any thread; never raises."""
        try:
            notice = Notice(severity=severity, title=title, detail=dict(detail), at=time.time())
            for queue in self._queues:
                if queue.subscription.wants(notice) and queue.put(notice):
                    self._wake(queue)
        except Exception:
            _log.exception("a notice could not be taken")

    def _wake(self, queue: _Queue) -> None:
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        self._loop = self._loop or running
        if self._loop is not None and running is self._loop:
            queue.begin()
        elif self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(queue.begin)

    async def aclose(self, timeout_s: float = 5.0) -> None:
        """Deliver what waits, for at most `timeout_s`; what is left then counts as dropped."""
        async with asyncio.TaskGroup() as group:
            for queue in self._queues:
                group.create_task(queue.close(timeout_s))


class _Queue:
    """What waits for one channel, and the task that delivers it."""

    def __init__(
        self, subscription: Subscription, redaction: Redaction, capacity: int, tries: int, pause_s: float
    ) -> None:
        self.subscription = subscription
        self.name = subscription.channel.name
        self._redaction = redaction
        self._capacity, self._tries, self._pause_s = capacity, tries, pause_s
        self._waiting: deque[Notice] = deque()
        self._task: asyncio.Task[None] | None = None
        self._delivered = self._failed = self._dropped = 0

    def counts(self) -> dict[str, int]:
        return {
            "delivered": self._delivered, "failed": self._failed, "dropped": self._dropped,
            "waiting": len(self._waiting),
        }  # fmt: skip

    def put(self, notice: Notice) -> bool:
        if len(self._waiting) >= self._capacity:
            self._dropped += 1
            if self._dropped == 1:
                _log.warning("%s is behind: notices for it are dropped", self.name)
            return False
        self._waiting.append(notice)
        return True

    def begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"segue-notify-{self.name}")

    async def _run(self) -> None:
        while self._waiting:
            try:
                await self._deliver(self._waiting[0])
            finally:
                self._waiting.popleft()

    async def _deliver(self, notice: Notice) -> None:
        """One notice, with its tries; what goes wrong is counted and logged."""
        seen = Notice(
            severity=notice.severity, title=self._redaction.text(notice.title),
            detail=self._redaction.data(notice.detail), at=notice.at, id=notice.id,
        )  # fmt: skip
        for number in range(1, self._tries + 1):
            try:
                await self.subscription.channel.deliver(seen)
            except NotDelivered as error:
                if error.retryable and number < self._tries:
                    await asyncio.sleep(self._pause_s * 2 ** (number - 1))
                    continue
                why = str(error)
            except Exception as error:
                why = f"{self.name} raised {type(error).__name__}"
            else:
                self._delivered += 1
                return
            self._failed += 1
            _log.warning("a notice was not delivered after %d tries: %s", number, why)
            return

    async def close(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while self._waiting:
                    self.begin()
                    assert self._task is not None
                    await asyncio.wait({self._task})
        except TimeoutError:
            pass
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})
        if self._waiting:
            self._dropped += len(self._waiting)
            self._waiting.clear()
        if self._dropped:
            _log.warning("%d notices for %s were dropped", self._dropped, self.name)
