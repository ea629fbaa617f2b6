"""Notifications: to a log, a server that takes POSTs, and a server that speaks SMTP; late, redacted, counted."""

from __future__ import annotations

import asyncio
import email
import email.policy
import hashlib
import hmac
import json
import logging
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from segue import Agent, Approve, ConfigError, Workspace, tool
from segue.base.errors import EndpointError, StoreError
from segue.testing import ScriptedModel, call
from segue.tracing.notify import EmailChannel, LogChannel, NotDelivered, Notice, Notifiers, Subscription, WebhookChannel

FAILED = {"kind": "failed", "run_id": "run_1", "error_id": "err_1"}


@dataclass
class Kept:
    """A channel that keeps what it is given, and waits or fails as it is told."""

    name: str = "kept"
    got: list[Notice] = field(default_factory=list)
    fails: list[Exception] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    tried: int = 0

    def __post_init__(self) -> None:
        self.go_on.set()

    async def deliver(self, notice: Notice) -> None:
        self.tried += 1
        await self.go_on.wait()
        if self.fails:
            raise self.fails.pop(0)
        self.got.append(notice)


def unmendable() -> NotDelivered:
    error = NotDelivered("it is refused")
    error.retryable = False
    return error


@pytest.mark.parametrize(
    ("at", "waiting", "wanted"),
    [
        ("info", True, ["info", "warning", "error", "critical", "waiting"]),
        ("error", True, ["error", "critical", "waiting"]),
        ("critical", False, ["critical"]),
    ],
)
async def test_a_channel_is_told_from_its_severity_on(at: str, waiting: bool, wanted: list[str]) -> None:
    channel = Kept()
    notifiers = Notifiers([Subscription(channel=channel, at=at, waiting=waiting)])

    for severity in ("info", "warning", "error", "critical"):
        notifiers.notify(severity, severity, {})
    notifiers.notify("info", "waiting", {"kind": "waiting"})
    await notifiers.aclose()

    assert [notice.title for notice in channel.got] == wanted
    assert notifiers.counts["kept"] == {"delivered": len(wanted), "failed": 0, "dropped": 0, "waiting": 0}


async def test_what_is_sent_is_redacted_and_what_was_handed_in_is_not_touched() -> None:
    channel = Kept()
    notifiers = Notifiers([Subscription(channel=channel)])
    detail = {"error": "no answer for ann@example.com", "way_out": "token=abcdefgh12345678ijklmnop"}

    notifiers.notify("error", "run of ann@example.com failed", detail)
    await notifiers.aclose()

    assert "ann@example.com" not in str(channel.got)
    assert "abcdefgh12345678" not in str(channel.got)
    assert channel.got[0].title == "run of [email] failed"
    assert detail["error"].endswith("ann@example.com")


async def test_notifying_returns_before_delivery_and_what_does_not_fit_is_counted() -> None:
    slow, quick = Kept("slow"), Kept("quick")
    slow.go_on.clear()
    notifiers = Notifiers([Subscription(channel=slow), Subscription(channel=quick)], capacity=2)

    for number in range(4):
        notifiers.notify("error", f"number {number}", {})
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    assert notifiers.counts["slow"] == {"delivered": 0, "failed": 0, "dropped": 2, "waiting": 2}
    assert [notice.title for notice in quick.got] == [f"number {number}" for number in range(4)]
    await notifiers.aclose(timeout_s=0.01)
    assert notifiers.counts["slow"]["waiting"] == 0
    assert notifiers.counts["slow"]["delivered"] == 0


async def test_a_delivery_is_tried_again_while_that_may_help_and_never_raises() -> None:
    again, never, broken = Kept("again"), Kept("never"), Kept("broken")
    again.fails = [NotDelivered("not now"), NotDelivered("not now")]
    never.fails = [unmendable()]
    broken.fails = [RuntimeError("x")]
    held = [Subscription(channel=channel) for channel in (again, never, broken)]
    notifiers = Notifiers(held, pause_s=0.001)

    notifiers.notify("error", "first", {})
    notifiers.notify("error", "second", {})
    await notifiers.aclose()

    assert [(each.tried, len(each.got)) for each in (again, never, broken)] == [(4, 2), (2, 1), (2, 1)]
    assert notifiers.counts["never"]["failed"] == notifiers.counts["broken"]["failed"] == 1


async def test_a_notice_from_another_thread_is_delivered() -> None:
    channel = Kept()
    notifiers = Notifiers([Subscription(channel=channel)])

    thread = threading.Thread(target=notifiers.notify, args=("error", "from a thread", {}))
    thread.start()
    await asyncio.to_thread(thread.join)
    await notifiers.aclose()

    assert [notice.title for notice in channel.got] == ["from a thread"]


