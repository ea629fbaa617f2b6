"""What a generation may come to: lengths that are learned, prices of the dearest, the longest context."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.base.messages import assistant, user
from segue.base.usage import Usage
from segue.router import GenerationRequest, PriceSettings, Reply, RouterCore, RouteSettings
from segue.router.deployment import Deployment
from segue.router.forecast import Lengths
from segue.router.prices import Prices


class Told(Deployment):
    """A model that takes what it is told to take."""

    def __init__(self, name: str, price: tuple[float, float] | None = (0.0, 0.0), **more: Any) -> None:
        self.name = self.model = name
        self.price = price
        self.usage = Usage(input_tokens=10, output_tokens=10, model_calls=1)
        for key, value in more.items():
            setattr(self, key, value)

    async def quote(self, input_tokens: int, output_tokens: int) -> float | None:
        return None if self.price is None else input_tokens * self.price[0] + output_tokens * self.price[1]

    async def generate(self, request: GenerationRequest, **more: Any) -> Reply:
        return Reply(message=assistant("hi"), usage=self.usage)


def route(*deployments: Told, **more: Any) -> RouterCore:
    names = tuple(each.name for each in deployments)
    return RouterCore(
        deployments={each.name: each for each in deployments},
        routes={"default": RouteSettings(deployments=names, **more)},
    )


def asked(speaker: str, estimate: int = 0) -> GenerationRequest:
    return GenerationRequest(messages=[user("hi")], speaker=speaker, input_estimate=estimate)


async def test_the_length_of_answers_is_learned_by_speaker() -> None:
    model = Told("m")
    core = route(model)
    for output in [100] * 57 + [900] * 7:
        model.usage = Usage(output_tokens=output, model_calls=1)
        await core.generate(asked("writer"))

    writer = await core.forecast(speaker="writer", input_tokens=10)
    other = await core.forecast(speaker="other", input_tokens=10)

    assert writer.typical_output_tokens == 900
    assert other.typical_output_tokens == 1024


async def test_input_is_taken_for_what_servers_counted_for_it_and_never_for_less() -> None:
    model = Told("m")
    core = route(model)
    model.usage = Usage(input_tokens=50, model_calls=1)
    await core.generate(asked("a", estimate=100))
    assert (await core.forecast(input_tokens=100)).input_tokens == 100

    model.usage = Usage(input_tokens=150, model_calls=1)
    await core.generate(asked("a", estimate=100))

    assert (await core.forecast(input_tokens=100)).input_tokens == 150


async def test_the_dearest_deployment_sets_the_price_and_those_without_one_are_named() -> None:
    core = route(Told("cheap", (1e-6, 2e-6)), Told("dear", (3e-6, 1e-5)), Told("unknown", None))

    found = await core.forecast(input_tokens=1000, priced=True)
    free = await core.forecast(input_tokens=1000)

    assert found.cost_usd(500) == pytest.approx(0.003 + 0.005)
    assert found.unpriced == ("unknown",)
    assert free.cost_usd(500) == 0.0


async def test_a_cap_holds_where_the_request_the_route_or_every_deployment_has_one() -> None:
    capped, free = Told("capped", max_output_tokens=300), Told("free")

    assert (await route(capped).forecast(input_tokens=1)).max_output_tokens == 300
    assert (await route(capped, free).forecast(input_tokens=1)).max_output_tokens is None
    assert (await route(free, max_output_tokens=70).forecast(input_tokens=1)).max_output_tokens == 70
    assert (await route(capped).forecast(input_tokens=1, max_output_tokens=20)).max_output_tokens == 20


async def test_the_longest_context_of_a_route_is_told() -> None:
    core = route(Told("short", context_tokens=4_000), Told("long", context_tokens=32_000), Told("unknown"))

    assert (await core.forecast(input_tokens=1)).context_tokens == 32_000
    assert await core.context_tokens() == 32_000
    assert await route(Told("unknown")).context_tokens() is None
    assert (await route(Told("unknown")).forecast(input_tokens=1)).context_tokens is None


async def test_a_quote_is_by_the_settings_or_by_the_table_and_unknown_on_loopback() -> None:
    settings = PriceSettings(input_usd_per_mtok=1.0, output_usd_per_mtok=4.0)

    assert await Prices("https://api.example.org/v1", settings).quote(1_000_000, 500_000, "m") == pytest.approx(3.0)
    assert await Prices("http://127.0.0.1:8000/v1", None).quote(10, 10, "m") is None
    assert (await Prices("https://api.openai.com/v1", None).quote(1_000, 1_000, "gpt-4o") or 0) > 0


@given(st.lists(st.integers(0, 50), min_size=1, max_size=200))
def test_what_answers_typically_take_is_that_of_the_last_64(tokens: list[int]) -> None:
    lengths = Lengths()
    for each in tokens:
        lengths.learn("mock", "a", estimate=0, usage=Usage(output_tokens=each))
    last = sorted(tokens[-64:])

    assert lengths.typical(["mock"], "a") == max(1, last[min(len(last) - 1, int(len(last) * 0.95))])
    assert lengths.typical(["mock", "other"], "a") == lengths.typical(["mock"], "a")
    assert lengths.usual(["mock"], "a") == sum(last) / len(last)
