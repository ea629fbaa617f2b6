"""The page on security names the tests that are here, each of them, and no other."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent


def test_the_page_names_every_test_and_no_other() -> None:
    page = (HERE.parents[1] / "docs" / "security.md").read_text(encoding="utf-8")
    files = [file for file in HERE.glob("test_*.py") if file.name != Path(__file__).name]
    tests = {name for file in files for name in re.findall(r"(?m)^(?:async )?def (test_\w+)", file.read_text())}

    assert set(re.findall(r"`(test_\w+)`", page)) == tests
