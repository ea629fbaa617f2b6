"""guardrails-ai both ways: its validators and Guards as rails, rails as its validators, and not one call home."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from segue.base.errors import UserError
from segue.context import Allow, Block, Rewrite, RunContext
from segue.guards import Subject, from_guard, from_validator, judge, max_length, no_pii, rail, to_validator
from segue.guards.given import as_rails
from segue.guards.quiet import quiet

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")

TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


@pytest.fixture(scope="module")
def theirs() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("guardrails", exc_type=ImportError)
        quiet()
        return importlib.import_module("guardrails")


def package(name: str) -> Any:
    return pytest.importorskip(
        f"guardrails_ai.{name}", reason=f"guardrails-ai-{name.replace('_', '-')} is not installed"
    )


@pytest.fixture
def shout(theirs: Any) -> Any:
    """A validator of one's own: text in capitals passes."""
    base = importlib.import_module("guardrails.validator_base")

    @base.register_validator(name="test/shout", data_type="string")  # type: ignore[untyped-decorator, unused-ignore]
    class Shout(base.Validator):  # type: ignore[misc, name-defined]
        def _validate(self, value: Any, metadata: Any) -> Any:
            if value.isupper():
                return base.PassResult()
            return base.FailResult(error_message=f"{value} is too quiet", fix_value=value.upper())

    return Shout


async def verdict(check: Any, ctx: RunContext[Any], text: str = "hello", value: Any = None) -> Any:
    return (await judge([check], Subject(place="input", text=text, value=value), ctx)).verdict


async def test_valid_length_works_as_a_rail(theirs: Any, ctx: RunContext[Any]) -> None:
    check = from_validator(package("valid_length").ValidLength(1, 5, on_fail="fix"))

    assert await verdict(check, ctx) == Allow()
    assert (await verdict(check, ctx, "hello world")).value == "hello"


async def test_regex_match_works_as_a_rail(theirs: Any, ctx: RunContext[Any]) -> None:
    check = from_validator(package("regex_match").RegexMatch(r"[a-z]+", on_fail="exception"), on=["input"])

    assert await verdict(check, ctx) == Allow()
    assert await verdict(check, ctx, "HELLO") == Block(
        "validator 'guardrails/regex_match' did not pass", "guardrails/regex_match"
    )


async def test_secrets_present_works_as_a_rail(theirs: Any, ctx: RunContext[Any]) -> None:
    check = from_validator(package("secrets_present").SecretsPresent(on_fail="fix"), timeout_s=20)

    assert await verdict(check, ctx, "a = 1\nb = 2\n") == Allow()
    said = await verdict(check, ctx, f"a = 1\ntoken = '{TOKEN}'\n")
    assert isinstance(said, Rewrite)
    assert TOKEN not in said.value


@pytest.mark.parametrize(
    ("on_fail", "said"),
    [
        ("fix", Rewrite("HELLO", "validator 'test/shout' did not pass; its fix stands instead", "test/shout")),
        ("fix_reask", Rewrite("HELLO", "validator 'test/shout' did not pass; its fix stands instead", "test/shout")),
        ("noop", Allow()),
        ("exception", Block("validator 'test/shout' did not pass", "test/shout")),
        ("reask", Block("validator 'test/shout' did not pass", "test/shout")),
        ("filter", Block("validator 'test/shout' did not pass", "test/shout")),
        ("refrain", Block("validator 'test/shout' did not pass", "test/shout")),
    ],
)
async def test_on_fail_decides_what_a_validator_says(ctx: RunContext[Any], shout: Any, on_fail: str, said: Any) -> None:
    assert await verdict(from_validator(shout(on_fail=on_fail)), ctx) == said


async def test_a_validator_that_does_nothing_on_failure_says_so(ctx: RunContext[Any], shout: Any) -> None:
    judgement = await judge([from_validator(shout(on_fail="noop"))], Subject(place="input", text="hello"), ctx)

    assert judgement.said[0].reason == "validator 'test/shout' did not pass, and its on_fail is noop"


