"""Chunks are whole lines: what a citation names is what stands there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segue.memory.documents import cut

PAGE = """# Returns

Intro line one.
Intro line two.

## Damaged goods

A damaged item is refunded within 30 days.

```
# not a heading

code
```

### Who approves

| amount | who |
| --- | --- |
| 50 | agent |

## Exchange
No blank line before me.
"""


def test_a_chunk_carries_the_headings_above_it() -> None:
    headings = [chunk.heading for chunk in cut(PAGE)]

    assert headings == [
        "Returns",
        "Returns > Damaged goods",
        "Returns > Damaged goods > Who approves",
        "Returns > Exchange",
    ]


def test_a_heading_inside_a_fenced_block_is_text() -> None:
    damaged = cut(PAGE)[1]

    assert "# not a heading" in damaged.text
    assert (damaged.start_line, damaged.end_line) == (6, 14)


def test_a_heading_stands_in_the_chunk_of_the_text_below_it() -> None:
    chunks = cut("# A\n## B\n\ntext\n")

    assert [(chunk.text, chunk.start_line, chunk.end_line) for chunk in chunks] == [("# A\n## B\n\ntext", 1, 4)]


def test_a_long_section_is_cut_between_paragraphs() -> None:
    text = "# Long\n\n" + "\n\n".join(f"Paragraph {number} " + "word " * 50 for number in range(12))

    chunks = cut(text, max_chars=800)

    assert len(chunks) > 3
    assert all(len(chunk.text) <= 800 for chunk in chunks)
    assert all(chunk.text.split("\n")[0].startswith(("#", "Paragraph")) for chunk in chunks)


def test_a_long_list_is_cut_between_its_lines() -> None:
    text = "\n".join(f"- item {number} " + "x" * 60 for number in range(60))

    chunks = cut(text, max_chars=800)

    assert len(chunks) >= 5
    assert "\n".join(chunk.text for chunk in chunks) == text


def test_an_empty_page_has_no_chunks() -> None:
    assert cut("") == []
    assert cut(" \n\n\t\n") == []


lines = st.one_of(
    st.sampled_from(["", "  ", "# A", "## B b", "### C", "```", "~~~", "- item", "| a | b |", "#nohash", "    # code"]),
    st.text(alphabet=st.characters(exclude_characters="\n\r"), max_size=120),
)


@given(st.lists(lines, max_size=60), st.integers(min_value=40, max_value=900))
def test_every_chunk_is_the_lines_it_cites_and_no_visible_line_is_lost(page: list[str], max_chars: int) -> None:
    chunks = cut("\n".join(page), max_chars=max_chars)

    cited: set[int] = set()
    for chunk in chunks:
        assert chunk.text == "\n".join(page[chunk.start_line - 1 : chunk.end_line])
        assert not cited & set(range(chunk.start_line, chunk.end_line + 1))
        cited |= set(range(chunk.start_line, chunk.end_line + 1))
    assert {number for number, line in enumerate(page, start=1) if line.strip()} <= cited
    assert [chunk.start_line for chunk in chunks] == sorted(chunk.start_line for chunk in chunks)