async def test_the_log_has_a_line_at_the_level_with_the_ids(caplog: pytest.LogCaptureFixture) -> None:
    notifiers = Notifiers([Subscription(channel=LogChannel(), at="info")])

    with caplog.at_level(logging.INFO, "segue.notify"):
        notifiers.notify("critical", "run run_1 failed", FAILED)
        await notifiers.aclose()

    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("CRITICAL", "run run_1 failed")
    assert (record.__dict__["run_id"], record.__dict__["error_id"]) == ("run_1", "err_1")


@dataclass
class Hook:
    """A server that takes POSTs."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.headers.append(dict(request.headers))
        await self.go_on.wait()
        return web.Response(status=self.answers.pop(0) if self.answers else 204, headers={"Location": "/other"})


@pytest.fixture
async def hook(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hook]:
    """A webhook on loopback."""
    monkeypatch.setenv("NO_PROXY", "*")
    held = Hook()
    held.go_on.set()
    app = web.Application()
    app.router.add_post("/hook", held.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    held.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield held
    held.go_on.set()
    await runner.cleanup()


async def test_a_webhook_gets_json_that_its_secret_signs(hook: Hook) -> None:
    notifiers = Notifiers([Subscription(channel=WebhookChannel(url=hook.url, secret="s3cret"))])

    notifiers.notify("error", "run run_1 failed", FAILED)
    await notifiers.aclose()

    told = json.loads(hook.bodies[0])
    assert (told["severity"], told["title"], told["detail"]) == ("error", "run run_1 failed", FAILED)
    signature = dict(part.split("=") for part in hook.headers[0]["X-Segue-Signature"].split(","))
    code = hmac.new(b"s3cret", f"{signature['t']}.".encode() + hook.bodies[0], hashlib.sha256).hexdigest()
    assert signature["v1"] == code
    assert hook.headers[0]["X-Segue-Notice"] == told["id"]


@pytest.mark.parametrize(
    ("answers", "posts", "counted"),
    [
        ([503, 429, 204], 3, ("delivered", 1)),
        ([500, 502, 503, 204], 3, ("failed", 1)),
        ([404, 204], 1, ("failed", 1)),
        ([307, 204], 3, ("delivered", 1)),
    ],
)
async def test_a_webhook_is_tried_again_where_that_may_help_and_follows_nobody_elsewhere(
    hook: Hook, answers: list[int], posts: int, counted: tuple[str, int]
) -> None:
    hook.answers = list(answers)
    notifiers = Notifiers([Subscription(channel=WebhookChannel(url=hook.url))], pause_s=0.001)

    notifiers.notify("error", "x", {})
    await notifiers.aclose()

    assert len(hook.bodies) == min(posts, len(answers))
    assert notifiers.counts["webhook"][counted[0]] == counted[1]


async def test_a_webhook_that_hangs_or_is_not_there_is_given_up(hook: Hook) -> None:
    hook.go_on.clear()
    hangs = WebhookChannel(url=hook.url, timeout_s=0.05, name="hangs")
    gone = WebhookChannel(url="http://127.0.0.1:9/hook", timeout_s=1, name="gone")
    notifiers = Notifiers([Subscription(channel=hangs), Subscription(channel=gone)], tries=1)

    notifiers.notify("error", "x", {})
    await notifiers.aclose()

    assert [each["failed"] for each in notifiers.counts.values()] == [1, 1]
    assert hook.url not in repr(hangs)


@dataclass
class Postman:
    """A server that speaks as much SMTP as it takes to be given an e-mail."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    refuses: str = ""
    """A command that it answers with 550."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            word = line.split(" ")[0].upper()
            if word == self.refuses:
                writer.write(b"550 no\r\n")
            elif word == "EHLO":
                writer.write(b"250-here\r\n250 AUTH PLAIN\r\n")
            elif word == "AUTH":
                self.logins.append(line)
                writer.write(b"235 welcome\r\n")
            elif word == "DATA":
                writer.write(b"354 go on\r\n")
                data = await reader.readuntil(b"\r\n.\r\n")
                self.mails.append(email.message_from_bytes(data[:-3], policy=email.policy.default))
                writer.write(b"250 taken\r\n")
            elif word == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                self.recipients += [line] if word == "RCPT" else []
                writer.write(b"250 fine\r\n")
        writer.close()


@pytest.fixture
async def postman() -> AsyncIterator[Postman]:
    """An SMTP server on loopback."""
    held = Postman()
    server = await asyncio.start_server(held.serve, "127.0.0.1", 0)
    held.port = server.sockets[0].getsockname()[1]
    yield held
    server.close()
    await server.wait_closed()


def mailer(postman: Postman, **more: Any) -> EmailChannel:
    return EmailChannel(
        host="127.0.0.1", port=postman.port, sender="segue@shop.test", to=("ops@shop.test", "on@call.test"),
        security="none", **more,
    )  # fmt: skip


async def test_an_e_mail_goes_to_all_with_the_notice_in_it(postman: Postman) -> None:
    channel = mailer(postman, username="me", password="pw")
    notifiers = Notifiers([Subscription(channel=channel)])

    notifiers.notify("critical", "run run_1 failed:\r\nBcc: x@y.test", {**FAILED, "way_out": "Stärke prüfen."})
    await notifiers.aclose()

    (mail,) = postman.mails
    assert mail["Subject"] == "[segue] critical: run run_1 failed: Bcc: [email]"
    assert mail["Bcc"] is None
    assert mail["To"] == "ops@shop.test, on@call.test"
    assert "way_out: Stärke prüfen." in mail.get_content()
    assert (len(postman.recipients), len(postman.logins)) == (2, 1)
    assert "pw" not in repr(channel)


@pytest.mark.parametrize("refused", ["RCPT", "MAIL", "AUTH"])
async def test_an_e_mail_that_is_refused_is_not_sent_again(postman: Postman, refused: str) -> None:
    postman.refuses = refused
    channel = mailer(postman, username="me", password="pw")

    with pytest.raises(NotDelivered, match="was refused by") as caught:
        await channel.deliver(Notice(severity="error", title="x", detail={}, at=0.0))

    assert not caught.value.retryable
    assert postman.mails == []


async def test_a_mail_server_that_is_not_there_may_be_tried_again() -> None:
    channel = EmailChannel(host="127.0.0.1", port=9, sender="a@b.test", to=("c@d.test",), security="none")

    with pytest.raises(NotDelivered, match="could not be sent by") as caught:
        await channel.deliver(Notice(severity="error", title="x", detail={}, at=0.0))

    assert caught.value.retryable


async def test_a_server_without_encryption_is_not_given_the_password(postman: Postman) -> None:
    channel = EmailChannel(
        host="127.0.0.1", port=postman.port, sender="a@b.test", to=("c@d.test",), username="me", password="pw"
    )

    with pytest.raises(NotDelivered):
        await channel.deliver(Notice(severity="error", title="x", detail={}, at=0.0))

    assert postman.logins == []


def settings(folder: Path, hook: Hook, postman: Postman) -> None:
    (folder / "segue.toml").write_text(
        f"""
