"""Indices on servers when things go wrong: down, slow, refused, somebody else's tables, broken off in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.doubles.weaviate import WeaviateDouble, serving
from tests.doubles.weaviate_store import Klass, Refused, Stored

from segue.base.errors import BadInput, ConfigError, StoreError
from segue.memory.documents import Between, Collection, PassageFilter
from segue.memory.documents.by_url import DocumentsSection, open_index
from segue.memory.documents.postgres_index import PostgresIndex
from segue.memory.documents.sqlite import SqliteIndex
from segue.memory.documents.weaviate_index import WeaviateIndex

postgres = pytest.mark.xdist_group("postgres")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pages").mkdir()
    for name in ("lighthouse", "windmill"):
        (tmp_path / "pages" / f"{name}.md").write_text(f"# {name}\n\nThe {name} is white.\n")
    return tmp_path / "pages"


@pytest.fixture
async def double() -> AsyncIterator[WeaviateDouble]:
    async with serving() as made:
        yield made


@pytest.fixture
async def weaviate(double: WeaviateDouble) -> AsyncIterator[WeaviateIndex]:
    made = WeaviateIndex(double.url, deadline_s=10)
    yield made
    await made.close()


@pytest.fixture
async def postgres_index(postgres_url: str) -> AsyncIterator[PostgresIndex]:
    made = PostgresIndex(postgres_url, hnsw_above=50)
    yield made
    await made.close()


async def cited(collection: Collection, query: str) -> list[str]:
    return [passage.citation for passage in await collection.search(query)]


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/x?connect_timeout=2", "weaviate://127.0.0.1:1?grpc=2"])
async def test_a_server_that_is_down_is_named_and_may_be_tried_again(url: str, folder: Path) -> None:
    index = open_index(url, key="hunter2")

    with pytest.raises(StoreError, match=r"127\.0\.0\.1.*try again") as caught:
        await Collection(folder, index).search("x")
    await index.close()

    assert caught.value.retryable
    assert "hunter2" not in str(caught.value)


async def test_a_server_that_does_not_answer_ends_the_call_at_its_deadline(
    double: WeaviateDouble, folder: Path
) -> None:
    async def forever(name: str) -> None:
        if name == "Search":
            await asyncio.Event().wait()

    index = WeaviateIndex(double.url, deadline_s=1.0)
    collection = Collection(folder, index, refresh_every_s=3600)
    await collection.refresh()
    double.before = forever

    with pytest.raises(StoreError, match=r"no answer within 1 s.*both of its ports"):
        await collection.search("lighthouse")
    double.before = None

    assert await cited(collection, "lighthouse") == ["[pages/lighthouse.md:1-3]"]
    await index.close()


async def test_a_key_that_is_refused_is_told_without_being_shown(folder: Path) -> None:
    async with serving(WeaviateDouble(api_key="the-right-one")) as double:
        wrong, right = WeaviateIndex(double.url, api_key="hunter2"), WeaviateIndex(double.url, api_key="the-right-one")

        with pytest.raises(StoreError, match=r"refused the key.*Give the key") as caught:
            await Collection(folder, wrong).refresh()
        report = await Collection(folder, right).refresh()
        await wrong.close()
        await right.close()

    assert not caught.value.retryable
    assert "hunter2" not in str(caught.value)
    assert report.added == 2


async def test_a_collection_of_somebody_elses_is_neither_written_nor_changed(
    double: WeaviateDouble, weaviate: WeaviateIndex, folder: Path
) -> None:
    theirs = {"class": "SegueDocuments384", "properties": [{"name": "path", "dataType": ["int"]}]}
    double.classes["SegueDocuments384"] = Klass(theirs)
    before = double.classes["SegueDocuments384"].schema

    with pytest.raises(
        StoreError, match=r"of another schema: it has no tenants; folder is not there.*collection=…"
    ) as caught:
        await Collection(folder, weaviate).refresh()
    other = WeaviateIndex(f"{double.url}&collection=Ours")
    await Collection(folder, other).refresh()
    await other.close()

    assert not caught.value.retryable
    assert double.classes["SegueDocuments384"].schema == before
    assert {"Ours384", "OursSources"} <= set(double.classes)


@pytest.mark.parametrize("broken", ["BatchObjects", "BatchDelete", "TenantsGet"])
@pytest.mark.parametrize("after", range(4))
async def test_a_write_that_breaks_off_leaves_the_old_text_or_the_new_and_is_mended_by_the_next(
    double: WeaviateDouble, weaviate: WeaviateIndex, folder: Path, broken: str, after: int
) -> None:
    collection = Collection(folder, weaviate, refresh_every_s=3600)
    await collection.refresh()
    whole = len(double.objects())
    (folder / "windmill.md").write_text("# Windmill\n\nThe barley mill is red.\n\n## Sails\n\nFour barley sails.\n")
    (folder / "lighthouse.md").unlink()
    left = [after]

    async def breaking(name: str) -> None:
        left[0] -= name == broken
        if name == broken and left[0] < 0:
            raise Refused("disk is full")

    double.before = breaking
    with contextlib.suppress(StoreError):
        await collection.refresh()
    double.before = None
    between = {passage.text for passage in await collection.search("mill windmill barley", k=20)}
    await collection.refresh()

    new = {"# Windmill\n\nThe barley mill is red.", "## Sails\n\nFour barley sails."}
    assert between in ({"# windmill\n\nThe windmill is white."}, new)
    assert {passage.text for passage in await collection.search("mill windmill barley", k=20)} == new
    assert set(await collection.sources()) == {"pages/windmill.md"}
    assert len(double.objects()) <= whole + 1, "at most the passages of the old text are still there, unseen"


async def test_what_a_broken_write_left_behind_is_removed_once_it_is_old(
    double: WeaviateDouble, weaviate: WeaviateIndex, folder: Path
) -> None:
    collection = Collection(folder, weaviate, refresh_every_s=3600)
    await collection.refresh()
    shard = double.classes["SegueDocuments384"].shards["t-local"]
    held = next(each for each in shard.objects.values() if each.properties["path"] == "pages/windmill.md")
    ghost = {**held.properties, "stamp": "lost", "body": "A ghost of a windmill.", "written_at": 1.0}
    shard.put(Stored(uuid4(), ghost, held.vector))
    seen = [passage.text for passage in await collection.search("windmill", k=20)]
    (folder / "windmill.md").write_text("# Windmill\n\nThe windmill is red.\n")
    await collection.refresh()

    assert ghost["body"] not in seen
    assert "lost" not in {stored.properties["stamp"] for stored in shard.objects.values()}


async def test_a_collection_deleted_behind_our_back_is_made_again(
    double: WeaviateDouble, weaviate: WeaviateIndex, folder: Path
) -> None:
    collection = Collection(folder, weaviate, refresh_every_s=3600)
    await collection.refresh()
    double.classes.clear()

    with pytest.raises(StoreError, match="could not find class"):
        await collection.search("lighthouse")
    report = await collection.refresh()

    assert report.added == 2
    assert await cited(collection, "lighthouse") == ["[pages/lighthouse.md:1-3]"]


async def test_large_numbers_and_many_objects_survive_the_wire(weaviate: WeaviateIndex, folder: Path) -> None:
    (folder / "long.md").write_text(
        "".join(f"# Part {n}\n\nParagraph number {n} of the long page.\n\n" for n in range(450))
    )
    os.utime(folder / "long.md", ns=(1, 1_700_000_000_123_456_789))
    collection = Collection(folder, weaviate)

    await collection.refresh()

    assert (await collection.sources())["pages/long.md"].mtime_ns == 1_700_000_000_123_456_789
    assert (await collection.refresh()).changed == 0
    assert await cited(collection, "paragraph number 449") != []


@postgres
async def test_tables_that_are_not_of_this_version_are_left_as_they_are(
    postgres_url: str, postgres_index: PostgresIndex, folder: Path
) -> None:
    import psycopg

    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as admin:
        await admin.execute("CREATE TABLE segue_document_chunks (theirs text)")

    with pytest.raises(StoreError, match=r"segue_document_chunks that is not of this version.*DROP TABLE") as caught:
        await Collection(folder, postgres_index).refresh()

    assert not caught.value.retryable


@postgres
async def test_a_server_without_pgvector_says_how_to_get_it(
    postgres_index: PostgresIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = "CREATE EXTENSION IF NOT EXISTS no_such_extension"
    monkeypatch.setattr("segue.memory.documents.postgres_index.CREATE", sql)

    with pytest.raises(StoreError, match=r"no pgvector.*CREATE EXTENSION vector") as caught:
        await Collection(folder, postgres_index).refresh()

    assert not caught.value.retryable


@postgres
async def test_connections_that_the_server_ends_are_made_again(
    postgres_url: str, postgres_index: PostgresIndex, folder: Path
) -> None:
    import psycopg

    collection = Collection(folder, postgres_index, refresh_every_s=3600)
    before = await cited(collection, "lighthouse")
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as admin:
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'segue' AND pid <> "
            "pg_backend_pid()"
        )

    assert await cited(collection, "lighthouse") == before == ["[pages/lighthouse.md:1-3]"]


@postgres
async def test_a_large_scope_gets_a_vector_index_of_its_own_and_finds_the_same(
    postgres_index: PostgresIndex, tmp_path: Path
) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    for number in range(80):
        (pages / f"{number:02d}.md").write_text(f"# Page {number}\n\nThe tower {number} has {number * 7} windows.\n")
    indexed = Collection(pages, postgres_index, refresh_every_s=3600)
    exact = Collection(pages, SqliteIndex(tmp_path / "own.db"), refresh_every_s=3600)
    asked = [(query, each) for query in ("tower 7", "widnows 49") for each in (None, PassageFilter(paths=("*/1?.md",)))]

    found = [await indexed.search(query, 8, each) for query, each in asked]

    assert found == [await exact.search(query, 8, each) for query, each in asked]
    assert await postgres_index.database.execute(
        "SELECT 1 FROM pg_indexes WHERE indexname LIKE 'segue_document_near_%'"
    )


@postgres
async def test_a_write_that_is_cancelled_leaves_all_or_nothing(postgres_index: PostgresIndex, folder: Path) -> None:
    collection = Collection(folder, postgres_index, refresh_every_s=3600)
    await postgres_index.sources(collection.scope)

    for turn in range(12):
        writing = asyncio.create_task(collection.refresh())
        for _ in range(turn * 50):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        held = await postgres_index.sources(collection.scope)
        assert len(held) in (0, 2)
    await collection.refresh()

    assert await cited(collection, "lighthouse") == ["[pages/lighthouse.md:1-3]"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://host/db", "begins with 'mysql'://"),
        ("weaviate://", "names the host ''"),
        ("weaviate://host?grpc=x", "grpc=x is no port"),
        ("weaviate://host?collection=lower", "collection=lower is no name"),
        ("weaviate://host?colection=X", "a parameter 'colection'"),
        ("weaviate://user:hunter2@host", "a user or a password"),
        ("weaviate://host:99999", "no URL of a Weaviate server"),
    ],
)
def test_a_url_that_is_none_says_what_is_wrong_with_it(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        open_index(url)

    assert "hunter2" not in str(caught.value)


def test_without_the_client_weaviate_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weaviate", None)

    with pytest.raises(ConfigError, match=r"pip install 'segue\[weaviate\]'"):
        open_index("weaviate://localhost")


def test_the_settings_take_secrets_as_references_only(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must not stand in the settings"):
        DocumentsSection(url="postgresql://ann:hunter2@host/db")
    with pytest.raises(ValueError, match="must not stand in the settings"):
        DocumentsSection(url="postgresql://host/db", key="hunter2")
    with pytest.raises(ConfigError, match=r"\[documents\] url needs the environment variable DOCS"):
        DocumentsSection(url="env:DOCS").open({}, tmp_path)

    made = DocumentsSection(url="env:DOCS", key="env:PASSWORD").open(
        {"DOCS": "postgresql://ann@host/db", "PASSWORD": "hun/ter"}, tmp_path
    )

    assert isinstance(made, PostgresIndex)
    assert made.database.url == "postgresql://ann:hun%2Fter@host/db"
    assert "hun" not in made.database.name
    assert DocumentsSection().open({}, tmp_path) is None


@pytest.mark.parametrize("wanted", [None, [], (), {"a": 1}, [None]])
def test_a_filter_that_is_no_condition_is_refused_by_name(wanted: object) -> None:
    with pytest.raises(BadInput, match="the filter on 'year' is"):
        PassageFilter(where={"year": wanted})  # type: ignore[dict-item]


@pytest.mark.parametrize("ends", [(None, None), (1, "a"), (True, None)])
def test_a_range_of_nothing_or_of_two_kinds_is_refused(ends: tuple[object, object]) -> None:
    with pytest.raises(BadInput, match="a range goes from a number to a number"):
        Between(*ends)  # type: ignore[arg-type]


@pytest.mark.skipif("WEAVIATE_URL" not in os.environ, reason="WEAVIATE_URL names no Weaviate server")
async def test_a_true_weaviate_does_what_the_double_does(folder: Path) -> None:
    index = open_index(f"{os.environ['WEAVIATE_URL']}&collection=SegueTry", key=os.environ.get("WEAVIATE_API_KEY", ""))
    collection = Collection(folder, index, tenant="try", refresh_every_s=3600)
    try:
        assert (await collection.refresh()).added == 2
        assert await cited(collection, "lighthouse") == ["[pages/lighthouse.md:1-3]"]
        (folder / "lighthouse.md").unlink()
        await collection.refresh()
        assert await cited(collection, "lighthouse") == []
        narrow = await collection.search("white", filter=PassageFilter(paths=("pages/w*",)))
        assert [passage.path for passage in narrow] == ["pages/windmill.md"]
    finally:
        await index.remove(collection.scope, list(await index.sources(collection.scope)))
        await index.close()
