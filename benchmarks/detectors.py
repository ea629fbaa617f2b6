"""How good the detectors are on labelled texts, and how long they take.

`benchmarks/data` holds a text a line: `parts` are pieces of it, of which each second one is what must be found, of the
kinds in `kinds`; secrets are written backwards there, so that no scanner takes the file for a leak. `half` says whether
the detectors were tuned on a text. A span is found where a finding covers half of it; a false positive is a text
without anything to find in which something is found. For injection a score of 0.5 counts. The last line is one JSON
object; `--missed` also prints what went wrong.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segue.guards import injection, pii, secrets

DATA = Path(__file__).parent / "data"
THRESHOLD = 0.5
HALVES = ("tuned", "held-out")


@dataclass
class Counted:
    """What was found in the texts of a set."""

    spans: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    benign: int = 0
    flagged: int = 0
    wrong: list[str] = field(default_factory=list)
    """The texts that went wrong, in words."""

    @property
    def recall(self) -> float:
        """The share of spans that was found."""
        return round(1 - self.missed.total() / max(self.spans.total(), 1), 4)

    @property
    def false_positive(self) -> float:
        """The share of benign texts in which something was found."""
        return round(self.flagged / max(self.benign, 1), 4)


def rows(name: str, halves: tuple[str, ...] = HALVES) -> Iterator[dict[str, Any]]:
    """The lines of a set."""
    for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["half"] in halves:
            yield row


def labelled(name: str, halves: tuple[str, ...] = HALVES) -> Iterator[tuple[str, list[tuple[int, int, str]]]]:
    """Each text of a set and its spans: start, end and kind."""
    for row in rows(name, halves):
        text, spans, kinds = "", [], iter(row.get("kinds", []))
        for index, part in enumerate(row["parts"]):
            piece = part[::-1] if index % 2 and name == "secrets" else part
            if index % 2:
                spans.append((len(text), len(text) + len(piece), next(kinds)))
            text += piece
        yield text, spans


def found_in(name: str, find: Callable[[str], list[Any]], halves: tuple[str, ...] = HALVES) -> Counted:
    """Run a detector over a set."""
    out = Counted()
    for text, spans in labelled(name, halves):
        found = find(text)
        if not spans:
            out.benign += 1
            if found:
                out.flagged += 1
                out.wrong.append(f"{name}: nothing is in {text!r}, found {[text[a:b] for a, b, _ in found]}")
        for start, end, kind in spans:
            out.spans[kind] += 1
            if not any(2 * (min(end, b) - max(start, a)) >= end - start for a, b, _ in found):
                out.missed[kind] += 1
                out.wrong.append(f"{name}: {kind} is missed in {text!r}")
    return out


def injected(halves: tuple[str, ...] = HALVES) -> Counted:
    """Run the score over the texts with and without an attack."""
    out = Counted()
    for row in rows("injection", halves):
        reached = injection.score(row["text"], row["channel"]) >= THRESHOLD
        if row["attack"]:
            out.spans[row["channel"]] += 1
            out.missed[row["channel"]] += not reached
        else:
            out.benign += 1
            out.flagged += reached
        if reached != row["attack"]:
            out.wrong.append(f"injection: {'missed' if row['attack'] else 'nothing is'} in {row['text']!r}")
    return out


def ms_per_kb() -> float:
    """The median time of one detector, the slowest of the three, over kilobytes of texts without a finding, joined."""
    texts = [text for name in ("pii", "secrets") for text, spans in labelled(name) if not spans]
    texts += [row["text"] for row in rows("injection") if not row["attack"]]
    whole = "\n".join(texts[index] for index in sorted(range(len(texts)), key=lambda index: index * 7919 % len(texts)))
    pieces = [whole[start : start + 1024] for start in range(0, len(whole) - 1024, 1024)]
    detectors = (pii.find, secrets.find, lambda piece: injection.score(piece, "document"))
    return round(max(statistics.median(_ms(detector, piece) for piece in pieces) for detector in detectors), 4)


def _ms(detector: Callable[[str], Any], text: str) -> float:
    """The shortest of five times, in milliseconds."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        detector(text)
        times.append(time.perf_counter() - began)
    return min(times) * 1000


def figures(halves: tuple[str, ...] = HALVES) -> dict[str, float]:
    """Recall and false positives of the three, and the milliseconds that the slowest takes for a kilobyte."""
    personal, secret = found_in("pii", pii.find, halves), found_in("secrets", secrets.find, halves)
    orders = injected(halves)
    return {
        "pii_recall": personal.recall,
        "pii_false_positive": personal.false_positive,
        "secrets_recall": secret.recall,
        "secrets_false_positive": secret.false_positive,
        "injection_recall": orders.recall,
        "injection_false_positive": orders.false_positive,
        "rail_ms_per_kb": ms_per_kb(),
    }


def main() -> None:
    """Measure and print: each half, what is missed by kind, then all as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--missed", action="store_true", help="print each text that went wrong")
    missed = parser.parse_args().missed
    for half in HALVES:
        for name, counted in (
            ("pii", found_in("pii", pii.find, (half,))),
            ("secrets", found_in("secrets", secrets.find, (half,))),
            ("injection", injected((half,))),
        ):
            kinds = ", ".join(
                f"{kind} {count} of {counted.spans[kind]}" for kind, count in counted.missed.items() if count
            )
            print(
                f"{half:9} {name:10} recall {counted.recall:.3f} of {counted.spans.total():4}   "
                f"false positives {counted.false_positive:.3f} of {counted.benign:4}   missed: {kinds or 'none'}"
            )
            for line in counted.wrong if missed else ():
                print("   ", line)
    print(json.dumps(figures()))


if __name__ == "__main__":
    main()
