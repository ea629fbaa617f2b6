"""The server and the real Chromium that other tests have, for tests of what an attacker comes to."""

from tests.server.conftest import serve
from tests.web.conftest import visit

__all__ = ["serve", "visit"]
