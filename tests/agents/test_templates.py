"""Prompt templates: what a file may say, what a value must be, and where a prompt comes from."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from datetime import date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from segue import Agent, BadInput, RunContext, UserError, Workspace
from segue.agents.template_file import TemplateError
from segue.agents.templates import Prompt
from segue.base.errors import EndpointError
from segue.testing import ScriptedModel

SUPPORT = """---
name: support
version: 1.10
labels: [production, tested]
variables:
  shop: {type: str, pattern: "[A-Z][a-z]+", description: Its name.}
  limit_eur: {type: float, min: 0, max: 500, default: 50}
  tone: {enum: [warm, plain], default: plain}
  since: date
  topics: {type: list, required: false, max: 3}
  strict: {type: bool, default: true}
---

You answer for {{shop}} since {{ since }}, in a {{tone}} tone.
Refund up to EUR {{limit_eur}}. Topics: {{topics}}. Strict: {{strict}}. Write \\{{name}} for a name.
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """`support.md` with everything that a template may have."""
    path = tmp_path / "support.md"
    path.write_text(SUPPORT, encoding="utf-8")
    return path


def test_values_are_put_in_where_their_names_stand(path: Path) -> None:
    prompt = Prompt.load(path)

    text = prompt.render(shop="Nordlys", since=date(2020, 2, 1), topics=["tea", 3], limit_eur=20)

    assert text == (
        "You answer for Nordlys since 2020-02-01, in a plain tone.\n"
        "Refund up to EUR 20. Topics: tea, 3. Strict: true. Write {{name}} for a name."
    )
    assert (prompt.name, prompt.version, prompt.labels) == ("support", "1.10", ("production", "tested"))
    assert prompt.render(shop="Nordlys", since="2020-02-01").count("Topics: .") == 1


def test_values_are_never_expanded_again() -> None:
    prompt = Prompt.parse("---\nvariables: {a: str, b: str}\n---\n{{a}}|{{b}}")

    assert prompt.render(a="{{b}}", b="{{a}} \\1 {0.__class__} $a %s") == "{{b}}|{{a}} \\1 {0.__class__} $a %s"