async def test_a_function_as_on_fail_says_what_stands_instead(ctx: RunContext[Any], shout: Any) -> None:
    put = from_validator(shout(on_fail=lambda value, result: "…"))
    left = from_validator(shout(on_fail=lambda value, result: value))
    broken = from_validator(shout(on_fail=lambda value, result: 1 / 0))

    assert (await verdict(put, ctx)).value == "…"
    assert isinstance(await verdict(left, ctx), Allow)
    assert isinstance(await verdict(broken, ctx), Block)


async def test_a_validator_that_hangs_or_raises_blocks(theirs: Any, ctx: RunContext[Any], shout: Any) -> None:
    release = threading.Event()

    class Stuck(shout):  # type: ignore[misc]
        def _validate(self, value: Any, metadata: Any) -> Any:
            release.wait(10)

    class Broken(shout):  # type: ignore[misc]
        def _validate(self, value: Any, metadata: Any) -> Any:
            raise OSError(value)

    stuck = await verdict(from_validator(Stuck(), timeout_s=0.02), ctx)
    broken = await verdict(from_validator(Broken(), inline=True), ctx)
    release.set()

    assert "took longer" in stuck.reason
    assert "raised OSError" in broken.reason
    assert "hello" not in broken.reason


async def test_a_validator_of_lists_is_handed_the_list(theirs: Any, ctx: RunContext[Any]) -> None:
    check = from_validator(package("valid_length").ValidLength(1, 2, on_fail="fix"))

    assert (await verdict(check, ctx, "[1, 2, 3]", value=[1, 2, 3])).value == [1, 2]


async def test_a_guard_works_as_a_rail_whichever_kind(theirs: Any, ctx: RunContext[Any], shout: Any) -> None:
    for kind in (theirs.Guard, theirs.AsyncGuard):
        fixing, strict, noting = (
            from_guard(kind(name="loud").use(shout(on_fail=on_fail))) for on_fail in ("fix", "exception", "noop")
        )

        assert await verdict(fixing, ctx, "HELLO") == Allow()
        assert (await verdict(fixing, ctx)).value == "HELLO"
        assert await verdict(strict, ctx) == Block("guard 'loud': a validator did not pass", "loud")
        assert await verdict(noting, ctx) == Block("guard 'loud' did not pass (Shout)", "loud")


async def test_a_guard_with_a_schema_works_on_text_and_on_data(theirs: Any, ctx: RunContext[Any]) -> None:
    class Reply(BaseModel):
        total: int

    check = from_guard(theirs.AsyncGuard.for_pydantic(Reply, name="reply"))

    assert await verdict(check, ctx, '{"total": 3}') == Allow()
    assert await verdict(check, ctx, '{"total": 3}', value={"total": 3}) == Allow()
    assert isinstance(await verdict(check, ctx, '{"total": "many"}'), Block)
    assert isinstance(await verdict(check, ctx, "no JSON at all"), Block)


def test_guards_may_name_their_validators_and_guards(theirs: Any, shout: Any) -> None:
    made = as_rails([shout(), theirs.AsyncGuard(name="loud").use(shout())], "agent 'a'")

    assert [each.name for each in made] == ["test/shout", "loud"]


async def test_a_rail_works_as_their_validator(theirs: Any, ctx: RunContext[Any]) -> None:
    fixed = theirs.AsyncGuard().use(to_validator(no_pii())(on_fail="fix"))
    noted = theirs.Guard().use(to_validator(max_length(3))(on_fail="noop"))

    assert (await fixed.validate("ask ann@example.org")).validated_output == "ask [email]"
    assert (await fixed.validate("ask Ann")).validation_passed
    assert not noted.validate("hello").validation_passed
    assert noted.validate("hi").validation_passed


async def test_a_rail_that_needs_its_run_fails_in_their_guard_unless_it_is_handed_over(
    theirs: Any, ctx: RunContext[Any]
) -> None:
    @rail(name="uses_run")
    async def uses_run(text: str, ctx: RunContext[Any]) -> bool:
        return ctx.services.router is None or bool(ctx.services.router.resolve("fast"))

    guard = theirs.AsyncGuard().use(to_validator(uses_run)(on_fail="noop"))

    assert not (await guard.validate("hi")).validation_passed
    assert (await guard.validate("hi", metadata={"segue_ctx": ctx})).validation_passed


