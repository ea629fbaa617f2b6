"""Finding what a person defined: `module:attr` or `file.py:attr` in, an agent or a team out; or all of a file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from segue.base.errors import BadInput, ConfigError, SegueError, names


def load(target: str, folder: Path) -> Any:
    """The agent or team that the target names.

    Without `:attr` it is the only team of the module, else its only agent.

    Raises:
        BadInput: No such module, file or attribute; the message says what there is.
        ConfigError: The module cannot be imported; the message names the line and the error.
    """
    from segue.agents.runnable import Runnable

    place, _, attribute = target.partition(":")
    module = _module(place, folder)
    held = {name: value for name, value in vars(module).items() if isinstance(value, Runnable)}
    if not attribute:
        found = _only(held, place)
    else:
        found = _attribute(module, attribute, held, place)
    if not isinstance(found, Runnable):
        raise BadInput(f"{target} is a {type(found).__name__}, not an Agent or a Team; {place} has: {names(held)}")
    found.source = target if attribute else f"{place}:{next(key for key, value in held.items() if value is found)}"
    return found


def load_or_maker(target: str, folder: Path) -> Any:
    """As `load`, or the function that the target names, which makes an agent for a folder of its own.

    Raises:
        BadInput: As `load`, or it is neither.
        ConfigError: As `load`.
    """
    from segue.agents.runnable import Runnable

    if not target.rpartition(":")[0]:
        return load(target, folder)
    found = load_object(target, folder)
    if isinstance(found, Runnable):
        return load(target, folder)
    if callable(found) and not isinstance(found, type):
        return found
    raise BadInput(f"{target} is a {type(found).__name__}: neither an Agent or a Team nor a function that makes one")


def load_object(target: str, folder: Path) -> Any:
    """Whatever the target names, as `module:attr` or `file.py:attr`.

    Raises:
        BadInput: No such module, file or attribute.
        ConfigError: The module cannot be imported; the message names the line and the error.
    """
    from segue.agents.runnable import Runnable

    place, _, attribute = target.rpartition(":")
    if not place:
        raise BadInput(f"{target!r} names nothing.", way_out="Give it as file.py:attr, or as package.module:attr.")
    module = _module(place, folder)
    held = {name: value for name, value in vars(module).items() if isinstance(value, Runnable)}
    return _attribute(module, attribute, held, place)


def load_all(place: str, folder: Path) -> dict[str, Any]:
    """The agents and teams that a module or a file defines, by their names there.

    Raises:
        BadInput: No such module or file.
        ConfigError: It cannot be imported; the message names the line and the error.
    """
    from segue.agents.runnable import Runnable

    held = {name: value for name, value in vars(_module(place, folder)).items() if isinstance(value, Runnable)}
    for name, found in held.items():
        found.source = f"{place}:{name}"
    return held


def _attribute(module: ModuleType, attribute: str, held: dict[str, Any], place: str) -> Any:
    value: Any = module
    for part in attribute.split("."):
        if not hasattr(value, part):
            raise BadInput(f"{place} has no {attribute!r}; its agents and teams are: {names(held)}")
        value = getattr(value, part)
    return value


def _only(held: dict[str, Any], place: str) -> Any:
    from segue.agents import Team

    teams = {name: value for name, value in held.items() if isinstance(value, Team)}
    for chosen in (teams, held):
        if len(chosen) == 1:
            return next(iter(chosen.values()))
        if chosen:
            raise BadInput(f"{place} defines several: {names(chosen)}.", way_out=f"Name one, as {place}:NAME.")
    raise BadInput(f"{place} defines no Agent and no Team.")


def _module(place: str, folder: Path) -> ModuleType:
    path = (folder / place).resolve()
    try:
        if place.endswith(".py") or path.is_file():
            return _from_file(path, place)
        _look_in(folder)
        return importlib.import_module(place)
    except SegueError:
        raise
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(f"{error.name}.")):
            nearby = sorted(each.name for each in folder.glob("*.py"))
            raise BadInput(
                f"there is no module {place!r} here.", way_out=f"Python files in {folder}: {names(nearby)}."
            ) from None
        raise ConfigError(_broken(place, error)) from error
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise ConfigError(_broken(place, error)) from error


def _from_file(path: Path, place: str) -> ModuleType:
    if not path.is_file():
        raise BadInput(
            f"there is no file {path}.", way_out="Give it as file.py:attr, or a module as package.module:attr."
        )
    _look_in(path.parent)
    name = path.stem if path.stem.isidentifier() else "segue_agents"
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BadInput(f"{place} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _look_in(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _broken(place: str, error: BaseException) -> str:
    """Where the module broke: the last line of the person's own code in the traceback."""
    if isinstance(error, SyntaxError):
        return f"{place} cannot be imported: {error.filename}, line {error.lineno}: {error.msg}."
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    own = [frame for frame in frames if "/segue/" not in frame.filename.replace("\\", "/")] or frames
    where = f"{own[-1].filename}, line {own[-1].lineno}: " if own else ""
    return f"{place} cannot be imported: {where}{type(error).__name__}: {error}."
