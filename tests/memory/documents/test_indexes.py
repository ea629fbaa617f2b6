"""One table of cases against every index: the same questions cite the same passages, and filters mean the same."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from segue.memory.documents import (
    Between,
    Collection,
    Entry,
    HashingEmbedder,
    Index,
    Passage,
    PassageFilter,
    Scope,
    Source,
    SqliteIndex,
)
from segue.memory.documents.chunk import cut
from segue.memory.documents.load import metadata_of, title_of

HANDBOOK = Path(__file__).resolve().parents[3] / "examples" / "shop" / "handbook"
SCOPE = Scope("acme", "/srv/pages")
EMBEDDER = HashingEmbedder()

PAGES = {
    "pages/returns.md": "---\nteam: shop\nyear: 2024\nlang: en\ntags: [money, goods]\npublic: true\n---\n# Returns\n\n"
    "An item may be sent back within 30 days.\n\n## Damaged goods\n\nA damaged item is refunded without a return.\n",
    "pages/shipping.md": "---\nteam: depot\nyear: 2022\nlang: en\n---\n# Shipping\n\n"
    "Parcels to Sweden take four days.\n",
    "pages/deep/privacy.md": "---\nteam: legal\nyear: 2023\nlang: en\nvalid_from: 2023-05-01\n---\n# Privacy\n\n"
    "A customer who asks to be forgotten is erased within one month.\n",
    "pages/rueckgabe.md": "---\nteam: shop\nyear: 2024\nlang: de\n---\n# Rückgabe\n\n"
    "Die Rückgabe einer beschädigten Ware ist kostenlos. Größe und Straße stehen im Begleitschein.\n",
    "pages/возврат.md": "---\nteam: shop\nlang: ru\n---\n# Возврат\n\nТовар можно вернуть в течение тридцати дней.\n",  # noqa: RUF001
    "pages/返品.md": "# 返品\n\n商品は三十日以内に返品できます。送料はお客様負担です。\n",
    "pages/twin-a.md": "# Twin\n\nThe zebra crossing is painted in the same words.\n",
    "pages/twin-b.md": "# Twin\n\nThe zebra crossing is painted in the same words.\n",
    "pages/twin-c.md": "# Twin\n\nThe zebra crossing is painted in the same words.\n",
    "pages/empty.md": "\n\n",
    "pages/[brackets] 100%_'.md": "# Odd name\n\nA quotation mark ' and a backslash \\ and 100%_ in one line.\n",
}

CASES: list[tuple[str, PassageFilter | None, list[str]]] = [
    ("refund a damaged item", None, ["returns.md"]),
    ("forgetting customers", None, ["deep/privacy.md"]),
    ("shiping parcells swedan", None, ["shipping.md"]),
    ("kann ich beschädigte Ware zurückgeben", None, ["rueckgabe.md"]),
    ("RÜCKGABE STRASSE", None, ["rueckgabe.md"]),
    ("ruckgabe", None, ["rueckgabe.md"]),
    ("вернуть товар", None, ["возврат.md"]),
    ("返品の送料", None, ["返品.md"]),
    ("zebra crossing", None, ["twin-a.md", "twin-b.md", "twin-c.md"]),
    ("backslash", None, ["[brackets] 100%_'.md"]),
    ("quantum chromodynamics", None, []),
    ("", None, []),
    ("\x00 ' OR 1=1; -- \" & | ! :* ( ) <-> %s ?", None, []),
    ("the of and", None, ["[brackets] 100%_'.md", "twin-a.md", "twin-b.md", "twin-c.md"]),
    ("item customer parcel", PassageFilter(paths=("pages/deep/*",)), ["deep/privacy.md"]),
    ("zebra", PassageFilter(paths=("*twin-[bc].md",)), ["twin-b.md", "twin-c.md"]),
    ("zebra", PassageFilter(paths=("*twin-[!b].md",)), ["twin-a.md", "twin-c.md"]),
    ("zebra", PassageFilter(paths=("pages/twin-?.md", "nothing")), ["twin-a.md", "twin-b.md", "twin-c.md"]),
    ("backslash", PassageFilter(paths=("pages/[[]brackets] 100%_'.md",)), ["[brackets] 100%_'.md"]),
    ("zebra", PassageFilter(paths=("PAGES/*",)), []),
    ("item customer parcel", PassageFilter(where={"team": "depot"}), ["shipping.md"]),
    ("item customer parcel", PassageFilter(where={"team": ("depot", "legal")}), ["deep/privacy.md", "shipping.md"]),
    ("item customer parcel", PassageFilter(where={"team": "Depot"}), []),
    ("item customer parcel", PassageFilter(where={"year": 2022}), ["shipping.md"]),
    ("item customer parcel", PassageFilter(where={"year": 2022.0}), ["shipping.md"]),
    ("item customer parcel", PassageFilter(where={"year": "2022"}), []),
    ("item customer parcel", PassageFilter(where={"year": Between(2022, 2023)}), ["deep/privacy.md", "shipping.md"]),
    ("item customer parcel", PassageFilter(where={"year": Between(2023, None)}), ["deep/privacy.md", "returns.md"]),
    ("item customer", PassageFilter(where={"valid_from": Between(None, "2023-12-31")}), ["deep/privacy.md"]),
    ("item damaged", PassageFilter(where={"tags": "money"}), ["returns.md"]),
    ("item damaged", PassageFilter(where={"tags": ["nothing", "goods"]}), ["returns.md"]),
    ("item damaged", PassageFilter(where={"public": True}), ["returns.md"]),
    ("item damaged", PassageFilter(where={"public": 1}), []),
    ("item damaged", PassageFilter(where={"public": "true"}), []),
    ("item", PassageFilter(where={"title": "Returns"}), ["returns.md"]),
    ("zebra", PassageFilter(where={"path": "pages/twin-b.md"}), ["twin-b.md"]),
    ("item", PassageFilter(where={"nothing": 1}), []),
    ("item customer", PassageFilter(paths=("*.md",), where={"team": "shop", "lang": "en"}), ["returns.md"]),
]


async def entry(path: str, text: str, *, version: str = "1", embedder: HashingEmbedder = EMBEDDER) -> Entry:
    """A page as a collection would have it."""
    chunks = cut(text)
    said = [f"{chunk.heading}\n{chunk.text}" for chunk in chunks]
    source = Source(
        path=path,
        size=len(text),
        mtime_ns=1,
        version=version,
        embedder=embedder.name,
        title=title_of(text, path),
        metadata=metadata_of(text)[0],
    )
    return Entry(source, chunks, await embedder.embed(said))


async def filled(index: Index, pages: dict[str, str] = PAGES, scope: Scope = SCOPE) -> Index:
    await index.add(scope, [await entry(path, text) for path, text in pages.items()])
    return index


async def ask(
    index: Index, query: str, wanted: PassageFilter | None = None, *, k: int = 5, scope: Scope = SCOPE
) -> list[Passage]:
    return await index.search(scope, query, (await EMBEDDER.embed([query]))[0], k=k, filter=wanted)


def pages(found: Sequence[Passage]) -> list[str]:
    """Each page once, in the order of its best passage."""
    return list(dict.fromkeys(passage.path.removeprefix("pages/") for passage in found))


async def test_the_table_of_cases_holds(index: Index) -> None:
    await filled(index)

    found = [sorted(pages(await ask(index, query, wanted))) for query, wanted, _ in CASES]

    assert dict(enumerate(found)) == {at: sorted(expected) for at, (_, _, expected) in enumerate(CASES)}


async def test_every_passage_score_and_place_is_that_of_the_embedded_index(index: Index, tmp_path: Path) -> None:
    own = Collection(HANDBOOK, SqliteIndex(tmp_path / "own.db"), tenant="acme")
    other = Collection(HANDBOOK, index, tenant="acme")
    questions = [page.stem.replace("-", " ") for page in sorted(HANDBOOK.glob("*.md"))]
    questions += [
        line[4:] for page in HANDBOOK.glob("*.md") for line in page.read_text("utf-8").split("\n")[::7] if line
    ]
    await asyncio.gather(own.refresh(), other.refresh())

    expected = [await own.search(question, k=8) for question in questions]
    found = [await other.search(question, k=8) for question in questions]

    assert len(questions) > 80
    assert found == expected


async def test_a_common_word_and_many_passages_rank_as_in_the_embedded_index(index: Index, tmp_path: Path) -> None:
    chance = random.Random(7)
    words = [f"word{number}" for number in range(40)]
    texts = {
        f"pages/{number:03d}.md": f"# {chance.choice(words)}\n\ncommon {' '.join(chance.choices(words, k=9))}\n"
        for number in range(260)
    }
    own = await filled(SqliteIndex(tmp_path / "own.db"), texts)
    await filled(index, texts)
    half = PassageFilter(paths=("pages/[01]*",))

    for query in ["common word3", "word7 word8 word9", "word1"]:
        for wanted in (None, half):
            found = await ask(index, query, wanted, k=20)
            assert found == await ask(own, query, wanted, k=20)
            assert len(found) >= 10


async def test_a_page_written_again_is_found_by_its_new_words_only(index: Index) -> None:
    await filled(index)

    await index.add(SCOPE, [await entry("pages/returns.md", "# Returns\n\nWindmills are never sold.\n", version="2")])

    assert [passage.version for passage in await ask(index, "windmills")] == ["2"]
    assert pages(await ask(index, "refund damaged item")) != ["returns.md"]
    assert (await index.sources(SCOPE))["pages/returns.md"].version == "2"
    assert len(await index.sources(SCOPE)) == len(PAGES)


async def test_a_page_that_is_removed_is_gone_and_the_others_rank_as_if_it_never_was(
    index: Index, tmp_path: Path
) -> None:
    await filled(index)
    rest = {path: text for path, text in PAGES.items() if "twin" not in path}
    own = await filled(SqliteIndex(tmp_path / "own.db"), rest)

    await index.remove(SCOPE, [*(path for path in PAGES if "twin" in path), "pages/never-was.md"])

    assert await index.sources(SCOPE) == await own.sources(SCOPE)
    for query, wanted, _ in CASES:
        assert await ask(index, query, wanted, k=20) == await ask(own, query, wanted, k=20)


async def test_what_is_known_of_a_source_comes_back_as_it_was_given(index: Index) -> None:
    entries = [await entry(path, text) for path, text in PAGES.items()]

    await index.add(SCOPE, entries)
    touched = Source(**{**vars(entries[0].source), "size": 7, "mtime_ns": 2**61})
    await index.touch(SCOPE, touched)

    held = await index.sources(SCOPE)
    assert held == {each.source.path: each.source for each in entries} | {touched.path: touched}
    assert held["pages/returns.md"].metadata["tags"] == ("money", "goods")


@pytest.mark.parametrize("tenant", ["ACME", "acme2", "acme_", "ac me", "ácme", "", "'; DROP TABLE x; --", "a" * 300])
async def test_no_tenant_and_no_other_folder_sees_or_changes_anothers_pages(index: Index, tenant: str) -> None:
    other, folder = Scope(tenant, SCOPE.collection), Scope(SCOPE.tenant, "/srv/other")
    await filled(index)
    await index.add(other, [await entry("pages/returns.md", "# Theirs\n\nA damaged item is burnt.\n")])
    before = await ask(index, "damaged item", k=20)

    theirs = await ask(index, "damaged item zebra", k=20, scope=other)
    nobody = await ask(index, "damaged item zebra", k=20, scope=folder)
    await index.remove(other, list(PAGES))
    await index.remove(folder, list(PAGES))

    assert [passage.text for passage in theirs] == ["# Theirs\n\nA damaged item is burnt."]
    assert nobody == []
    assert await index.sources(other) == {}
    assert await ask(index, "damaged item", k=20) == before


async def test_another_tenants_pages_do_not_change_the_order_or_the_scores(index: Index) -> None:
    await filled(index)
    before = await ask(index, "damaged item parcels", k=20)

    await filled(index, {f"pages/{n}.md": "# Damaged\n\nA damaged item.\n" for n in range(30)}, Scope("big", "/x"))

    assert await ask(index, "damaged item parcels", k=20) == before


async def test_an_empty_index_has_no_sources_and_no_passages(index: Index) -> None:
    assert await index.sources(SCOPE) == {}
    assert await ask(index, "anything") == []
    assert await ask(index, "anything", PassageFilter(where={"a": 1})) == []
    await index.remove(SCOPE, ["pages/none.md"])
    await index.add(SCOPE, [])


async def test_vectors_of_another_length_are_left_alone_until_their_pages_are_embedded_anew(index: Index) -> None:
    small = HashingEmbedder(64)
    await filled(index)
    await index.add(SCOPE, [await entry("pages/new.md", "# New\n\nThe damaged lighthouse.\n", embedder=small)])

    found = await index.search(SCOPE, "damaged", (await small.embed(["damaged"]))[0], k=9)
    before = await ask(index, "damaged item", k=9)
    await index.add(SCOPE, [await entry(path, text, embedder=small) for path, text in PAGES.items()])
    anew = await index.search(SCOPE, "damaged", (await small.embed(["damaged"]))[0], k=9)

    assert pages(found) == ["new.md"]
    assert "new.md" not in pages(before)
    assert {"new.md", "returns.md"} <= set(pages(anew))
    assert await ask(index, "damaged item", k=9) == []


async def test_two_that_index_one_folder_at_once_leave_each_page_once(index: Index) -> None:
    twins = [Collection(HANDBOOK, index, tenant="acme") for _ in range(3)]

    await asyncio.gather(*(twin.refresh() for twin in twins))

    found = await twins[0].search("damaged on arrival", k=20)
    assert len({passage.citation for passage in found}) == len(found) == 20
    assert (await twins[1].refresh()).added == 0


async def test_text_that_no_store_takes_as_it_is_does_not_stop_a_page(index: Index) -> None:
    text = "# Odd\n\nA zero \x00 and half a character \ud800 stand here, and a smile \U0001f600.\n"

    await index.add(SCOPE, [await entry("pages/odd.md", text)])

    found = (await ask(index, "half a character"))[0]
    assert found.text == "# Odd\n\nA zero \ufffd and half a character \ufffd stand here, and a smile \U0001f600."


async def test_a_line_without_end_is_found_by_its_beginning(index: Index) -> None:
    await index.add(SCOPE, [await entry("pages/log.md", f"lighthouse {' '.join(f'x{n}' for n in range(60_000))}\n")])

    assert pages(await ask(index, "lighthouse")) == ["log.md"]


async def test_a_text_that_says_nothing_has_a_vector_of_zeros_and_does_no_harm(index: Index) -> None:
    chunks = cut("***\n")
    source = Source(path="pages/stars.md", size=4, mtime_ns=1, version="1", embedder=EMBEDDER.name)

    await index.add(SCOPE, [Entry(source, chunks, np.zeros((1, 384), dtype=np.float32))])

    assert await ask(index, "stars") == []
    assert await ask(index, "***") == []
