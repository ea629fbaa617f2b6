"""Real vLLM servers. Nothing here is collected unless `VLLM_PYTHON` names a Python that has vLLM: `make test-vllm`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.vllm.servers import VllmServer

PYTHON = os.environ.get("VLLM_PYTHON", "")
HERE = Path(__file__).parent
collect_ignore_glob = [] if PYTHON else ["test_*.py"]

ADAPTER = "tiny-sql"
StartServer = Callable[..., VllmServer]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of it is marked, and has time: a server takes a minute to start where others compute."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.vllm)
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def vllm_python() -> str:
    """The Python that has vLLM."""
    return PYTHON


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny model, and an adapter in `adapter`."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    command = [PYTHON, str(HERE / "tiny_model.py"), str(folder), "--adapter", str(folder / "adapter")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def start_server(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Starts a server, waits for it unless told not to, and ends it at the end of the session at the latest."""
    started: list[VllmServer] = []

    def start(*extra: str, loras: bool = False, wait: bool = True) -> VllmServer:
        log = tmp_path_factory.mktemp("vllm") / "server.log"
        adapters = {ADAPTER: str(tiny / "adapter")} if loras else {}
        server = VllmServer(PYTHON, tiny, log, loras=adapters, extra=extra)
        started.append(server)
        server.start()
        if wait:
            server.wait_ready()
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def server(start_server: StartServer) -> VllmServer:
    """A server that many tests share: leave it as it is, or mend it."""
    return start_server(loras=True)


@pytest.fixture(scope="session")
def two_servers(server: VllmServer, start_server: StartServer) -> tuple[VllmServer, VllmServer]:
    """The shared server, and another one."""
    return server, start_server()


@pytest.fixture
def broken_server(start_server: StartServer) -> Iterator[VllmServer]:
    """A server of the test's own, to be killed or stopped."""
    own = start_server()
    yield own
    own.stop()
