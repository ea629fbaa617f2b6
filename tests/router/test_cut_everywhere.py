"""A recorded answer that is cut or stalled at any byte: the next deployment answers, whole, and nothing twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable

import pytest
from tests.router.recorded_answer import BODY, WHOLE_AT, Pair, check, paired
from tests.router.wire_server import Scripted

from segue.router import BrokenStream, EndpointFailed, NoDeploymentLeft


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with paired() as both:
        yield both


def dropped(at: int) -> Scripted:
    return Scripted(body=BODY, cut_at=at)


def ended(at: int) -> Scripted:
    return Scripted(body=BODY[:at])


def closed(at: int) -> Scripted:
    """As servers of HTTP/1.0 answer: the end of the connection is the end of the answer."""
    return Scripted(body=b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + BODY[:at], raw=True)


def promised(at: int) -> Scripted:
    """Fewer bytes than the head says."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {len(BODY)}\r\n\r\n"
    return Scripted(body=head.encode() + BODY[:at], raw=True)


def bytewise(at: int) -> Scripted:
    return Scripted(body=BODY, cut_at=at, piece=1)


Cut = Callable[[int], Scripted]


def test_the_recorded_answer_is_one_to_cut() -> None:
    assert 1500 < len(BODY) < 2400
    assert len(BODY) > len(BODY.decode())
    assert max(map(ord, BODY.decode())) > 0xFFFF


async def failing_over(pair: Pair, cut: Cut, offsets: Iterable[int]) -> None:
    for at in offsets:
        found, deltas = await pair.ask(cut(at), "a", "b")
        check(found, deltas, at)
        if at <= WHOLE_AT:
            assert [each.deployment for each in found.attempts] == ["a", "b"], at
        if at == len(BODY):
            assert [each.deployment for each in found.attempts] == ["a"], at


@pytest.mark.parametrize("cut", [dropped, ended])
async def test_cut_at_any_byte_the_next_deployment_answers_whole(pair: Pair, cut: Cut) -> None:
    await failing_over(pair, cut, range(len(BODY) + 1))


@pytest.mark.long
@pytest.mark.parametrize("cut", [closed, promised, bytewise])
async def test_cut_in_other_ways_at_any_byte_the_next_deployment_answers_whole(pair: Pair, cut: Cut) -> None:
    await failing_over(pair, cut, range(0, len(BODY) + 1, 5 if cut is bytewise else 1))


@pytest.mark.parametrize("cut", [closed, promised, bytewise])
async def test_cut_in_other_ways_here_and_there_the_next_deployment_answers_whole(pair: Pair, cut: Cut) -> None:
    await failing_over(pair, cut, [*range(0, len(BODY), 97), WHOLE_AT, len(BODY) - 1, len(BODY)])


async def without_another(pair: Pair, cut: Cut, offsets: Iterable[int]) -> None:
    for at in offsets:
        failed: NoDeploymentLeft | None = None
        try:
            found, deltas = await pair.ask(cut(at), "a")
        except NoDeploymentLeft as error:
            failed = error
        else:
            assert at > WHOLE_AT, at
            check(found, deltas, at)
        if failed is not None:
            assert at < len(BODY), at
            assert isinstance(failed.errors[0], BrokenStream | EndpointFailed), at
            assert "deployment 'a'" in str(failed), at
            assert [each.deployment for each in failed.attempts] == ["a", "a"], at


@pytest.mark.parametrize("cut", [dropped, ended])
async def test_cut_at_any_byte_without_another_deployment_is_a_typed_error(pair: Pair, cut: Cut) -> None:
    await without_another(pair, cut, range(len(BODY) + 1))


@pytest.mark.long
@pytest.mark.parametrize("cut", [dropped, ended, closed, promised])
async def test_cut_in_any_way_at_any_byte_without_another_deployment_is_a_typed_error(pair: Pair, cut: Cut) -> None:
    await without_another(pair, cut, range(len(BODY) + 1))


async def test_stalled_after_any_event_the_next_deployment_answers_whole(pair: Pair) -> None:
    ends = [0, *(at + 2 for at in range(len(BODY)) if BODY[at : at + 2] == b"\n\n")]
    for at in sorted({max(0, end + by) for end in ends[:-2] for by in (-1, 0, 1)}):
        found, deltas = await pair.ask(Scripted(body=BODY, stall_at=at), "a", "b", first_token_s=0.02, idle_s=0.02)
        check(found, deltas, at)
        assert found.attempts[0].outcome in ("timeout", "broken_stream", "ok"), at
