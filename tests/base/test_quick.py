"""Frozen dataclasses that are made quickly are what they were, in each respect but time."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, InitVar, asdict, dataclass, field, replace
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from segue.base.quick import quick

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    kind: ClassVar[str] = "base"
    run_id: str


def _fields(name: str, of: Any = quick) -> Any:
    @dataclass(frozen=True, slots=True)
    class Made(Base):
        """Of each sort of field one."""

        kind: ClassVar[str] = "made"
        first: int
        second: str = "two"
        things: list[int] = field(default_factory=list)
        named: int = field(default=3, kw_only=True)
        hidden: tuple[int, ...] = field(init=False, default=(1, 2))
        fresh: dict[str, int] = field(init=False, default_factory=dict)
        ignored: int = field(default=0, compare=False, repr=False)

    Made.__qualname__ = Made.__name__ = name
    globals()[name] = Made
    return of(Made)


Quick: Any = _fields("Quick")
Slow: Any = _fields("Slow", lambda cls: cls)

CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {"run_id": "r"}), ((1, "b"), {"run_id": "r", "named": 9}), ((1, "b", [4]), {"run_id": "r", "ignored": 2}),
    ((), {"first": 7, "run_id": "r", "things": []}), ((1, "b", [4], 5), {"run_id": "r"}),
]  # fmt: skip
WRONG: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}), ((1,), {}), ((1, 2, 3, 4, 5), {"run_id": "r"}), ((1,), {"run_id": "r", "hidden": 1}),
    ((1,), {"run_id": "r", "first": 1}), ((1,), {"run_id": "r", "other": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "named"), CALLS)
def test_it_holds_what_the_slow_one_holds(given: tuple[Any, ...], named: dict[str, Any]) -> None:
    made, other = Quick(*given, **named), Slow(*given, **named)

    assert type(made) is Quick
    assert asdict(made) == asdict(other)
    assert repr(made) == repr(other).replace("Slow", "Quick")
    assert made == Quick(*given, **named)
    assert replace(made, first=100).first == 100
    assert copy.deepcopy(made) == made == pickle.loads(pickle.dumps(made))
    assert Quick(1, run_id="r").things is not Quick(1, run_id="r").things


@pytest.mark.parametrize(("given", "named"), WRONG)
def test_it_takes_what_the_slow_one_takes(given: tuple[Any, ...], named: dict[str, Any]) -> None:
    for cls in (Quick, Slow):
        with pytest.raises(TypeError):
            cls(*given, **named)


def test_its_signature_and_names_are_the_slow_ones() -> None:
    def told(cls: Any) -> list[tuple[str, Any]]:
        return [(each.name, each.kind) for each in inspect.signature(cls).parameters.values()]

    assert told(Quick) == told(Slow)
    assert Quick.__init__.__qualname__ == Slow.__init__.__qualname__
    assert Quick.__slots__ == Slow.__slots__


def test_it_is_frozen() -> None:
    made = Quick(1, run_id="r")
    for name in ("first", "new"):
        with pytest.raises((FrozenInstanceError, TypeError)):
            setattr(made, name, 2)
    with pytest.raises(FrozenInstanceError):
        del made.first
    assert made.first == 1


def test_what_it_checks_after_its_making_finds_it_frozen_and_whole() -> None:
    @quick
    @dataclass(frozen=True, slots=True)
    class Checked(Generic[_T]):
        low: int
        high: int
        held: _T | None = None

        def __post_init__(self) -> None:
            assert type(self) is Checked
            with pytest.raises(FrozenInstanceError):
                self.low = 0  # type: ignore[misc]
            if self.low > self.high:
                raise ValueError("low is above high")

    assert Checked(1, 2).held is None
    with pytest.raises(ValueError, match="low is above high"):
        Checked(2, 1)


def test_subclasses_are_themselves() -> None:
    class Plain(Quick):  # type: ignore[misc]
        pass

    @dataclass(frozen=True)
    class Further(Quick):  # type: ignore[misc]
        more: int = 5

    assert type(Plain(1, run_id="r")) is Plain
    assert Plain(1, run_id="r").first == 1
    assert Further(1, run_id="r").more == 5


def test_what_it_cannot_speed_up_is_said() -> None:
    @dataclass(frozen=True, slots=True)
    class Given:
        one: int
        two: InitVar[int]

    @dataclass(frozen=True)
    class Wide:
        one: int

    @dataclass(slots=True)
    class Loose:
        one: int

    with pytest.raises(TypeError, match="takes what is no field"):
        quick(Given)
    for cls in (Wide, Loose, int):
        with pytest.raises(TypeError, match="no frozen dataclass with slots"):
            quick(cls)
