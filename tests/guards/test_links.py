"""Foreign links: every way that a renderer might find one, and text that holds none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segue.base.errors import UserError
from segue.context import Allow, Block, Rewrite, RunContext
from segue.guards import Subject, judge, no_foreign_links

ALLOW = ["ok.example", "*.sub.example"]
FOREIGN = [
    "![a](https://evil.test/?q=1)",
    "[a](https://evil.test)",
    "[a](<https://evil.test/x y> 'title')",
    "[a][1]\n\n[1]: https://evil.test/x 'title'",
    "- [a]: //evil.test\n",
    "[a]:\nhttps://evil.test\n",
    "<https://evil.test/?q=a>",
    "https://evil.test",
    "HTTPS://EVIL.TEST",
    "www.evil.test/x",
    "[x](//evil.test)",
    "[x]( //evil.test )",
    "![x](\n//evil.test)",
    "[a [b]](//evil.test)",
    "[![i](https://evil.test/i.png)](https://ok.example)",
    "![x](https:/evil.test/)",
    "[x](\\\\evil.test/a)",
    "[x](/\\/evil.test)",
    "[x](https\\://evil.test)",
    "![x](https&#58;//evil.test/a)",
    "![x](https://evil。test/a)",
    "![x](https://ok.example@evil.test/a)",
    "![x](https://ok.example\\@evil.test/a)",
    "![x](https://ok%2eexample%40evil.test)",
    "https://ok.example.evil.test/",
    "https://evil.test?ok.example",
    "[x](javascript:alert('evil.test'))",
    "[x](data:text/html,evil.test)",
    "<img src=//evil.test/a>",
    "<img src=https://evil.test/x",
    "<img/src='//evil.test/x'>",
    "<IMG SRC='https:\\\\evil.test/a'>",
    '<img src="ht\ntps://evil.test">',
    '<img alt=">" src=//evil.test/a>',
    "<img srcset='a.png 1x, https://evil.test/b 2x'>",
    "<a href='java&#115;cript:evil.test'>x</a>",
    "<div style='background:url(https://evil.test/a)'>",
    "<meta http-equiv=refresh content='0;url=https://evil.test'>",
    "<svg><image xlink:href='//evil.test'/></svg>",
    "<form action=//evil.test>",
    "@import 'https://evil.test/x.css'",
]
HARMLESS = [
    "[a](https://ok.example/x?y=1)",
    "see (https://ok.example).",
    "[![i](https://ok.example/i.png)](https://OK.example:8443)",
    "https://a.sub.example and www.a.sub.example",
    "![a](/local.png) [b](#place) [c](page.html)",
    "mail ann@ok.example or <a href='mailto:ann@ok.example'>write</a>",
    "![dot](data:image/png;base64,AAAA)",
    "a < b and c > d, 3 // 4, f(x)[0](y)",
    "data: 5 items; file: report.txt; javascript: a language",
    "text [1] and [2]: see the note",
    "<b>bold</b><br/>",
]


async def verdict(ctx: RunContext[Any], text: str, **options: Any) -> Any:
    rail = no_foreign_links(ALLOW, **options)
    return (await judge([rail], Subject(place="output", text=text), ctx)).verdict


@pytest.mark.parametrize("text", FOREIGN)
async def test_a_foreign_link_is_taken_out(ctx: RunContext[Any], text: str) -> None:
    said = await verdict(ctx, text)

    assert isinstance(said, Rewrite)
    assert "evil" not in said.value.lower()
    assert "[link removed]" in said.value


@pytest.mark.parametrize("text", HARMLESS)
async def test_other_text_is_left_alone(ctx: RunContext[Any], text: str) -> None:
    assert await verdict(ctx, text) == Allow()


async def test_the_words_of_a_link_stay(ctx: RunContext[Any]) -> None:
    said = await verdict(ctx, "Read [the rules](https://evil.test/r), or [ours](https://ok.example).")

    assert said.value == "Read the rules [link removed], or [ours](https://ok.example)."


async def test_a_host_below_is_not_allowed_by_the_host_above(ctx: RunContext[Any]) -> None:
    assert isinstance(await verdict(ctx, "https://a.ok.example"), Rewrite)
    assert isinstance(await verdict(ctx, "https://sub.example"), Rewrite)


async def test_a_foreign_link_may_block_instead(ctx: RunContext[Any]) -> None:
    said = await verdict(ctx, "https://evil.test", action="block")

    assert isinstance(said, Block)
    assert "evil" not in said.reason


def test_an_address_is_no_host() -> None:
    with pytest.raises(UserError, match=r"'https://x\.example' is no host; write example\.com"):
        no_foreign_links(["https://x.example"])


PARTS = st.sampled_from([*FOREIGN, *HARMLESS, "](", "[", ")", "<", ">", "!", "https://", "//", "\\", "evil.test", " "])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(PARTS, max_size=5))
async def test_what_was_taken_out_once_leaves_nothing_to_take_out(ctx: RunContext[Any], parts: list[str]) -> None:
    said = await verdict(ctx, "".join(parts))

    if isinstance(said, Rewrite):
        assert await verdict(ctx, said.value) == Allow()
    else:
        assert said == Allow() or isinstance(said, Block)
