"""Modules that are imported without collections of garbage in between."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.base.imports import load

NAMES = ("segue_probe_whole", "segue_probe_broken", "segue_probe_off")


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in NAMES:
        sys.modules.pop(name, None)


class _Ring:
    def __init__(self) -> None:
        self.me = self


def test_nothing_is_collected_during_an_import_and_everything_can_be_after_it(written: Path) -> None:
    (written / "segue_probe_whole.py").write_text("import gc\nduring = gc.isenabled()\n")
    ring = _Ring()
    gone = weakref.ref(ring)
    gc.unfreeze()  # a workspace that was open in this process may have frozen what was loaded

    found = load("segue_probe_whole")
    del ring

    assert found.during is False
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert gone() is None


def test_an_import_that_fails_switches_collections_on_again(written: Path) -> None:
    (written / "segue_probe_broken.py").write_text("raise ValueError('broken')\n")

    with pytest.raises(ValueError, match="broken"):
        load("segue_probe_broken")

    assert gc.isenabled()


def test_a_program_that_switched_collections_off_keeps_them_off(written: Path) -> None:
    (written / "segue_probe_off.py").write_text("")
    gc.disable()
    try:
        load("segue_probe_off")

        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_the_program_has_frozen_stays_frozen(written: Path) -> None:
    (written / "segue_probe_whole.py").write_text("")
    gc.freeze()
    try:
        load("segue_probe_whole")

        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_httpx_comes_without_its_command_line_tool_and_has_it_when_it_is_called() -> None:
    said = subprocess.run(
        [sys.executable, "-c", _HTTPX], check=True, capture_output=True, text=True, timeout=60
    ).stdout.splitlines()

    assert said[0] == "False False"
    assert said[1].endswith("_main.py")
    assert "HTTPX" in said[2]


_HTTPX = """
import sys
from segue import Workspace
import httpx
print("httpx._main" in sys.modules, "rich.console" in sys.modules)
import httpx._main
print(httpx._main.__file__)
sys.argv = ["httpx", "--help"]
httpx.main()
"""
