"""Guards, in figures: the gate on AgentDojo and against attacks that know it, the detectors, and answers that stream.

The first two are of the gate with the plan that it reads out of the request itself (`benchmarks/agentdojo.py`, in an
environment of its own, some minutes), the attacks are those of `tests/guards/attacks.py`, with pins.
`pii_*`, `secrets_*` and `injection_*` are of `benchmarks/detectors.py`; `rail_ms_per_kb` is the slower of `no_pii` and
`no_secrets` on 1 KB that holds one labelled text, a median, and `…_dense` on 1 KB of nothing but those.
`stream_leaked_bytes` counts what of planted values was shown, over cuts of labelled texts into single characters and
into random pieces, `stream_late` the most characters that were held.
The last line is one JSON object; `--quick` leaves AgentDojo out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import agentdojo
import detectors

from segue.guards import StreamGuard, no_pii, no_secrets, pii, secrets

TEXTS = 150
WORDS = (
    "The customer writes about an order, which has not come, and asks for the money back. We answered on Monday. " * 20
)


def planted() -> list[tuple[str, list[str]]]:
    """Texts with what is found in them as wholes."""
    found = []
    for name, find in (("pii", pii.find), ("secrets", secrets.find)):
        for text, _ in detectors.labelled(name):
            values = [text[start:end] for start, end, _ in find(text)]
            if values:
                found.append((text, values))
    return random.Random(1).sample(found, min(TEXTS, len(found)))


async def streamed() -> dict[str, float]:
    """What leaked, and how late."""
    rails, pick, leaked, late = [no_secrets(), no_pii()], random.Random(2), 0, 0
    for text, values in planted():
        for pieces in (list(text), *(_cut(text, pick) for _ in range(8))):
            guard = StreamGuard(rails)
            for piece in pieces:
                await guard.feed(piece)
                late = max(late, guard.held - len(piece))
            await guard.close()
            leaked += sum(len(value.encode()) for value in values if value in guard.shown)
    return {"stream_leaked_bytes": leaked, "stream_late": late}


def _cut(text: str, pick: random.Random) -> list[str]:
    at = sorted(pick.sample(range(len(text)), min(len(text) - 1, pick.randint(1, 12))))
    return [text[a:b] for a, b in zip([0, *at], [*at, len(text)], strict=True)]


def rail_ms_per_kb(*, dense: bool) -> float:
    """Milliseconds for a kilobyte, of the slower: of labelled texts alone, or of one within ordinary words."""
    took = []
    for name, rail in (("pii", no_pii()), ("secrets", no_secrets())):
        texts = [text for text, _ in detectors.labelled(name)]
        if dense:
            blocks = ["\n".join(texts[at : at + 12])[:1024] for at in range(0, len(texts) - 12, 12)]
        else:
            blocks = [f"{WORDS[:512]}{text[:512]}\n{WORDS}"[:1024] for text in texts[::6]]
        times = []
        for block in blocks * 3:
            began = time.perf_counter()
            rail.look(block)  # type: ignore[attr-defined]
            times.append((time.perf_counter() - began) * 1e3 / (len(block) / 1024))
        took.append(statistics.median(times))
    return max(took)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="without AgentDojo")
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    if given.quick:
        figures |= {"adaptive_attack_success": agentdojo.adaptive()["with_pins"], "gate_us": agentdojo.gate_us()}
    else:
        figures |= agentdojo.figures()
    figures |= detectors.figures()
    figures["rail_ms_per_kb"] = rail_ms_per_kb(dense=False)
    figures["rail_ms_per_kb_dense"] = rail_ms_per_kb(dense=True)
    figures |= asyncio.run(streamed())
    figures = {name: round(value, 4) for name, value in figures.items()}
    for name, value in figures.items():
        print(f"{name:30} {value:10}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
