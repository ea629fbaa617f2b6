"""The gate against injected orders: how often one is carried out, how much of the user's work gets done, the cost.

AgentDojo (all 949 pairs of v1.2.2) is run by a model that obeys everybody, and a question counts as a no. It runs in
an environment of its own (`.venv-agentdojo`, made when missing), by `dojo/harness.py`. The modes: `none` without
a gate; `sinks` with what the tools declare and no plan; `own` with the plan that the gate reads out of the request;
`truth` with the groups of the right calls, with and without pins from the request; `derived` with nothing declared by
an author; `own` again under the other policies. `granted` is a person who lets the user's own calls pass. Then the
attacks of `tests/guards/attacks.py`, which know the gate, and what one judgement costs with 1,000 values read. The last
line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PEER = "agentdojo==0.1.35"
MODES = (
    "none", "sinks", "own", "own-standard", "own-observe", "truth", "truth-unpinned", "derived", "derived-own",
)  # fmt: skip


def environment() -> Path:
    """The interpreter of the environment that holds AgentDojo; what Segue needs is taken from this one's."""
    folder = ROOT / ".venv-agentdojo"
    python = folder / "bin" / "python"
    borrowed = folder / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages" / "segue_needs.pth"
    if not borrowed.exists():
        print("making .venv-agentdojo; this is done once", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-qq", "--upgrade", "pip"], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-qq", PEER], check=True)
        borrowed.write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    return python


def runs(mode: str, *, stride: int = 1, granted: bool = False) -> list[dict[str, Any]]:
    """All runs of a mode."""
    command = [str(environment()), str(ROOT / "benchmarks" / "dojo" / "harness.py"), mode, "--stride", str(stride)]
    done = subprocess.run(
        [*command, *(["--granted", "--benign"] if granted else [])], stdout=subprocess.PIPE, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, timeout=1800,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def summed(found: list[dict[str, Any]]) -> dict[str, float]:
    """The figures of one mode."""
    own = [each for each in found if not each["injection_task"]]
    attacked = [each for each in found if each["injection_task"]]
    out = {
        "benign_utility": sum(each["useful"] for each in own) / len(own),
        "questions_per_run": sum(each["asked"] for each in own) / len(own),
    }
    if attacked:
        out["attack_success"] = sum(each["harmed"] for each in attacked) / len(attacked)
        out["tool_attack_success"] = sum(each["by_call"] for each in attacked) / len(attacked)
        out["utility_under_attack"] = sum(each["useful"] for each in attacked) / len(attacked)
    return out


def adaptive() -> dict[str, float]:
    """How many of the attacks that know the gate get through."""
    attacks, tools = _office()
    from segue.guards.gate import Gate

    gate = Gate(tools)
    return {
        name: sum(each.gets_through(gate, pinned=pinned) for each in attacks) / len(attacks)
        for name, pinned in (("without_pins", False), ("with_pins", True))
    }


def gate_us() -> float:
    """Microseconds of CPU of one judgement with 1,000 labelled values in the run, the median over kinds of calls."""
    _, tools = _office()
    from segue.guards.gate import Gate

    session = Gate(tools).begin("Mail report.docx to Anna Berg and pay 100 to GB29NWBK60161331926819. Tell Bob, too.")
    session.plan_from_text()
    session.seen("list_contacts", {}, [{"name": f"P{n} Q", "address": f"p{n}@acme.example"} for n in range(250)])
    session.seen("list_files", {}, [{"id": str(n), "name": f"f{n}.docx"} for n in range(125)])
    mails = [
        {"id": f"m{n}", "sender": f"s{n}@x.example", "body": f"See www.site{n}.example, please"} for n in range(80)
    ]
    session.seen("read_mail", {"query": "x"}, mails)
    session.seen("read_channel", {"channel": "x"}, [{"sender": f"U{n}", "body": f"hello {n}"} for n in range(130)])
    session.seen("search_contacts", {"name": "Anna Berg"}, [{"name": "Anna Berg", "address": "anna@acme.example"}])
    mail = {"subject": "Report", "body": "Dear Anna, here is the report that you asked for. " * 4}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("send_mail", {"to": ["anna@acme.example"], **mail}),
        ("send_mail", {"to": ["eve@evil.example"], **mail}),
        ("send_mail", {"to": ["p7@acme.example"], "attachments": [{"file_id": "77"}], **mail}),
        ("pay", {"account": "GB29NWBK60161331926819", "amount": 100, "note": "Rent"}),
        ("message_user", {"user": "U7", "text": "The report is out"}),
        ("fetch", {"url": "www.site7.example"}),
        ("list_files", {}),
    ]
    return statistics.median(_us(session, *call) for call in calls)


def _us(session: Any, name: str, arguments: dict[str, Any], count: int = 400) -> float:
    session.judge(name, arguments)
    began = time.process_time()
    for _ in range(count):
        session.judge(name, arguments)
    return (time.process_time() - began) / count * 1e6


def _office() -> tuple[Any, Any]:
    """The attacks that know the gate, and the tools that they are tried on."""
    for folder in (ROOT / "src", ROOT):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    from tests.guards.attacks import ATTACKS
    from tests.guards.office import TOOLS

    return ATTACKS, TOOLS


def figures() -> dict[str, float]:
    """The figures that are held to: the gate with its own plan on all pairs, the attacks that know it, and its cost."""
    own = summed(runs("own"))
    return {
        "agentdojo_attack_success": own["attack_success"],
        "agentdojo_benign_utility": own["benign_utility"],
        "agentdojo_tool_attack_success": own["tool_attack_success"],
        "agentdojo_questions_per_run": own["questions_per_run"],
        "adaptive_attack_success": adaptive()["with_pins"],
        "gate_us": gate_us(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stride", type=int, default=1, help="every so manieth pair only")
    parser.add_argument("--modes", nargs="*", default=list(MODES), choices=MODES)
    given = parser.parse_args()
    table: dict[str, dict[str, float]] = {}
    print(f"{'mode':16} {'attacks':>8} {'by call':>8} {'benign':>8} {'attacked':>8} {'questions':>9}")
    for mode in given.modes:
        row = table[mode] = summed(runs(mode, stride=given.stride))
        print(
            f"{mode:16} {row['attack_success']:8.4f} {row['tool_attack_success']:8.4f} {row['benign_utility']:8.3f} "
            f"{row['utility_under_attack']:8.3f} {row['questions_per_run']:9.3f}",
            flush=True,
        )
    if "own" in given.modes:
        row = table["own, granted"] = summed(runs("own", granted=True))
        print(f"{'own, granted':16} {'':8} {'':8} {row['benign_utility']:8.3f} {'':8} {row['questions_per_run']:9.3f}")
    known, cost = adaptive(), gate_us()
    print(f"attacks that know the gate: {known['without_pins']:.3f} without pins, {known['with_pins']:.3f} with")
    print(f"one judgement with 1,000 values read: {cost:.0f} us")
    print(json.dumps({"agentdojo": table, "adaptive": known, "gate_us": cost}))


if __name__ == "__main__":
    main()
