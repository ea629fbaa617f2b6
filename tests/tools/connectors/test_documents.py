"""The documents' tools: passages with citations, sources at the line, and no way out of the folder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from segue.base.errors import UserError
from segue.tools.connectors.documents import Documents, PageProblem
from segue.tools.connectors.passages import MAX_READ_LINES

Call = Callable[..., Awaitable[Any]]


@pytest.fixture
def handbook(tmp_path: Path) -> Documents:
    folder = tmp_path / "handbook"
    folder.mkdir()
    (folder / "returns.md").write_text(
        "# Returns\n\nWithin 30 days.\n\n## Damaged\n\nRefunded at once.\n", encoding="utf-8"
    )
    (folder / "long.txt").write_text("".join(f"line {number}\n" for number in range(1, 501)), encoding="utf-8")
    (tmp_path / "secret.md").write_text("secret", encoding="utf-8")
    return Documents(folder, index=tmp_path / "index.db")


async def test_a_search_gives_passages_with_citations(handbook: Documents, call: Call) -> None:
    found = await call(handbook.search, query="damaged, when is it refunded?")

    assert found.startswith("[handbook/returns.md:5-7] Returns > Damaged\n## Damaged\n\nRefunded at once.")


async def test_a_search_without_an_answer_says_so(handbook: Documents, call: Call) -> None:
    found = await call(handbook.search, query="quantum chromodynamics")

    assert found == "no passage of handbook has anything to do with this query"


def test_the_tools_are_named_after_the_folder_and_say_what_is_in_it(handbook: Documents) -> None:
    read, search = handbook.tools()

    assert (read.name, search.name) == ("read_handbook", "search_handbook")
    assert "Pages: long, Returns." in search.description
    assert search.parameters["required"] == ["query"]
    assert {read.effect, search.effect} == {"read"}


@pytest.mark.parametrize("path", ["handbook/returns.md", "returns.md", "[handbook/returns.md:5-7]"])
async def test_a_source_is_opened_at_the_line(handbook: Documents, call: Call, path: str) -> None:
    page = await call(handbook.read, path=path, start_line=5, end_line=7)

    assert page["text"] == "## Damaged\n\nRefunded at once."
    assert (page["citation"], page["line_count"]) == ("[handbook/returns.md:5-7]", 7)


async def test_a_long_page_is_given_in_parts(handbook: Documents) -> None:
    page = await handbook.lines("long.txt", 10)

    assert page.text.split("\n")[0] == "line 10"
    assert len(page.text.split("\n")) == MAX_READ_LINES
    assert page.note == f"go on at line {10 + MAX_READ_LINES}"


@pytest.mark.parametrize(
    "path",
    ["../secret.md", "handbook/../../secret.md", "/etc/passwd", "..\\secret.md", "returns.md/../../secret.md", "", "."],
)
async def test_no_path_leads_out_of_the_folder(handbook: Documents, path: str) -> None:
    with pytest.raises(PageProblem, match="no page"):
        await handbook.lines(path)


async def test_a_page_spelled_wrongly_is_answered_with_the_near_one(handbook: Documents, call: Call) -> None:
    assert "did you mean returns.md?" in await call(handbook.read, path="handbook/return.md")
    assert "has 7 lines, so it has no line 90" in await call(handbook.read, path="returns.md", start_line=90)


async def test_a_missing_folder_is_found_out_at_first_use_and_named_in_full(tmp_path: Path) -> None:
    documents = Documents(tmp_path / "nope", index=tmp_path / "index.db")

    assert documents.search.name == "search_nope"
    with pytest.raises(UserError) as caught:
        await documents.find("x")
    assert str(tmp_path / "nope") in str(caught.value)


async def test_a_relative_folder_is_below_the_current_one(
    handbook: Documents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    found = await Documents("handbook/").find("damaged")

    assert found[0].citation == "[handbook/returns.md:5-7]"
    assert (tmp_path / ".segue" / "documents.db").is_file()
