from __future__ import annotations

import pytest
from tests.router.anthropic_server import (
    AnthropicServer,
    block,
    end,
    events,
    says,
    start,
    text_block,
    thinking_block,
    tool_block,
    two_calls,
)
from tests.router.asking import calls_of
from tests.router.asking_anthropic import ask, deployment, settings_for
from tests.router.wire_server import Scripted, text
from tests.router.wire_server import WireServer as OpenAIServer

from segue.base.messages import assistant, tool_call, tool_result, user
from segue.router import (
    BrokenStream,
    Delta,
    DeploymentSettings,
    EndpointFailed,
    GenerationRequest,
    ReasoningDelta,
    Reset,
    Router,
    TextDelta,
    ToolCallDelta,
)
from segue.router.anthropic.deployment import AnthropicDeployment
from segue.router.build import named_model
from segue.router.catalogue import served_by

BOTH_CALLS = [("find_customer", {"email": "ann@müller.example"}), ("find_order", {"order_id": 1042})]


async def test_text_arrives_in_deltas_and_whole_with_usage_and_the_servers_model_name() -> None:
    deltas: list[Delta] = []
    async with AnthropicServer() as server:
        server.script(says("Grüß ", "Gott 🙂"))

        reply = await deployment(server).generate(GenerationRequest(messages=[user("hi")]), on_delta=deltas.append)

    assert deltas == [TextDelta("Grüß "), TextDelta("Gott 🙂")]
    assert reply.message["content"] == "Grüß Gott 🙂"
    assert reply.message["id"].startswith("msg_")
    assert (reply.usage.input_tokens, reply.usage.cached_tokens, reply.usage.output_tokens) == (100, 64, 20)
    assert (reply.model, reply.finish_reason) == ("claude-scripted-1", "stop")
    assert reply.first_token_s is not None


async def test_thinking_text_and_parallel_calls_become_one_message() -> None:
    deltas: list[Delta] = []
    async with AnthropicServer() as server:
        server.script(Scripted(body=events(*two_calls())))

        reply = await deployment(server).generate(GenerationRequest(messages=[user("hi")]), on_delta=deltas.append)

    assert calls_of(reply.message) == BOTH_CALLS
    assert [call["id"] for call in reply.message["tool_calls"]] == ["toolu_a", "toolu_b"]
    assert reply.message["content"] == "Zwei Blicke… 早 🙂"
    thought = {"type": "thinking", "thinking": "Hmm, früh 🙂", "signature": "sig==", "at": 0, "by": "claude"}
    assert reply.message["reasoning"] == [thought]
    assert (reply.finish_reason, reply.usage.reasoning_tokens) == ("tool_calls", 3)
    assert [delta.text for delta in deltas if isinstance(delta, ReasoningDelta)] == ["Hmm, ", "früh 🙂"]
    second = [delta for delta in deltas if isinstance(delta, ToolCallDelta) and delta.index == 1]
    assert [delta.name for delta in second] == ["find_order", "", ""]
    assert "".join(delta.arguments for delta in second) == '{"order_id": 1042}'


async def test_a_stream_cut_at_any_byte_is_whole_or_an_error_and_never_a_part() -> None:
    body = events(*two_calls())
    async with AnthropicServer() as server:
        server.replies.append(Scripted(body=body))
        model = deployment(server)
        whole: list[int] = []

        for cut_at in range(len(body) + 1):
            server.replies[0] = Scripted(body=body, cut_at=cut_at)
            try:
                reply = await model.generate(GenerationRequest(messages=[user("hi")]))
            except (BrokenStream, EndpointFailed):
                continue
            assert calls_of(reply.message) == BOTH_CALLS, f"cut at byte {cut_at}"
            assert reply.message["reasoning"][0]["signature"] == "sig=="
            whole.append(cut_at)
        await model.aclose()

    assert whole == [len(body)], "only what ends with message_stop is whole, and that even when the line drops then"


@pytest.mark.parametrize("left_out", [1, 2])
async def test_a_stream_that_ends_without_its_last_event_is_broken(left_out: int) -> None:
    async with AnthropicServer() as server:
        with pytest.raises(BrokenStream, match="without saying that it was whole"):
            await ask(server, Scripted(body=events(*two_calls()[:-left_out])))


async def test_a_server_that_does_not_hang_up_after_its_last_event_has_answered() -> None:
    body = events(start(), *text_block(0, "Hello"), *end())
    async with AnthropicServer() as server:
        reply = await ask(server, Scripted(body=body, stall_at=len(body)), idle_s=0.01)

    assert reply.message["content"] == "Hello"


@pytest.mark.parametrize(
    ("reason", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause_turn"),
    ],
)
async def test_each_stop_reason_has_its_finish_reason(reason: str, ours: str) -> None:
    async with AnthropicServer() as server:
        reply = await ask(server, says("x", reason=reason))

    assert reply.finish_reason == ours