@pytest.mark.parametrize(
    ("values", "line", "said"),
    [
        ({"shop": 3}, 6, "the variable 'shop' is text, not 3"),
        ({"shop": "nordlys"}, 6, "the variable 'shop' matches '[A-Z][a-z]+', which 'nordlys' does not"),
        ({"shop": "Nordlys\n"}, 6, "which 'Nordlys\\n' does not"),
        ({"limit_eur": 501}, 7, "the variable 'limit_eur' is at most 500, not 501"),
        ({"limit_eur": -0.5}, 7, "the variable 'limit_eur' is at least 0, not -0.5"),
        ({"limit_eur": float("nan")}, 7, "is a number, not nan"),
        ({"limit_eur": True}, 7, "is a number, not True"),
        ({"tone": "rude"}, 8, "the variable 'tone' is one of 'warm', 'plain', not 'rude'"),
        ({"since": "yesterday"}, 9, "is a date such as 2026-01-31, not 'yesterday'"),
        ({"since": datetime(2020, 1, 1)}, 9, "is a date"),
        ({"topics": "tea"}, 10, "is a list of texts and numbers, not 'tea'"),
        ({"topics": [["tea"]]}, 10, "is a list of texts and numbers"),
        ({"topics": list("abcd")}, 10, "has a length of at most 3, not 4"),
        ({"strict": 1}, 11, "is true or false, not 1"),
        ({"shop": None}, 6, "the variable 'shop' is missing."),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_with_file_line_and_variable(
    path: Path, values: dict[str, Any], line: int, said: str
) -> None:
    prompt = Prompt.load(path)

    with pytest.raises(TemplateError) as caught:
        prompt.render(**{"shop": "Nordlys", "since": "2020-02-01", **values})

    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert said in str(caught.value)
    assert caught.value.variable == next(iter(values))
    assert isinstance(caught.value, UserError)


def test_a_value_that_no_variable_wants_is_an_error(path: Path) -> None:
    with pytest.raises(TemplateError, match="there is no variable 'store'; declared are: limit_eur, shop"):
        Prompt.load(path).render(shop="Nordlys", since="2020-02-01", store="x")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("---\nvariables: {a: str}\n---\n\nhello\n{{b}} {{a}}", 6, "there is no variable 'b'; declared are: a."),
        ("hello {{b}}", 1, "there is no variable 'b'; declared are: none"),
        ("---\nvariables:\n  a: str\n  b: str\n---\n{{a}}", 4, "the variable 'b' is not used"),
        ("---\nname: x\n---\n{{ a.b }}", 4, "'{{ a.b }}' names no variable."),
        ("---\nname: x\n---\n{{ a | upper }}", 4, "names no variable."),
        ("---\nname: x\ntext", 1, "the front matter has no end."),
        ("---\nname: [\n---\nx", 3, "the front matter is no YAML"),
        ("---\nname: !!python/object/apply:os.getcwd []\n---\nx", 2, "name is a word or a number"),
        ("---\nmodel: fast\n---\nx", 2, "there is no 'model' in the front matter; there are description, labels"),
        ("---\nname: a\nname: b\n---\nx", 3, "'name' stands twice in the front matter"),
        ("---\n- a\n---\nx", 2, "the front matter is a table of names"),
        ("---\nvariables:\n  a: text\n---\n{{a}}", 3, "there is no type 'text'; there are bool, date"),
        ("---\nvariables:\n  a: {kind: str}\n---\n{{a}}", 3, "there is no rule 'kind'"),
        ("---\nvariables:\n  a: {pattern: '('}\n---\n{{a}}", 3, "the declaration does not fit: missing )"),
        ("---\nvariables:\n  a: {type: int, default: x}\n---\n{{a}}", 3, "is a whole number, not 'x'"),
        ("---\nvariables:\n  a: {type: int, max: 3, default: 4}\n---\n{{a}}", 3, "is at most 3, not 4"),
        ("---\nvariables:\n  a-b: str\n---\nx", 3, "a name is letters, digits and _"),
        ("---\nlabels: production\n---\nx", 2, "labels is a list of words"),
        ("---\nname: x\n---\n\n \n", 0, "there is no text behind the front matter"),
    ],
)
def test_a_template_that_is_wrong_says_where_and_what(text: str, line: int, said: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Prompt.parse(text, source="p.md")

    assert str(caught.value).startswith(f"p.md:{line}: " if line else "p.md: ")
    assert said in str(caught.value)


def test_what_yaml_could_run_is_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "made"
    default = f"!!python/object/apply:os.mkdir ['{marker}']"

    with pytest.raises(UserError, match="template:3: this is no plain data: could not determine a constructor"):
        Prompt.parse(f"---\nvariables:\n  a: {{type: str, default: {default}}}\n---\n{{{{a}}}}")

    assert not marker.exists()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Versions 2, 9 and 10 of a prompt; 9 is in production."""
    for number, labels in ((2, "[old]"), (9, "[production]"), (10, "[latest]")):
        text = f"---\nlabels: {labels}\n---\nThis is number {number}."
        (tmp_path / f"greet@{number}.md").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_version_or_a_label_is_pinned_and_without_either_the_newest_is_taken(folder: Path) -> None:
    path = folder / "greet.md"

    newest, pinned, produced = Prompt.load(path), Prompt.load(path, version=2), Prompt.load(path, label="production")

    assert [each.version for each in (newest, pinned, produced)] == ["10", "2", "9"]
    assert {each.name for each in (newest, pinned, produced)} == {"greet"}
    path.write_text("---\nversion: 11\n---\nThis one stands alone.", encoding="utf-8")
    assert Prompt.load(path).version == "11"
    assert Prompt.load(path, version="11").render() == "This one stands alone."


def test_a_version_that_is_not_there_is_said_with_those_that_are(folder: Path) -> None:
    path = folder / "greet.md"

    with pytest.raises(BadInput, match="version '3' is not there; the versions are: 10, 2, 9"):
        Prompt.load(path, version=3)
    with pytest.raises(BadInput, match=r"label 'beta' is not there; the versions are: 10 \(latest\)"):
        Prompt.load(path, label="beta")
    with pytest.raises(BadInput, match=r"there is no template .*bye.md; in .* there are: greet@10.md"):
        Prompt.load(folder / "bye.md")
    with pytest.raises(UserError, match="a version or a label, not both"):
        Prompt.load(path, version=2, label="old")
    (folder / "greet@2.md").write_text("---\nversion: 3\n---\nx", encoding="utf-8")
    with pytest.raises(TemplateError, match=r"greet@2\.md:2: the file is version 2 by its name and 3 by this"):
        Prompt.load(path, version=2)


async def test_an_agent_speaks_by_a_bound_prompt_and_its_generations_say_which(ws: Workspace, path: Path) -> None:
    prompt = Prompt.load(path)
    model = ScriptedModel(["one", "two"])
    agent = Agent("a", model=model, instructions=prompt.bind(shop="Nordlys", since="2020-02-01"))

    run = await ws.run(agent, "go", thread_id="t")
    await ws.run(agent, "again", thread_id="t")

    first, second = (request.messages[0]["content"] for request in model.requests)
    assert first == second == prompt.render(shop="Nordlys", since="2020-02-01")
    spans = [node.span for root in await ws.trace(run.id) for node in root.walk()]
    told = next(span.attributes for span in spans if span.kind == "generation")
    assert told["segue.prompt.name"] == "support"
    assert told["segue.prompt.version"] == "1.10"
    assert told["segue.prompt.hash"] == prompt.hash


async def test_a_bound_value_may_be_a_function_of_the_run(ws: Workspace) -> None:
    def shop(ctx: RunContext[str]) -> str:
        return ctx.deps

    model = ScriptedModel(["hi"])
    prompt = Prompt.parse("---\nvariables: {shop: str}\n---\nYou serve {{shop}}.")

    await ws.run(Agent("a", model=model, instructions=prompt.bind(shop=shop)), "go", deps="Ann")

    assert model.requests[0].messages[0]["content"] == "You serve Ann."


def test_what_is_wrong_with_bound_values_is_said_when_they_are_bound(path: Path) -> None:
    prompt = Prompt.load(path)

    with pytest.raises(TemplateError, match=":9: the variable 'since' is missing"):
        prompt.bind(shop="Nordlys")
    with pytest.raises(TemplateError, match="there is no variable 'store'"):
        prompt.bind(shop="Nordlys", since="2020-02-01", store=lambda ctx: "x")


class Langfuse:
    """Prompt management as its public API answers, with the keys `pk` and `sk`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: dict[str, Any] = {}
        self.status = 200
        self.go_on = threading.Event()
        self.go_on.set()

    def prompt(self, text: Any, *, version: int = 4, **config: Any) -> None:
        kind = "text" if isinstance(text, str) else "chat"
        self.answer = {
            "name": "support", "prompt": text, "type": kind, "version": version, "config": config,
            "labels": ["production"], "tags": [],
        }  # fmt: skip


@pytest.fixture
def langfuse(monkeypatch: pytest.MonkeyPatch) -> Iterator[Langfuse]:
    """A server on loopback that the environment points to."""
    held = Langfuse()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            held.asked.append(self.path)
            held.go_on.wait(10)
            body = json.dumps(held.answer).encode()
            self.send_response(held.status if self.headers["Authorization"] == "Basic cGs6c2s=" else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("LANGFUSE_BASE_URL", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk")
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk")
    monkeypatch.setenv("NO_PROXY", "*")
    yield held
    held.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


LOCAL = Prompt.parse("---\nversion: 1\nvariables: {shop: str}\n---\nLocal for {{shop}}.", name="support")


def test_a_langfuse_prompt_comes_with_its_version_and_is_checked_like_a_file(langfuse: Langfuse) -> None:
    langfuse.prompt(
        "Remote for {{shop}} up to {{limit}}.", variables={"shop": "str", "limit": {"type": "int", "max": 9}}
    )

    prompt = Prompt.langfuse("desk/support", label="staging", fallback=LOCAL)

    assert prompt.render(shop="Nordlys", limit=5) == "Remote for Nordlys up to 5."
    assert (prompt.name, prompt.version, prompt.source) == ("desk/support", "4", "langfuse:desk/support")
    assert langfuse.asked == ["/api/public/v2/prompts/desk%2Fsupport?label=staging"]
    with pytest.raises(TemplateError, match="langfuse:desk/support: the variable 'limit' is at most 9"):
        prompt.render(shop="x", limit=10)


def test_without_label_it_is_production_a_version_is_pinned_and_variables_come_from_the_fallback(
    langfuse: Langfuse,
) -> None:
    langfuse.prompt("Remote for {{shop}}.")

    first = Prompt.langfuse("support", fallback=LOCAL)
    Prompt.langfuse("support", version=2)

    assert first.variables == LOCAL.variables
    assert [path.partition("?")[2] for path in langfuse.asked] == ["label=production", "version=2"]


@pytest.mark.parametrize("wrong", ["status", "key", "chat", "other variables", "late", "no keys", "nobody there"])
def test_what_cannot_be_had_is_replaced_by_the_local_version_with_a_warning(
    langfuse: Langfuse, wrong: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    langfuse.prompt("Remote for {{shop}}.")
    match wrong:
        case "status":
            langfuse.status = 503
        case "key":
            monkeypatch.setenv("LANGFUSE_SECRET_KEY", "other")
        case "chat":
            langfuse.prompt([{"role": "system", "content": "x"}])
        case "other variables":
            langfuse.prompt("Remote for {{store}}.")
        case "late":
            langfuse.go_on.clear()
        case "no keys":
            monkeypatch.delenv("LANGFUSE_PUBLIC_KEY")
        case _:
            monkeypatch.setenv("LANGFUSE_BASE_URL", "http://127.0.0.1:9")
    deadline_s = 0.05 if wrong == "late" else 5.0

    with caplog.at_level(logging.WARNING, "segue.prompts"):
        prompt = Prompt.langfuse("support", fallback=LOCAL, deadline_s=deadline_s)

    assert prompt.render(shop="Nordlys") == "Local for Nordlys."
    assert (prompt.version, prompt.fallback_for, prompt.hash) == ("1", "langfuse:support", LOCAL.hash)
    assert "the local version is used: langfuse:support" in caplog.text
    if wrong == "other variables":
        langfuse.prompt("Remote for {{a b}} and {{store}}.")
    with pytest.raises((EndpointError, UserError)):
        Prompt.langfuse("support", deadline_s=deadline_s)


def test_a_client_of_ones_own_is_asked_by_its_get_prompt() -> None:
    asked: list[Any] = []

    class Got:
        prompt, config, version, labels = "Own for {{shop}}.", None, 7, ["production"]

    class Client:
        def get_prompt(self, name: str, **options: Any) -> Got:
            asked.append((name, options))
            return Got()

    prompt = Prompt.langfuse("support", client=Client(), version=7)

    assert prompt.render(shop="x") == "Own for x."
    assert asked == [("support", {"type": "text", "max_retries": 0, "fetch_timeout_seconds": 2, "version": 7})]
