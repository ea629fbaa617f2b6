"""Rail: one check of one text, call, plan or result. In goes a subject, out comes a verdict.

`@rail` makes one of a function; a class derives from `Rail`, or from `segue.guards.texts.TextRail` where only the text
in the subject matters. How several rails are run one after the other, timed, traced and made to fail closed is in
`segue.guards.judging`; where they stand in a run is decided in `segue.graphs`.
"""

from __future__ import annotations

import inspect
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args, overload

from segue.base.errors import UserError, names
from segue.base.quick import quick
from segue.context.decisions import Allow, Block, Decision
from segue.context.run import RunContext
from segue.guards.threads import Threads

Place = Literal["input", "plan", "output", "tool_call", "tool_result"]
"""Where a rail stands."""

PLACES: frozenset[str] = frozenset(get_args(Place))
Check = Callable[..., Any]
"""`(what)` or `(what, ctx)`, async or not, to a verdict, a bool or `None`."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a rail looks at."""

    place: Place
    text: str
    """The readable text: of a tool call its arguments as JSON, of a plan its tasks."""
    value: Any = None
    """Of a plan the list of its tasks, of a tool call its arguments, of an output the data where it is typed."""
    tool: str = ""
    """Of a tool call or result: the tool's name."""
    agent: str = ""
    """The agent that acts."""
    effect: str = ""
    """Of a tool call: what the tool does to the world."""
    shown: tuple[str, ...] = ()
    """Of an output: the texts that tools and workers have shown the agent in this conversation."""


class Rail(ABC):
    """One check. It may hold state, but is called by many runs at once."""

    name: str = ""
    """As it stands in reasons and in the trace; by default the name of the class."""
    places: frozenset[Place] = frozenset({"input", "output"})
    window: int | None = None
    """How many characters it must see at once; `None` for the whole text."""
    timeout_s: float = 2.0
    """After that long it counts as failed, and a failed rail blocks."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.name or any(cls.name == above.__name__ for above in cls.__mro__[1:]):
            cls.name = cls.__name__

    @abstractmethod
    async def check(self, subject: Subject, ctx: RunContext[Any]) -> Decision:
        """Say what to do with the subject. A reason never quotes what was found."""


class FunctionRail(Rail):
    """A function as a rail."""

    def __init__(
        self, fn: Check, *, name: str, places: Iterable[str], window: int | None = None, timeout_s: float = 2.0
    ) -> None:
        self.fn = fn
        self.name = name
        self.places = checked_places(places, name)
        self.window = window
        self.timeout_s = checked_timeout(timeout_s, name)
        self._threads = Threads()
        self._takes_subject, self._takes_ctx = _signature(fn, name)
        self._is_async = inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(getattr(fn, "__call__", None))  # noqa: B004

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function as it is."""
        return self.fn(*args, **kwargs)

    async def check(self, subject: Subject, ctx: RunContext[Any]) -> Decision:
        """Call the function; `None` and true allow, false blocks."""
        what = subject if self._takes_subject else subject.text
        arguments = (what, ctx) if self._takes_ctx else (what,)
        said = await (self.fn(*arguments) if self._is_async else self._threads.call(self.fn, *arguments))
        if inspect.isawaitable(said):
            said = await said
        if said is None or said is True:
            return Allow()
        if said is False:
            return Block(f"rail {self.name!r} says no", rule=self.name)
        return said  # type: ignore[no-any-return] # whatever else it is, `judge` looks at it


@overload
def rail(fn: Check, /) -> FunctionRail: ...


@overload
def rail(
    fn: Check,
    /,
    *,
    name: str | None = None,
    places: Iterable[Place] = ...,
    window: int | None = ...,
    timeout_s: float = ...,
) -> FunctionRail: ...


@overload
def rail(
    *, name: str | None = None, places: Iterable[Place] = ..., window: int | None = ..., timeout_s: float = ...
) -> Callable[[Check], FunctionRail]: ...


def rail(
    fn: Check | None = None,
    /,
    *,
    name: str | None = None,
    places: Iterable[Place] = ("input", "output"),
    window: int | None = None,
    timeout_s: float = 2.0,
) -> FunctionRail | Callable[[Check], FunctionRail]:
    """Make a rail of a function `(what, ctx)`; `ctx` may be left out.

    `what` is the text, or the whole `Subject` where the parameter is annotated so. The function returns a verdict;
    `None` and true allow, false blocks. A function that is not async runs in a thread, so that one that hangs can
    be given up.

    Raises:
        UserError: It takes no argument or more than two, or a place or the time limit is unusable.
    """

    def make(check: Check) -> FunctionRail:
        called: str = name or getattr(check, "__name__", None) or type(check).__name__
        return FunctionRail(check, name=called, places=places, window=window, timeout_s=timeout_s)

    return make if fn is None else make(fn)


def checked_places(places: Iterable[str], name: str) -> frozenset[Place]:
    """The places as a set.

    Raises:
        UserError: One is unknown, or there is none.
    """
    found = frozenset([places] if isinstance(places, str) else places)
    if not found or not found <= PLACES:
        wrong = names(found - PLACES) if found else "nowhere"
        raise UserError(f"rail {name!r} cannot stand at {wrong}; the places are {names(PLACES)}")
    return found  # type: ignore[return-value]


def checked_timeout(timeout_s: float, name: str) -> float:
    """The time limit.

    Raises:
        UserError: It is not a number of seconds above 0.
    """
    number = isinstance(timeout_s, int | float) and not isinstance(timeout_s, bool)
    if not (number and math.isfinite(timeout_s) and timeout_s > 0):
        raise UserError(f"rail {name!r}: timeout_s is a number of seconds above 0, not {timeout_s!r}")
    return float(timeout_s)


def _signature(fn: Check, name: str) -> tuple[bool, bool]:
    """Whether it takes the whole subject, and whether it takes the context."""
    found = [each for each in inspect.signature(fn).parameters.values() if each.kind not in (each.VAR_KEYWORD,)]
    many = any(each.kind is each.VAR_POSITIONAL for each in found)
    needed = [each for each in found if each.default is each.empty and each.kind is not each.VAR_POSITIONAL]
    keyword = not found or found[0].kind is found[0].KEYWORD_ONLY
    if keyword or len(needed) > 2 or any(each.kind is each.KEYWORD_ONLY for each in needed):
        raise UserError(f"rail {name!r} is a function of (what) or (what, ctx), not of {inspect.signature(fn)}")
    annotation = found[0].annotation
    takes_subject = annotation is Subject or (isinstance(annotation, str) and annotation.split(".")[-1] == "Subject")
    return takes_subject, many or len(needed) == 2 or (len(found) > 1 and found[1].name == "ctx")


MakeT = TypeVar("MakeT", bound=Callable[..., Rail])


def makes_rail(make: MakeT) -> MakeT:
    """Mark a function that makes a rail and needs no argument, so that it may be named without being called."""
    make.makes_rail = True  # type: ignore[attr-defined]
    return make


def text_of_value(value: Any) -> str:
    """The readable text of a value: itself if it is text, else JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
