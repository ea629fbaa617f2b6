"""Words taken apart: stems as SQLite's own stemmer has them, accents and alphabets, and what a page says of itself."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from segue.memory.documents.load import metadata_of
from segue.memory.documents.stem import stem
from segue.memory.documents.terms import query_terms, terms

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_every_stem_is_the_one_that_fts5_makes() -> None:
    text = " ".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    words = sorted(set(re.findall("[a-z]{3,60}", text.lower())))
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE held USING fts5 (word, tokenize='porter ascii')")
    db.execute("CREATE VIRTUAL TABLE vocabulary USING fts5vocab (held, 'instance')")
    db.executemany("INSERT INTO held (rowid, word) VALUES (?, ?)", enumerate(words))
    expected = {words[row]: term for term, row in db.execute("SELECT term, doc FROM vocabulary")}
    db.close()

    assert len(words) > 1000
    assert {word: stem(word) for word in words} == expected


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Rückgabe", "RUCKGABE"),
        ("Straße", "strasse"),
        ("café", "cafe\u0301"),
        ("ﬁnd", "find"),
        ("Ⅷ", "viii"),
        ("caresses", "caress"),
        ("ВОЗВРАТ", "возврат"),  # noqa: RUF001
        ("ガス", "ｶﾞｽ"),
    ],
)
def test_what_a_reader_takes_for_the_same_word_is_the_same_term(text: str, same: str) -> None:
    assert terms(text) == terms(same) != []


def test_what_differs_in_sound_stays_apart() -> None:
    assert terms("がく") != terms("かく")
    assert query_terms("返品の送料") == [*terms("返品"), *terms("品の"), *terms("の送"), *terms("送料")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\na: x\nb: 1\nc: 1.5\nd: true\ne: 2024-05-01\nf: [x, 2]\n---\n# T", {
            "a": "x", "b": 1, "c": 1.5, "d": True, "e": "2024-05-01", "f": ("x", 2)}),
        ("---\na: {b: c}\n1: x\nn: null\ni: .inf\n---\n", {}),
        ("# Page\n---\na: x\n---\n", {}),
        ("---\nno end", {}),
        ("---\n- a\n---\n", {}),
        ("", {}),
    ],
)  # fmt: skip
def test_front_matter_is_kept_as_far_as_it_is_plain(text: str, expected: dict[str, object]) -> None:
    assert metadata_of(text) == (expected, "")


def test_front_matter_that_is_no_yaml_is_noted_and_runs_no_code() -> None:
    broken, tagged = "---\na: [x\n---\n", "---\na: !!python/object/apply:os.system [ls]\n---\n"

    assert metadata_of(broken)[0] == metadata_of(tagged)[0] == {}
    assert "no YAML" in metadata_of(broken)[1]
    assert "no YAML" in metadata_of(tagged)[1]
