"""What is installed and what an import does: LLM03 and ASI04, supply chain."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
MALICIOUS = {
    "guardrails-ai": ["0.10.1"],
    "litellm": ["1.82.7", "1.82.8"],
    "mistralai": ["2.4.6"],
    "durabletask": ["1.4.1", "1.4.2", "1.4.3"],
}
"""Releases that were found to carry somebody else's code."""
VULNERABLE = {
    "guardrails-ai": "0.6.7",
    "litellm": "1.83.14",
    "langchain-core": "1.3.2",
    "langgraph-checkpoint": "3.0.1",
}
"""Releases with known holes that a requirement must not let in."""
STARTS = {"_editable_impl_segue", "a1_coverage", "distutils-precedence", "_virtualenv"}
"""Files that may run code at the start of an interpreter: this checkout, coverage, setuptools, virtualenv."""


def pinned(lock: Path) -> dict[str, str]:
    """Each requirement of a lock with all that stands behind it."""
    entries = re.sub(r"\\\n\s*", " ", lock.read_text()).splitlines()
    found = [each for each in entries if each.strip() and not each.lstrip().startswith("#")]
    return {re.split(r"[\s=<>\[;@]", each, maxsplit=1)[0].lower(): each for each in found}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_of_a_lock_is_one_version_with_its_hashes_and_no_place_to_fetch_from(lock: Path) -> None:
    """LLM03, ASI04 supply chain: what is installed is what was looked at, and nothing says to get it elsewhere."""
    entries = pinned(lock)

    assert len(entries) >= 5
    for line in entries.values():
        wanted, *hashes = line.split(" --hash=")
        requirement = Requirement(wanted)
        assert ([each.operator for each in requirement.specifier], requirement.url) == (["=="], None), wanted
        assert [each for each in hashes if re.fullmatch(r"sha256:[0-9a-f]{64}", each.strip())] == hashes != [], wanted


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_lock_holds_a_release_that_is_known_to_be_malicious(lock: Path) -> None:
    """LLM03, ASI04 supply chain: the bad releases of packages that stand in the locks, or could come to."""
    held = {name: line.split("==")[1].split()[0] for name, line in pinned(lock).items()}

    assert {name: version for name, version in held.items() if version in MALICIOUS.get(name, ())} == {}


def test_no_requirement_of_ours_lets_in_a_release_that_is_known_to_be_bad() -> None:
    """LLM03, ASI04 supply chain: whoever installs without the locks does not get one either."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [each for group in project["optional-dependencies"].values() for each in group]
    wanted = {each.name: each.specifier for each in map(Requirement, [*project["dependencies"], *extras])}

    assert {"guardrails-ai", "litellm", "langchain-core", "langgraph-checkpoint"} <= wanted.keys()
    bad = [(name, version) for name, held in MALICIOUS.items() for version in held] + list(VULNERABLE.items())
    assert [(name, each) for name, each in bad if name in wanted and wanted[name].contains(each)] == []


def test_nothing_runs_at_the_start_of_an_interpreter_but_what_is_known() -> None:
    """LLM03, ASI04 supply chain: a stealer came as a .pth file, which runs before any import."""
    places = {sysconfig.get_path(each) for each in ("purelib", "platlib")}
    started = {
        file.stem
        for place in places
        for file in Path(place).glob("*.pth")
        if any(line.startswith(("import ", "import\t")) for line in file.read_text().splitlines())
    }

    assert started <= STARTS


WATCHED = """
import json, sys
seen = []
def hook(event, arguments):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.", "os.exec",
                         "os.posix_spawn", "os.system", "os.fork", "urllib.")):
        seen.append([event, repr(arguments)[:200]])
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        seen.append([event, repr(arguments)[:200]])
sys.dont_write_bytecode = True
sys.addaudithook(hook)
import segue
for name in segue.__all__:
    getattr(segue, name)
import segue.server, segue.jobs.opening, segue.guards, segue.router, segue.cli.main, segue.tools.sandbox.toolset
import segue.tools.connectors.sql, segue.tools.connectors.crm, segue.memory.documents, segue.evals
import segue.tracing.langfuse, segue.tracing.otlp
print(json.dumps(seen))
"""


def test_importing_all_of_it_asks_nobody_starts_nothing_and_writes_nothing(tmp_path: Path) -> None:
    """LLM03, ASI04 supply chain: no connection, no look-up of a name, no process and no file."""
    keep = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    environment = {**keep, "PYTHONPATH": str(ROOT / "src"), "HOME": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "-c", WATCHED], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert list(tmp_path.iterdir()) == []
