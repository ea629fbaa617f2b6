"""A real vLLM server for tests: started by the command that Segue itself makes, asked, signalled, and ended.

Its processes are the API server, the engine's core, and the worker that computes (`VLLM::Worker`); where the engine is
its own worker, the core counts as the worker.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from segue.router import DeploymentSettings
from segue.router.deployment import HttpDeployment
from segue.router.vllm_servers.command import ServerOptions, server_command
from segue.router.vllm_servers.installed import find_installed

READY_S = 300.0
MODEL = "tiny"
CONTEXT = 8192
ON_CPU = (
    "--dtype", "float32", "--enforce-eager", "--max-num-seqs", "16",
    "--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}',
)  # fmt: skip
ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
}


class VllmServer:
    """One server with the tiny model on a free port of this machine."""

    def __init__(
        self,
        python: str,
        model: Path,
        log: Path,
        *,
        loras: Mapping[str, str] | None = None,
        extra: tuple[str, ...] = (),
    ) -> None:
        """`log` is where what it says goes; `extra` are arguments such as `--num-gpu-blocks-override 64`."""
        installed = find_installed(python)
        assert installed is not None, f"{python} has no vLLM"
        self.log = log
        self.options = ServerOptions(
            port=_free_port(), served_name=MODEL, tool_parser="hermes", max_model_len=CONTEXT, loras=loras or {},
            extra=(*ON_CPU, *extra),
        )  # fmt: skip
        self.command = server_command(str(model), self.options, installed)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> str:
        """The address without `/v1`."""
        return f"http://127.0.0.1:{self.options.port}"

    @property
    def url(self) -> str:
        """The base URL."""
        return f"{self.base}/v1"

    def settings(self, **more: Any) -> DeploymentSettings:
        """The settings of a deployment that reach it."""
        given = {"engine": "vllm", "endpoint": self.url, "model": MODEL, "context_tokens": CONTEXT, **more}
        return DeploymentSettings.model_validate(given)

    def deployment(self, name: str = "gpu", **more: Any) -> HttpDeployment:
        """A deployment that reaches it."""
        return HttpDeployment(name, self.settings(**more))

    def start(self) -> None:
        """Start it, without waiting; a server that ended can be started again."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, env={**os.environ, **ENVIRONMENT}, cwd=self.log.parent, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def wait_ready(self, timeout_s: float = READY_S) -> None:
        """Wait until it is healthy."""
        ends = time.monotonic() + timeout_s
        while not self.is_healthy():
            assert self.process.poll() is None, f"vLLM ended with {self.process.returncode}:\n{self.said()}"
            assert time.monotonic() < ends, f"vLLM was not healthy within {timeout_s:g} s:\n{self.said()}"
            time.sleep(0.5)

    def is_healthy(self) -> bool:
        """Whether `/health` says 200."""
        try:
            with urllib.request.urlopen(f"{self.base}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The API server's process."""
        assert self._process is not None, "the server was never started"
        return self._process

    def said(self, lines: int = 40) -> str:
        """The end of what it said."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def send(self, number: signal.Signals) -> None:
        """Signal the API server."""
        self.process.send_signal(number)

    def signal_worker(self, number: signal.Signals) -> None:
        """Signal the process that computes: SIGSTOP is a GPU that hangs, SIGKILL one that is lost."""
        os.kill(self.worker(), number)

    def worker(self) -> int:
        """The process id of the worker."""
        running = _titles_of_children(self.process.pid)
        for title in ("VLLM::Worker", "VLLM::EngineCore"):
            found = [pid for pid, held in running.items() if held.startswith(title)]
            if found:
                return found[0]
        raise AssertionError(f"no worker among {running}")

    def wait_ended(self, timeout_s: float = 60.0) -> int:
        """Wait until the API server has ended; its exit code."""
        return self.process.wait(timeout_s)

    def stop(self) -> None:
        """End it and all of its processes, in whatever state they are."""
        if self._process is None:
            return
        with suppress(ProcessLookupError, AssertionError):
            os.killpg(self.process.pid, signal.SIGCONT)
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _titles_of_children(pid: int) -> dict[int, str]:
    """The command lines of all processes below one, by process id."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                after_name = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
                parents[int(folder.name)] = int(after_name.split()[1])
    below, grown = {pid}, True
    while grown:
        new = {child for child, parent in parents.items() if parent in below} - below
        below, grown = below | new, bool(new)
    titles = {}
    for child in below - {pid}:
        with suppress(OSError):
            raw = Path(f"/proc/{child}/cmdline").read_bytes()
            titles[child] = raw.replace(b"\0", b" ").decode("utf-8", "replace").strip()
    return titles
