"""How good the detectors are on the labelled texts that come along, tuned and held out."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bench() -> Any:
    spec = importlib.util.spec_from_file_location("detectors_bench", ROOT / "benchmarks" / "detectors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["pii", "secrets"])
def test_recall_and_false_positives(bench: Any, name: str) -> None:
    found = bench.found_in(name, getattr(bench, name).find)

    assert found.recall >= 0.95
    assert found.false_positive <= 0.03


def test_recall_and_false_positives_of_injection(bench: Any) -> None:
    found = bench.injected()

    assert found.recall >= 0.85
    assert found.false_positive <= 0.05