async def test_a_call_that_the_token_limit_cut_off_is_left_out_and_other_broken_json_is_kept() -> None:
    calls = [*tool_block(0, "toolu_a", "f", '{"n": 1}'), *tool_block(1, "toolu_b", "g", '{"m": ')]
    async with AnthropicServer() as server:
        cut = await ask(server, Scripted(body=events(start(), *calls, *end("max_tokens"))))
        server.replies.clear()
        kept = await ask(server, Scripted(body=events(start(), *calls, *end("tool_use"))))

    assert [call["function"]["name"] for call in cut.message["tool_calls"]] == ["f"]
    assert [call["function"]["arguments"] for call in kept.message["tool_calls"]] == ['{"n": 1}', '{"m": ']


async def test_a_call_without_input_has_empty_arguments_and_a_taken_id_is_made_anew() -> None:
    before = [
        user("x"),
        assistant(None, [tool_call("f", {}, call_id="toolu_a")]),
        tool_result("toolu_a", "1", name="f"),
    ]
    async with AnthropicServer() as server:
        reply = await ask(
            server,
            Scripted(body=events(start(), *tool_block(0, "toolu_a", "f"), *end("tool_use"))),
            request={"messages": before},
        )

    (call,) = reply.message["tool_calls"]
    assert call["function"] == {"name": "f", "arguments": "{}"}
    assert call["id"] != "toolu_a"


async def test_thinking_goes_back_within_its_turn_to_the_deployment_that_wrote_it() -> None:
    stream = [
        start(),
        *thinking_block(0, "First.", signature="s1"),
        *block(1, {"type": "redacted_thinking", "data": "xyz"}),
        *tool_block(2, "toolu_a", "f", "{}"),
        *thinking_block(3, "Then.", signature="s2"),
        *tool_block(4, "toolu_b", "f", "{}"),
        *end("tool_use"),
    ]
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    async with AnthropicServer() as server, OpenAIServer() as other:
        server.script(Scripted(body=events(*stream)), says("done"))
        other.script(text("done"))
        model = deployment(server)
        asked = [user("hi")]
        reply = await model.generate(GenerationRequest(messages=asked, extra=thinking))
        results = [tool_result(call["id"], "ok", name="f") for call in reply.message["tool_calls"]]
        history = [*asked, reply.message, *results]

        await model.generate(GenerationRequest(messages=history, extra=thinking))
        await model.generate(GenerationRequest(messages=[*history, assistant("ok"), user("more")], extra=thinking))
        await deployment(server, name="another").generate(GenerationRequest(messages=history, extra=thinking))
        route = Router(deployments={"o": DeploymentSettings(endpoint=other.url, model="m")})
        await route.generate(GenerationRequest(messages=history))
        await route.aclose()

    within, after, elsewhere = server.bodies[1:]
    kinds = [[part["type"] for part in body["messages"][1]["content"]] for body in (within, after, elsewhere)]
    assert kinds[0] == ["thinking", "redacted_thinking", "tool_use", "thinking", "tool_use"]
    assert within["messages"][1]["content"][0] == {"type": "thinking", "thinking": "First.", "signature": "s1"}
    assert within["messages"][1]["content"][1] == {"type": "redacted_thinking", "data": "xyz"}
    assert within["thinking"] == thinking["thinking"]
    assert kinds[1] == ["tool_use", "tool_use"]
    assert kinds[2] == ["tool_use", "tool_use"]
    assert "thinking" not in elsewhere, "a turn that another has begun cannot go on thinking"
    assert "reasoning" not in str(other.bodies[0])


async def test_a_route_goes_on_from_a_broken_answer_to_another_kind_of_server_and_takes_back_what_it_showed() -> None:
    deltas: list[Delta] = []
    cut = Scripted(body=events(*two_calls()), cut_at=len(events(*two_calls())) - 20)
    async with AnthropicServer() as server, OpenAIServer() as other:
        server.script(cut)
        other.script(text("whole"))
        router = Router(
            deployments={
                "claude": settings_for(server),
                "spare": DeploymentSettings(endpoint=other.url, model="m"),
            }
        )
        found = await router.generate(GenerationRequest(messages=[user("hi")]), on_delta=deltas.append)
        await router.aclose()

    assert (found.deployment, found.message["content"]) == ("spare", "whole")
    assert "tool_calls" not in found.message
    assert [attempt.outcome for attempt in found.attempts] == ["broken_stream", "ok"]
    (at,) = [place for place, delta in enumerate(deltas) if isinstance(delta, Reset)]
    assert deltas[at + 1 :] == [TextDelta("whole")]


async def test_a_claude_is_named_with_its_engine_and_priced_by_its_url() -> None:
    settings = named_model("anthropic:claude-sonnet-4-5")
    assert settings is not None
    assert (settings.api_key, settings.url) == ("env:ANTHROPIC_API_KEY", "https://api.anthropic.com/v1")

    model = Router(deployments={"claude": settings}).deployments["claude"]

    assert isinstance(model, AnthropicDeployment)
    assert await model.quote(1_000_000, 0) == pytest.approx(6.0)  # the price of long prompts
    assert await model.quote(1_000, 1_000) == pytest.approx((3 + 15) / 1000)


async def test_models_are_listed() -> None:
    async with AnthropicServer() as server:
        served = await served_by(
            settings_for(server, api_key="env:K"), name="claude", environ={"K": "sk-1234"}, timeout_s=5
        )

    assert served.models == ("scripted",)
    assert server.requests[0].headers["x-api-key"] == "sk-1234"
    assert server.requests[0].path == "/v1/models?limit=1000"
