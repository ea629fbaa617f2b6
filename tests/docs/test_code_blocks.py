"""Every code block of README.md, CHANGELOG.md and the docs is run, and prints what the page says."""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.docs.pages import Block, blocks, name_of, pages
from tests.docs.running import SHELL, PageRunner, matches

NOT_IN_A_BLOCK = re.compile(r"\bmake (test|bench)|\bpip install|\bgit clone")
KINDS = {"python", *SHELL, "toml", "text", "mermaid"}


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own; no model server of this machine is looked for, and nothing outside it is reached."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("SEGUE_ROUTER__DETECT", "false")
    monkeypatch.setenv("COLUMNS", "140")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    connect = socket.socket.connect

    def to_this_machine(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1"):
            raise AssertionError(f"a block of a page reached out to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", to_this_machine)


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_code_block_of_a_page_runs_and_prints_what_the_page_says(page: Path, tmp_path: Path) -> None:
    known = set(sys.modules)

    with PageRunner(page, tmp_path) as runner:
        for block in blocks(page):
            runner.run(block)

    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_a_page_has_only_kinds_of_blocks_that_are_tested(page: Path) -> None:
    strange = [f"{name_of(page)}:{block.line} {block.kind!r}" for block in blocks(page) if block.kind not in KINDS]

    assert strange == []


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_a_shell_block_installs_nothing_and_starts_no_suite(page: Path) -> None:
    wrong = [
        f"{name_of(page)}:{block.line}"
        for block in blocks(page)
        if block.kind in SHELL and NOT_IN_A_BLOCK.search(block.code)
    ]

    assert wrong == []


def test_an_output_is_compared_whole_and_an_ellipsis_stands_for_anything() -> None:
    assert matches("run …\nends", "run run_01\nruns on\nends\n")
    assert not matches("run\nends", "run\nends\nand more")
    assert not matches("run … ends", "run")


def test_a_block_that_prints_something_else_than_its_page_says_is_found(tmp_path: Path) -> None:
    page = Path(__file__)
    said = Block(kind="python", code="print('one')", line=1, output="two")

    with PageRunner(page, tmp_path) as runner, pytest.raises(AssertionError, match="prints something else"):
        runner.run(said)


def test_a_shell_block_that_fails_in_the_middle_is_found(tmp_path: Path) -> None:
    with PageRunner(Path(__file__), tmp_path) as runner, pytest.raises(AssertionError, match="ended with 1"):
        runner.run(Block(kind="sh", code="false\necho on", line=1))
