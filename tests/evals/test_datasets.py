"""Datasets of Langfuse, against a server here that speaks its public API for datasets and their items."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from segue.base.errors import BadInput, EndpointError
from segue.evals import Case
from segue.evals.case import load_cases, write_cases
from segue.evals.datasets import pull_cases, push_cases

NOW = "2026-11-27T12:00:00.000Z"


class Langfuse:
    """Datasets and their items; a page has at most two items, so that all pages are asked for."""

    def __init__(self) -> None:
        self.datasets: dict[str, dict[str, Any]] = {}
        self.items: dict[str, dict[str, Any]] = {}
        self.status = 200

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        url = urlsplit(path)
        if self.status != 200:
            return self.status, {"message": "no"}
        if method == "POST" and url.path == "/api/public/v2/datasets":
            made = {"id": body["name"], "projectId": "p", "createdAt": NOW, "updatedAt": NOW, "metadata": None, **body}
            return 200, self.datasets.setdefault(body["name"], made)
        if url.path.startswith("/api/public/v2/datasets/"):
            name = unquote(unquote(url.path.rpartition("/")[2]))
            return (200, self.datasets[name]) if name in self.datasets else (404, {"message": "Dataset not found"})
        if method == "POST":
            item = {
                "id": body.get("id", str(len(self.items))), "status": "ACTIVE", "datasetId": body["datasetName"],
                "input": None, "expectedOutput": None, "metadata": None, "createdAt": NOW, "updatedAt": NOW,
                "sourceTraceId": None, "sourceObservationId": None, "mediaReferences": [], **body,
            }  # fmt: skip
            return 200, self.items.setdefault(item["id"], item) | item
        asked = parse_qs(url.query)
        page = int(asked["page"][0])
        found = [item for item in self.items.values() if item["datasetName"] == asked["datasetName"][0]]
        pages = -(-len(found) // 2)
        meta = {"page": page, "limit": 2, "totalItems": len(found), "totalPages": pages}
        return 200, {"data": found[2 * page - 2 : 2 * page], "meta": meta}


@pytest.fixture
def langfuse(monkeypatch: pytest.MonkeyPatch) -> Iterator[Langfuse]:
    held = Langfuse()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET", None)

        def do_POST(self) -> None:
            self._answer("POST", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, method: str, body: Any) -> None:
            assert self.headers["Authorization"].startswith("Basic ")
            status, said = held.answer(method, self.path, body)
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("LANGFUSE_BASE_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk")
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk")
    monkeypatch.setenv("NO_PROXY", "*")
    yield held
    server.shutdown()
    server.server_close()


CASES = [
    Case.model_validate(each)
    for each in (
        {"id": "tea", "request": "What does tea cost?", "expect": {"contains": ["2.80"], "calls": ["price"]}},
        {"id": "two turns", "request": ["Hello.", "And coffee?"], "expect": {"citations": ["menu.md"]}, "tags": ["x"]},
        {"id": "three", "request": "Refund 1042.", "expect": {"status": "waiting", "asks": ["refund_order"]}},
    )
]


def test_cases_come_back_as_they_went(langfuse: Langfuse) -> None:
    assert push_cases(CASES, "desk/smoke") == 3
    assert push_cases(CASES, "desk/smoke") == 3

    assert len(langfuse.items) == 3
    assert pull_cases("desk/smoke") == CASES
    assert next(iter(langfuse.items.values()))["input"] == "What does tea cost?"


def test_no_secret_leaves(langfuse: Langfuse) -> None:
    push_cases([Case(id="a", request="My key is sk-proj-Zk3R8vQ1xT6mW2pL9aB4cD7e")], "d")

    assert "Zk3R8v" not in json.dumps(langfuse.items)


def test_items_that_were_made_there_become_cases(langfuse: Langfuse) -> None:
    push_cases(CASES[:1], "d")
    for body in (
        {"id": "i1", "input": {"question": "Open on Sunday?"}, "expectedOutput": "closed"},
        {"id": "i2", "input": "Why?", "expectedOutput": {"answer": "Since the law of the land says so. " * 5}},
        {"id": "i3", "input": {"a": 1}},
        {"id": "i4", "input": "old", "status": "ARCHIVED"},
    ):
        langfuse.answer("POST", "/api/public/dataset-items", {"datasetName": "d", **body})

    one, two, three, four = pull_cases("d")

    assert one == CASES[0]
    assert (two.request, two.expect.contains) == ("Open on Sunday?", ["closed"])
    assert two.id == "i1"
    assert three.expect.judge is not None
    assert "the law of the land" in three.expect.judge.criteria
    assert (four.request, four.expect.contains) == ('{"a":1}', [])


@pytest.mark.parametrize(("status", "said"), [(401, "answered 401"), (500, "answered 500")])
def test_what_langfuse_refuses_is_said(langfuse: Langfuse, status: int, said: str) -> None:
    langfuse.status = status

    for ask in (lambda: push_cases(CASES, "d"), lambda: pull_cases("d")):
        with pytest.raises(EndpointError, match=said):
            ask()


def test_a_dataset_that_is_not_there_or_empty_is_named(langfuse: Langfuse) -> None:
    with pytest.raises(EndpointError, match="'nowhere': Langfuse answered 404"):
        pull_cases("nowhere")
    push_cases([], "empty")
    with pytest.raises(BadInput, match="'empty' has no item"):
        pull_cases("empty")


def test_a_dead_server_and_keys_that_are_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANGFUSE_SECRET_KEY", raising=False)
    with pytest.raises(EndpointError, match="LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY"):
        pull_cases("d")
    for name, value in (("PUBLIC_KEY", "pk"), ("SECRET_KEY", "sk"), ("BASE_URL", "http://127.0.0.1:9")):
        monkeypatch.setenv(f"LANGFUSE_{name}", value)
    with pytest.raises(EndpointError, match="cannot be reached"):
        pull_cases("d")


@pytest.mark.filterwarnings("ignore:'click:DeprecationWarning")  # typer's own use of it
def test_on_the_command_line(langfuse: Langfuse, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from segue.cli.main import main

    write_cases(tmp_path / "cases.jsonl", CASES)
    for command in (["push", str(tmp_path / "cases.jsonl"), "d"], ["pull", "d", str(tmp_path / "back.jsonl")]):
        with pytest.raises(SystemExit) as ended:
            main(["evals", *command])
        assert ended.value.code in (0, None)

    assert capsys.readouterr().out.startswith("3 cases are in d\n3 cases are in ")
    assert load_cases(tmp_path / "back.jsonl") == CASES
