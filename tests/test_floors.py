"""The floors of the house: what may import what, read from the source itself."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "segue"
FLOORS: tuple[frozenset[str], ...] = tuple(
    frozenset(floor.split())
    for floor in (
        "base",
        "tracing",
        "router",
        "memory",
        "context",
        "tools",
        "guards",
        "graphs",
        "agents",
        "workspace",
        "testing evals jobs",
        "server",
        "cli",
    )
)
LEVEL = {room: level for level, floor in enumerate(FLOORS) for room in floor}
LINKED = ("agents", "tools", "graphs", "memory", "evals")
DEPENDENCIES = frozenset(
    "langgraph langchain langchain_core openai weaviate guardrails langfuse opentelemetry pydantic aiohttp orjson "  # noqa: SIM905
    "numpy sqlalchemy sqlglot dbos fastapi starlette uvicorn typer rich redis mcp anyio tokenizers vllm".split()
)


def rooms() -> list[Path]:
    return sorted(path for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__")


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, wherever in it: at its top, inside functions, under TYPE_CHECKING."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{base}.{alias.name}" if base == "segue" else base) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"importlib.import_module", "__import__"}:
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield node.lineno, first.value


def tracked() -> list[Path]:
    """The text files of the repository, as git knows them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=20
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    found = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [
        path for path in found if path.is_file() and not path.is_symlink() and b"\0" not in path.read_bytes()[:8192]
    ]


def test_every_room_has_a_floor() -> None:
    strangers = {path.name for path in rooms()} - set(LEVEL) - {"web"}

    assert strangers == set(), "a room without a floor: give it one in DESIGN and here"


def test_imports_go_down_only() -> None:
    wrong = []
    for path in modules():
        room = path.relative_to(PACKAGE).parts[0]
        if room not in LEVEL:
            continue
        for line, name in imported(path):
            if name.startswith("."):
                wrong.append(f"{path.relative_to(ROOT)}:{line} is a relative import: {name}")
            parts = name.split(".")
            if parts[0] != "segue" or parts[1:2] == [room] or parts[1:2] in (["_version"], ["__version__"]):
                continue
            other = parts[1] if len(parts) > 1 else "the public face"
            if LEVEL.get(other, len(FLOORS)) >= LEVEL[room]:
                wrong.append(f"{path.relative_to(ROOT)}:{line} in {room} looks up to {other}")

    assert wrong == []


def test_web_holds_no_python() -> None:
    assert list((PACKAGE / "web").rglob("*.py")) == []


@pytest.mark.parametrize("name", LINKED)
def test_a_top_level_link_points_into_the_package(name: str) -> None:
    link = ROOT / name
    if not link.is_symlink():
        assert not link.is_dir(), f"{name}/ is a folder of its own; it must be a link, or a file without links"
        pytest.skip("no symbolic links in this checkout")

    assert link.readlink() == Path("src/segue") / name


@pytest.mark.parametrize("folder", ["src", "tests", "examples", "benchmarks", "notebooks"])
def test_nothing_imports_a_top_level_link(folder: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, name in imported(path)
        if name.split(".")[0] in LINKED
    ]

    assert wrong == []


def test_no_folder_is_named_like_a_dependency() -> None:
    folders = [path for path in PACKAGE.rglob("*") if path.is_dir()] + [
        path for path in ROOT.iterdir() if path.is_dir()
    ]

    assert sorted(path.name for path in folders if path.name in DEPENDENCIES) == []


def undocumented(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if ast.get_docstring(tree) is None and tree.body and path.name != "_version.py":
        yield f"{path.relative_to(ROOT)} says not what it is"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _bare(node, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield from _bare(inner, f"{path.relative_to(ROOT)}:{inner.lineno} {node.name}.{inner.name}")


def _bare(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, where: str) -> Iterator[str]:
    marks = {ast.unparse(each).split(".")[-1] for each in node.decorator_list}
    inherited = node.name.startswith("_") or marks & {"overload", "setter", "override"}
    if not inherited and ast.get_docstring(node) is None:
        yield where


def test_every_module_and_every_public_name_says_what_it_is() -> None:
    bare = [each for path in modules() for each in undocumented(path)]

    assert bare == []


REGISTRY = re.compile(
    r"\b(?:"
    + "|".join(("python" + "hosted", "py" + "pi", "npm" + "js", "yarn" + "pkg", "crates", "anaconda"))
    + r")\.(?:org|com|io)\b"
)
"""Their names are put together here, so that no file holds one."""
MACHINE_PATH = re.compile(r"(?<![\w.<])/(?:home|Users|root|work)/[A-Za-z0-9_.-]+/")


def test_no_file_names_a_package_registry_host() -> None:
    wrong = [f"{path.relative_to(ROOT)}: {found[0]}" for path in tracked() if (found := REGISTRY.search(_text(path)))]

    assert wrong == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {found[0]}" for path in tracked() if (found := MACHINE_PATH.search(_text(path)))
    ]

    assert wrong == []


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
