"""A real Chromium for the tests of the page."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.web.browser import executable
from tests.web.site import Site, Visit, send, visiting

__all__ = ["Site", "Visit", "send"]


@pytest.fixture
async def visit(tmp_path: Path) -> AsyncIterator[Visit]:
    """Serves agents, and opens pages on them."""
    path = executable()
    if path is None:
        if os.environ.get("NO_BROWSER") == "1":
            pytest.skip("NO_BROWSER=1")
        pytest.fail("there is no Chromium: run .ci/browser, or name one in BROWSER_PATH; NO_BROWSER=1 does without")
    async with visiting(tmp_path, path) as serve:
        yield serve
