"""Running a page: its blocks one after the other, in a folder of their own, without network, key or model server.

Python blocks share one module and one event loop, and may `await` at top level. Shell blocks run in bash. What a block
prints is compared with the output that the page shows; `…` there stands for anything.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import linecache
import os
import re
import subprocess
import sys
import types
from pathlib import Path

from tests.docs.pages import ROOT, Block, name_of

SHELL = ("sh", "bash", "console")
IN_REPOSITORY = "# in the repository"
"""Begins a shell block that runs in the repository's root."""
LIMIT_S = 60.0


class PageRunner:
    """Runs the blocks of one page in their order."""

    def __init__(self, page: Path, folder: Path) -> None:
        self._page = page
        self._folder = folder
        self._module = types.ModuleType(f"page_{re.sub(r'[^a-z0-9]', '_', page.stem.lower())}")
        self._loop = asyncio.Runner()

    def __enter__(self) -> PageRunner:
        sys.modules[self._module.__name__] = self._module
        linecache.checkcache(str(self._page))
        return self

    def __exit__(self, *error: object) -> None:
        sys.modules.pop(self._module.__name__, None)
        self._loop.close()

    def run(self, block: Block) -> None:
        """Run one block and compare its output; blocks of other kinds are passed over."""
        if block.kind == "python":
            self._compare(block, self._python(block))
        elif block.kind in SHELL:
            self._shell(block)
        elif block.kind == "toml":
            self._toml(block)

    def _python(self, block: Block) -> str:
        source = "\n" * (block.line - 1) + block.code
        code = compile(source, str(self._page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            if code.co_flags & inspect.CO_COROUTINE:
                function = types.FunctionType(code, self._module.__dict__)
                self._loop.run(asyncio.wait_for(function(), LIMIT_S))
            else:
                exec(code, self._module.__dict__)
        return printed.getvalue()

    def _shell(self, block: Block) -> None:
        script, output = block.code, block.output
        if block.kind == "console":
            lines = block.code.splitlines()
            script = "\n".join(line.removeprefix("$ ") for line in lines if line.startswith("$ "))
            output = "\n".join(line for line in lines if not line.startswith("$ ")) or output
        here = ROOT if script.startswith(IN_REPOSITORY) else self._folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", script], cwd=here, env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{self._at(block)} ended with {done.returncode}:\n{done.stdout}"
        self._compare(Block(kind=block.kind, code=script, line=block.line, output=output), done.stdout)

    def _toml(self, block: Block) -> None:
        from segue.workspace.settings import FILE, read

        folder = self._folder / f"settings-{block.line}"
        folder.mkdir()
        (folder / FILE).write_text(block.code, encoding="utf-8")
        read(folder).router_settings()

    def _compare(self, block: Block, printed: str) -> None:
        if block.output is not None:
            said = f"--- the page says\n{block.output}\n--- it printed\n{printed}"
            assert matches(block.output, printed), f"{self._at(block)} prints something else.\n{said}"

    def _at(self, block: Block) -> str:
        return f"{name_of(self._page)}:{block.line}"


def matches(wanted: str, printed: str) -> bool:
    """Whether a text is the wanted one; `…` stands for anything, and white space at the ends of lines for nothing."""
    pattern = ".*?".join(re.escape(part) for part in _trimmed(wanted).split("…"))
    return re.fullmatch(pattern, _trimmed(printed), re.DOTALL) is not None


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))
