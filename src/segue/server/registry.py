"""The agents that a server serves: a folder of Python files in, agents and teams by their names out.

A file that cannot be imported is passed over and told of; the others are served. What goes on goes on with the agent
that it began with.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from segue.agents.runnable import Runnable
from segue.base.errors import ConfigError, SegueError, names
from segue.server.errors import NotThere
from segue.workspace.loading import load, load_all

_log = logging.getLogger("segue.server")
_OURS = re.compile(r"^\s*(?:from|import)\s+segue\b", re.MULTILINE)
"""A file that does not import Segue defines no agent, and is not imported to see."""
_Seen = dict[Path, tuple[int, int]]


class Registry:
    """The agents by name."""

    def __init__(self, folder: Path, targets: Sequence[str] = (), agents: Iterable[Runnable] = ()) -> None:
        """`targets` are `module:attr` or `file.py:attr`; without any, and without agents, the folder is looked through.

        Raises:
            BadInput: A target is not there.
            ConfigError: A target cannot be imported, or two agents have one name.
        """
        self.folder, self._targets, self._given = folder, tuple(targets), tuple(agents)
        self.problems: list[str] = []
        """Files that could not be imported, and why."""
        self._agents: dict[str, Runnable] = {}
        self._seen: _Seen = {}
        self.load()

    def load(self) -> None:
        """Read everything."""
        self.problems = []
        self._seen = _files(self.folder)
        found = [*self._given, *(load(each, self.folder) for each in self._targets)]
        if not found:
            found = self._looked_through()
        self._agents = {}
        for each in found:
            held = self._agents.setdefault(each.name, each)
            if held is not each:
                self._clash(held, each)

    def changed(self) -> bool:
        """Whether a Python file in the folder has changed since. Reads the disk: call it in a thread."""
        return _files(self.folder) != self._seen

    def reload(self) -> None:
        """Import the folder's files anew. What cannot be imported now keeps what it defined before."""
        before = self._agents
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if path and Path(path).parent == self.folder and _defines(Path(path)):
                del sys.modules[name]
        try:
            self.load()
        except SegueError as error:
            self._agents, self.problems = before, [str(error)]
        broken = {each.partition(" ")[0] for each in self.problems}
        for name, agent in before.items():
            if agent.source.partition(":")[0] in broken:
                self._agents.setdefault(name, agent)

    def get(self, name: str) -> Runnable:
        """An agent by its name.

        Raises:
            NotThere: There is none; says which there are.
        """
        if name not in self._agents:
            raise NotThere("agent", name, way_out=f"There are: {names(self._agents)}.")
        return self._agents[name]

    def find(self, name: str) -> Runnable | None:
        """An agent by its name; `None` where there is none any more."""
        return self._agents.get(name)

    def all(self) -> list[Runnable]:
        """Every agent, by name."""
        return [self._agents[name] for name in sorted(self._agents)]

    def by_source(self, source: str) -> Runnable:
        """The agent at a source, as runs name it; loaded where it is not served."""
        for each in self._agents.values():
            if source and each.source == source:
                return each
        found: Runnable = load(source, self.folder)
        return found

    def _looked_through(self) -> list[Runnable]:
        found: dict[int, Runnable] = {}
        for path in self._seen:
            try:
                for each in load_all(path.name, self.folder).values():
                    found[id(each)] = each
            except SegueError as error:
                self.problems.append(str(error))
                _log.warning("%s", error)
        return list(found.values())

    def _clash(self, held: Runnable, other: Runnable) -> None:
        problem = f"{other.source} and {held.source} are both named {held.name!r}; only the second is served"
        if self._targets:
            raise ConfigError(problem, way_out="Give one of them another name.")
        self.problems.append(problem)
        _log.warning("%s", problem)


def _files(folder: Path) -> _Seen:
    """The Python files of a folder that may define agents, with when they changed and how long they are."""
    found: _Seen = {}
    for path in sorted(folder.glob("*.py")):
        try:
            held = path.stat()
            if _defines(path):
                found[path] = (held.st_mtime_ns, held.st_size)
        except OSError:
            continue
    return found


def _defines(path: Path) -> bool:
    if path.name.startswith("test_") or path.name == "conftest.py" or not path.is_file():
        return False
    return bool(_OURS.search(path.read_text(encoding="utf-8", errors="replace")))
