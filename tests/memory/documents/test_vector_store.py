"""The index as a LangChain vector store: in each index, as a retriever, with and without async."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.runnables import RunnableLambda

from segue import Documents
from segue.base.errors import BadInput, UserError
from segue.memory.documents import Between, Index, SqliteIndex
from segue.memory.documents.vector_store import IndexVectorStore

TEXTS = ["Lighthouses are painted white.", "Windmills turn in the wind.", "A windmill grinds corn."]
METADATA = [{"kind": "sea", "year": 1900}, {"kind": "land", "year": 1800}, {"kind": "land", "year": 1950, "no": None}]


async def test_texts_are_added_found_replaced_and_deleted_by_their_ids(index: Index) -> None:
    store = IndexVectorStore(index, collection="notes")
    ids = await store.aadd_texts(TEXTS, METADATA, ids=["a", "b", "c"])

    found = await store.asimilarity_search("windmills", k=2)
    narrowed = await store.asimilarity_search("windmills", filter={"year": Between(1900, None), "kind": "land"})
    await store.aadd_documents([Document(page_content="Canals are dug.", id="b")])
    await store.adelete(["c"])

    assert ids == ["a", "b", "c"]
    assert {each.id for each in found} == {"b", "c"}
    assert [(each.id, each.metadata["year"]) for each in narrowed] == [("c", 1950)]
    assert [each.id for each in await store.asimilarity_search("canals")] == ["b"]
    assert await store.asimilarity_search("windmills") == []
    assert await IndexVectorStore(index, collection="notes", tenant="other").asimilarity_search("canals") == []


async def test_a_retriever_takes_its_place_in_a_chain(index: Index) -> None:
    store = IndexVectorStore(index)
    await store.aadd_texts(TEXTS, METADATA)
    chain = store.as_retriever(search_kwargs={"k": 1}) | RunnableLambda(lambda found: found[0].page_content)

    assert await chain.ainvoke("Who grinds corn?") == TEXTS[2]


def test_without_async_it_does_the_same_and_closes(tmp_path: Path) -> None:
    embedding = DeterministicFakeEmbedding(size=32)
    store = IndexVectorStore.from_texts(TEXTS, embedding, METADATA, index=SqliteIndex(tmp_path / "texts.db"))

    found = store.as_retriever().invoke("lighthouses")
    scored = store.similarity_search_with_score("lighthouses")
    store.delete()
    after = store.similarity_search("lighthouses")
    store.close()

    assert found[0].page_content == TEXTS[0]
    assert scored[0][1] > 0
    assert after == []
    assert store.embeddings is embedding


async def test_a_folder_is_a_vector_store_whose_documents_cite_their_lines(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "mill.md").write_text("---\nteam: land\n---\n# Mills\n\nA windmill grinds corn.\n")
    store = Documents(tmp_path / "pages", index=tmp_path / "index.db").as_langchain()

    found = (await store.as_retriever().ainvoke("windmills"))[0]

    assert found.metadata["citation"] == "[pages/mill.md:4-6]"
    assert found.metadata["team"] == "land"
    with pytest.raises(UserError, match="filled by its files"):
        store.add_texts(["x"])


async def test_metadata_that_cannot_be_kept_are_named(tmp_path: Path) -> None:
    store = IndexVectorStore(tmp_path / "texts.db")

    with pytest.raises(BadInput, match="'when' is dict"):
        await store.aadd_texts(["x"], [{"when": {}}])
    with pytest.raises(BadInput, match="2 texts came with 1 metadata"):
        await store.aadd_texts(["x", "y"], [{}])