def test_what_is_not_theirs_or_ours_is_refused(theirs: Any, shout: Any) -> None:
    wrong: Any = shout
    with pytest.raises(UserError, match="not the class Shout"):
        from_validator(wrong)
    wrong = no_pii()
    with pytest.raises(UserError, match="from_guard takes a guardrails-ai Guard"):
        from_guard(wrong)
    wrong = len
    with pytest.raises(UserError, match="make one with @rail"):
        to_validator(wrong)


def test_a_validator_that_needs_metadata_says_which(theirs: Any, shout: Any) -> None:
    class Needs(shout):  # type: ignore[misc]
        required_metadata_keys = ("topic",)

    with pytest.raises(UserError, match=r"needs metadata=\{topic: …\}"):
        from_validator(Needs())
    assert from_validator(Needs(), metadata={"topic": "x"}).name == "test/shout"


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "guardrails.settings", None)
    validator: Any = object()

    with pytest.raises(UserError, match=r"pip install 'segue\[guardrails\]'"):
        from_validator(validator)


OFFLINE = """
import atexit, asyncio, os, sys
calls = []
def watch(event, args):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"):
        calls.append((event, args[-1] if event in ("socket.connect", "socket.sendto") else args[0]))
        raise OSError("the network is closed")
def report():
    print("CALLS", calls, flush=True)
atexit.register(report)
sys.addaudithook(watch)

late = sys.argv[1] == "late"
if not late:
    from segue.guards.quiet import quiet
    quiet()
from guardrails import AsyncGuard, Guard
from guardrails.validator_base import FailResult, PassResult, Validator, register_validator

@register_validator(name="test/shout", data_type="string")
class Shout(Validator):
    def _validate(self, value, metadata):
        return PassResult() if value.isupper() else FailResult(error_message="quiet", fix_value=value.upper())

first = Guard().use(Shout(on_fail="fix"))
first.validate("before")

from segue.context import *
from segue.guards import *
from segue.guards.ours import _detached

async def main():
    ctx = _detached()
    shout = Shout(on_fail="fix")
    for each in (from_validator(shout), from_guard(first), from_guard(AsyncGuard().use(shout))):
        found = await judge([each], Subject(place="input", text="hello"), ctx)
        assert found.text == "HELLO", found
    guard = Guard().use(to_validator(no_pii())(on_fail="fix"))
    guard.configure()
    assert guard.validate("ask ann@example.org").validated_output == "ask [email]"
    async def model(*args, messages, **more):
        return "hello"
    answer = await AsyncGuard().use(Shout(on_fail="fix"))(model, messages=[{"role": "user", "content": "hi"}])
    assert answer.validated_output == "HELLO", answer

asyncio.run(main())
import litellm
print("DONE", flush=True)
"""


@pytest.mark.parametrize("when", ["first", pytest.param("late", marks=pytest.mark.long)])
def test_importing_and_using_it_reaches_for_no_network(theirs: Any, tmp_path: Path, when: str) -> None:
    """Every name looked up and every connection tried is counted, to the end of the process, without its settings file.

    `late`: Guards were made and used before anybody asked for silence, and what they have to tell still waits.
    """
    script = tmp_path / "offline.py"
    script.write_text(OFFLINE, encoding="utf-8")
    environment = {"HOME": str(tmp_path), "PATH": "", "OTEL_BSP_SCHEDULE_DELAY": "50" if when == "first" else "60000"}

    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), when],
        env=environment, capture_output=True, text=True, timeout=100, cwd=tmp_path, check=False,
    )  # fmt: skip

    assert "DONE" in done.stdout, done.stderr[-2000:]
    assert done.stdout.strip().splitlines()[-1] == "CALLS []", done.stdout[-2000:]
