"""A bare clone on a machine with Python and nothing else of ours: the demo sets itself up, then needs no network."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def make(folder: Path, target: str, *before: str) -> subprocess.CompletedProcess[str]:
    """One command, as a newcomer types it."""
    kept = {
        key: value for key, value in os.environ.items() if key not in ("VENV", "PYTHON", "VIRTUAL_ENV", "MAKEFLAGS")
    }
    return subprocess.run(
        [*before, "make", target],
        cwd=folder, env=kept, capture_output=True, text=True, timeout=800, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of what is committed, without symbolic links, as some systems make it."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    folder = tmp_path_factory.mktemp("bare") / "clone"
    subprocess.run(["git", "clone", "-q", "-c", "core.symlinks=false", str(ROOT), str(folder)], check=True)
    return folder


def test_the_demo_sets_itself_up_and_runs_again_without_a_network(clone: Path) -> None:
    first = make(clone, "demo")
    cut = ["unshare", "-rn"] if shutil.which("unshare") else []
    if cut and subprocess.run([*cut, "true"], capture_output=True, check=False).returncode:
        cut = []  # no namespaces here: it still runs, with the network there
    second = make(clone, "demo", *cut)

    assert first.returncode == 0, first.stdout[-2000:] + first.stderr[-2000:]
    assert second.returncode == 0, second.stdout[-2000:] + second.stderr[-2000:]
    assert "Setting up" in first.stdout
    assert "Setting up" not in second.stdout
    assert "completed" in second.stdout
    status = subprocess.run(["git", "status", "--short"], cwd=clone, capture_output=True, text=True, check=True)
    assert status.stdout == ""
