"""A folder that is searched: citations point at real lines, changes are noticed, tenants are kept apart."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segue.base.errors import StoreError
from segue.memory.documents import Collection, HashingEmbedder, PassageFilter, SqliteIndex
from segue.memory.documents.terms import query_terms, terms

PAGES = {
    "returns.md": "# Returns\n\nAn item may be sent back within 30 days.\n\n## Damaged goods\n\n"
    "A damaged item is refunded without a return up to EUR 100.\n",
    "shipping.md": "# Shipping\n\nParcels to Sweden take four days and cost EUR 6.90.\n",
    "deep/privacy.md": "# Privacy\n\nA customer who asks to be forgotten is erased within one month.\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in PAGES.items():
        file = tmp_path / "handbook" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path / "handbook"


@pytest.fixture
def collection(folder: Path, tmp_path: Path) -> Collection:
    return Collection(folder, SqliteIndex(tmp_path / "index.db"))


async def test_a_passage_cites_the_very_lines_that_it_quotes(collection: Collection, folder: Path) -> None:
    best = (await collection.search("refund a damaged item"))[0]

    assert best.citation == "[handbook/returns.md:5-7]"
    assert best.heading == "Returns > Damaged goods"
    lines = (folder.parent / best.path).read_text(encoding="utf-8").split("\n")
    assert best.text == "\n".join(lines[best.start_line - 1 : best.end_line])


async def test_inflected_and_misspelt_words_find_the_page(collection: Collection) -> None:
    inflected = await collection.search("forgetting customers")
    misspelt = await collection.search("shiping parcells swedan")

    assert inflected[0].path == "handbook/deep/privacy.md"
    assert misspelt[0].path == "handbook/shipping.md"


async def test_a_question_about_something_else_finds_nothing(collection: Collection) -> None:
    assert await collection.search("quantum chromodynamics") == []
    assert await collection.search("") == []


async def test_a_filter_narrows_by_path(collection: Collection) -> None:
    wanted = PassageFilter(paths=("handbook/deep/*",))

    found = await collection.search("item customer parcel", filter=wanted)

    assert {passage.path for passage in found} == {"handbook/deep/privacy.md"}


async def test_a_refresh_takes_up_changed_new_and_removed_files(collection: Collection, folder: Path) -> None:
    first = await collection.refresh()
    (folder / "returns.md").write_text("# Returns\n\nWindmills are never refunded.\n", encoding="utf-8")
    (folder / "new.md").write_text("# Giraffes\n\nWe sell giraffes.\n", encoding="utf-8")
    (folder / "shipping.md").unlink()

    second = await collection.refresh()

    assert (first.added, first.changed, first.removed, first.unchanged) == (3, 0, 0, 0)
    assert (second.added, second.changed, second.removed, second.unchanged) == (1, 1, 1, 1)
    assert (await collection.search("windmills"))[0].path == "handbook/returns.md"
    assert (await collection.search("giraffes"))[0].path == "handbook/new.md"
    assert all(passage.path != "handbook/shipping.md" for passage in await collection.search("parcels to Sweden"))


async def test_an_unchanged_folder_is_neither_read_nor_embedded_again(folder: Path, tmp_path: Path) -> None:
    embedder = CountingEmbedder()
    await Collection(folder, SqliteIndex(tmp_path / "index.db"), embedder=embedder).refresh()
    before = embedder.texts

    again = await Collection(folder, SqliteIndex(tmp_path / "index.db"), embedder=embedder).refresh()

    assert before == 4
    assert embedder.texts == before
    assert again.unchanged == 3


async def test_a_file_with_a_new_time_and_the_same_bytes_is_not_embedded_again(folder: Path, tmp_path: Path) -> None:
    embedder = CountingEmbedder()
    collection = Collection(folder, SqliteIndex(tmp_path / "index.db"), embedder=embedder)
    await collection.refresh()
    os.utime(folder / "returns.md", ns=(1, 1))

    report = await collection.refresh()

    assert embedder.texts == 4
    assert (report.changed, report.unchanged) == (0, 3)
    assert (await collection.sources())["handbook/returns.md"].mtime_ns == 1


async def test_two_machines_whose_copies_have_other_times_do_not_write_in_turns(collection: Collection) -> None:
    await collection.refresh()
    theirs = replace((await collection.sources())["handbook/returns.md"], mtime_ns=7)
    await collection.index.touch(collection.scope, theirs)

    report = await collection.refresh()

    assert report.unchanged == 3
    assert (await collection.sources())["handbook/returns.md"].mtime_ns == 7


async def test_another_embedder_makes_every_vector_anew(folder: Path, tmp_path: Path) -> None:
    index = SqliteIndex(tmp_path / "index.db")
    await Collection(folder, index).refresh()

    report = await Collection(folder, index, embedder=HashingEmbedder(256)).refresh()

    assert report.changed == 3


async def test_one_tenant_does_not_find_what_another_indexed(folder: Path, tmp_path: Path) -> None:
    index = SqliteIndex(tmp_path / "index.db")
    acme = Collection(folder, index, tenant="acme")
    await acme.refresh()
    other = Collection(folder, index, tenant="other")
    vector = (await other.embedder.embed(["damaged item"]))[0]

    found = await index.search(other.scope, "damaged item", vector, k=5)

    assert found == []
    assert await acme.search("damaged item")


async def test_many_searches_at_once_index_the_folder_once(folder: Path, tmp_path: Path) -> None:
    embedder = CountingEmbedder()
    collection = Collection(folder, SqliteIndex(tmp_path / "index.db"), embedder=embedder)

    answers = await asyncio.gather(*(collection.search("damaged item") for _ in range(20)))

    assert {answer[0].citation for answer in answers} == {"[handbook/returns.md:5-7]"}
    assert embedder.texts == 4 + 20


async def test_many_collections_on_one_new_file_write_side_by_side(folder: Path, tmp_path: Path) -> None:
    twins = [Collection(folder, SqliteIndex(tmp_path / "index.db")) for _ in range(8)]

    await asyncio.gather(*(twin.refresh() for twin in twins))

    answers = [await twin.search("damaged item", k=20) for twin in twins]
    assert all(answer == answers[0] for answer in answers)
    assert len({passage.citation for passage in answers[0]}) == len(answers[0]) > 0


def test_a_collection_works_over_two_event_loops(collection: Collection) -> None:
    first = asyncio.run(collection.search("damaged item"))
    second = asyncio.run(collection.search("damaged item"))

    assert first == second


async def test_an_index_deleted_behind_our_back_is_built_again(collection: Collection, tmp_path: Path) -> None:
    await collection.search("damaged item")
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / f"index.db{suffix}").unlink(missing_ok=True)

    await collection.refresh()

    assert (await collection.search("damaged item"))[0].citation == "[handbook/returns.md:5-7]"


async def test_a_file_that_is_no_index_says_which_one_and_what_to_do(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "index.db").write_text("this is no database" * 100, encoding="utf-8")

    with pytest.raises(StoreError, match=r"index\.db.*can be deleted"):
        await Collection(folder, SqliteIndex(tmp_path / "index.db")).search("x")


async def test_notes_name_the_files_that_could_not_be_read(collection: Collection, folder: Path) -> None:
    (folder / "scan.txt").write_bytes(b"\x00\x01")

    first, second = await collection.refresh(), await collection.refresh()

    assert first.notes == ("scan.txt: not read: it holds binary data",)
    assert second.notes == first.notes


@given(st.text(max_size=200))
def test_any_text_becomes_terms_of_plain_letters_and_digits(text: str) -> None:
    found = [*query_terms(text), *terms(text)]

    assert all(term.isascii() and term.isalnum() and len(term) <= 1024 for term in found)


OPERATORS = st.lists(
    st.sampled_from(
        ['"', "'", "AND", "OR", "NOT", "NEAR(", ")", "*", "^", "text:", "-", "\x00", "\ud800", "damaged", "+"]
    ),
    max_size=12,
).map(" ".join)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(OPERATORS)
def test_operators_and_quotes_in_a_question_are_words_like_any_other(collection: Collection, text: str) -> None:
    found = asyncio.run(collection.search(text))

    assert any(passage.path == "handbook/returns.md" for passage in found) is ("damaged" in text)


class CountingEmbedder(HashingEmbedder):
    """Counts the texts that it was given."""

    texts = 0

    async def embed(self, texts):  # type: ignore[no-untyped-def]
        self.texts += len(texts)
        return await super().embed(texts)