[notify]
log = "off"

[notify.webhook]
url = "env:ALERTS"
secret = "env:ALERTS_SECRET"

[notify.email]
host = "127.0.0.1"
port = {postman.port}
sender = "segue@shop.test"
to = ["ops@shop.test"]
security = "none"
""",
        encoding="utf-8",
    )
    (folder / ".env").write_text(f"ALERTS={hook.url}\nALERTS_SECRET=s3cret\n", encoding="utf-8")


async def test_failed_and_waiting_runs_are_told_where_the_settings_say(
    tmp_path: Path, hook: Hook, postman: Postman
) -> None:
    @tool(approval=True)
    def pay(to: str) -> str:
        """Pay."""
        return "paid"

    settings(tmp_path, hook, postman)
    said = [EndpointError("ann@example.com is down"), StoreError("the disk is full"), call("pay", to="x"), "done"]
    async with Workspace.open(tmp_path) as ws:
        agent = Agent("payer", model=ScriptedModel(said), tools=[pay])
        failed = await ws.run(agent, "go", thread_id="t")
        full = await ws.run(agent, "go")
        waiting = await ws.run(agent, "go")
        await ws.resume(waiting.id, {waiting.interrupts[0].id: Approve()})

    told = [json.loads(body) for body in hook.bodies]
    assert [(each["severity"], each["detail"]["kind"]) for each in told] == [
        ("error", "failed"),
        ("critical", "failed"),
        ("info", "waiting"),
    ]
    first = told[0]["detail"]
    assert (first["run_id"], first["thread_id"], first["error_id"]) == (failed.id, "t", failed.error_id)
    assert (first["category"], first["retryable"]) == ("endpoint", True)
    assert "[email] is down" in first["error"]
    assert b"ann@example.com" not in b"".join(hook.bodies)
    assert told[2]["detail"]["interrupts"] == [waiting.interrupts[0].id]
    assert [full.id in mail["Subject"] for mail in postman.mails] == [True]


async def test_a_secret_in_the_settings_or_a_reference_to_nothing_stops_the_opening(tmp_path: Path) -> None:
    for secret, said in (("plain", "must not stand in the settings"), ("env:NOWHERE", "NOWHERE, which is not set")):
        (tmp_path / "segue.toml").write_text(
            f'[notify.webhook]\nurl = "http://127.0.0.1:9/x"\nsecret = "{secret}"\n', encoding="utf-8"
        )
        with pytest.raises(ConfigError, match=said) as caught:
            async with Workspace.open(tmp_path):
                pass
        assert "plain" not in str(caught.value)
