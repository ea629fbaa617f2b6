"""The model is chosen first: by rules of the route, and by what its deployments can."""

from __future__ import annotations

from typing import Any

import pytest
from tests.router.test_router import Says

from segue.base.errors import ConfigError
from segue.base.messages import Message, user
from segue.router import Deployment, GenerationRequest, RouterCore, RouterSettings, RouteSettings
from segue.router.difficulty import difficulty
from segue.router.errors import CannotServe
from segue.router.settings import RuleSettings

TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}
PICTURE: Message = {
    "role": "user",
    "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}],
}
HARD = """Compare these two designs and explain why one is better, step by step:
1. a queue in the database
2. a queue in memory
```python
def take(): ...
```
What are the trade-offs? Which would you choose? Then plan the migration."""


def says(name: str, *, context: int | None = None, **can: bool) -> Deployment:
    found = Says(name, context=context)
    found.can = can
    return found


def core(*rules: RuleSettings, difficulty: Any = None) -> RouterCore:
    routes = {
        "default": RouteSettings(deployments=("small",), rules=rules),
        "other": RouteSettings(deployments=("large",)),
    }
    held = {"small": says("small"), "large": says("large")}
    return RouterCore(deployments=held, routes=routes, difficulty=difficulty)


async def chosen(held: RouterCore, *messages: Message, **more: Any) -> str:
    found = await held.generate(GenerationRequest(messages=list(messages) or [user("hi")], **more))
    return found.deployment


@pytest.mark.parametrize(
    ("rule", "fits", "does_not"),
    [
        ({"tools": True}, {"tools": (TOOL,)}, {}),
        ({"tools": False}, {}, {"tools": (TOOL,)}),
        ({"min_input_tokens": 1000}, {"input_estimate": 1000}, {"input_estimate": 999}),
        ({"max_input_tokens": 1000}, {"input_estimate": 1000}, {"input_estimate": 1001}),
        ({"speakers": ("plan*", "judge")}, {"speaker": "planner"}, {"speaker": "desk"}),
        ({"speakers": ("plan*",), "tools": True}, {"speaker": "planner", "tools": (TOOL,)}, {"speaker": "planner"}),
    ],
)
async def test_a_rule_applies_where_all_of_it_does(
    rule: dict[str, Any], fits: dict[str, Any], does_not: dict[str, Any]
) -> None:
    held = core(RuleSettings(route="other", **rule))

    assert await chosen(held, **fits) == "large"
    assert await chosen(held, **does_not) == "small"


async def test_the_first_rule_that_applies_decides_and_the_trace_says_which() -> None:
    held = core(RuleSettings(route="default", tools=True), RuleSettings(route="other"))

    assert await chosen(held, tools=(TOOL,)) == "small"
    found = await held.generate(GenerationRequest(messages=[user("hi")]))
    assert found.deployment == "large"
    assert "by rule 2 of 'default'" in found.why


async def test_pictures_go_by_their_rule() -> None:
    held = core(RuleSettings(route="other", images=True))

    assert await chosen(held, PICTURE) == "large"
    assert await chosen(held) == "small"


async def test_difficult_requests_go_to_the_larger_model() -> None:
    held = core(RuleSettings(route="other", min_difficulty=0.5))

    assert await chosen(held, user(HARD)) == "large"
    assert await chosen(held, user("Good morning!")) == "small"


async def test_who_knows_better_says_how_difficult_it_is() -> None:
    held = core(RuleSettings(route="other", min_difficulty=0.5), difficulty=lambda request: 0.9)

    assert await chosen(held) == "large"


def test_difficulty_is_between_nothing_and_all_and_grows() -> None:
    def of(text: str) -> float:
        return difficulty(GenerationRequest(messages=[user(text)]))

    assert 0 <= of("") < of("Hello!") + 0.01 < of("Why is the sky blue?") < of(HARD) < of(HARD * 20) < 1


async def test_where_the_route_of_a_rule_fails_the_one_asked_for_answers() -> None:
    held = core(RuleSettings(route="other"))
    held.deployments["large"].failures = iter(["half"] * 3)  # type: ignore[attr-defined]

    assert await chosen(held) == "small"


async def test_who_cannot_is_left_out_before_anybody_is_asked() -> None:
    blind, sees = says("blind", images=False), says("sees")
    held = RouterCore(deployments={"blind": blind, "sees": sees})

    assert await chosen(held, PICTURE) == "sees"
    assert await chosen(held) == "blind"
    assert len(blind.asked) == 1  # type: ignore[attr-defined]


async def test_a_long_conversation_goes_where_it_fits() -> None:
    held = RouterCore(deployments={"short": says("short", context=1000), "long": says("long", context=100_000)})

    assert await chosen(held, input_estimate=5000) == "long"
    assert await chosen(held, input_estimate=900) == "short"


async def test_where_nobody_can_the_error_says_of_each_what_it_lacks() -> None:
    held = RouterCore(deployments={"a": says("a", images=False), "b": says("b", context=10)})

    with pytest.raises(CannotServe) as caught:
        await chosen(held, PICTURE, input_estimate=5000)

    assert "'a' takes no images" in str(caught.value)
    assert "'b' takes 10 tokens, and the conversation is about 5000" in str(caught.value)
    assert "`images`" in caught.value.way_out
    assert set(caught.value.lacking) == {"a", "b"}


def test_a_rule_for_no_route_is_named() -> None:
    tables = {"deployments": {"a": {"model": "m"}}, "routes": {"r": {"deployments": ["a"], "rules": [{"route": "x"}]}}}

    with pytest.raises(ConfigError, match="rule for no route 'x'"):
        RouterSettings.from_tables(tables)
