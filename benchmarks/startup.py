"""How long it takes until Segue is there: importing it, and the help of its command line.

Fresh interpreters, in turn and repeatedly; each figure is the median of a command's wall time in seconds. `import_s` is
`from segue import Agent, tool`, `langgraph_import_s` is `import langgraph.graph`, `help_s` is `segue --help`, and
`python_s` is an interpreter that does nothing. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = {
    "python_s": [sys.executable, "-c", "pass"],
    "langgraph_import_s": [sys.executable, "-c", "import langgraph.graph"],
    "import_s": [sys.executable, "-c", "from segue import Agent, tool"],
    "help_s": [str(Path(sys.executable).with_name("segue")), "--help"],
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="how often each command is run")
    rounds = parser.parse_args().rounds
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for command in COMMANDS.values():  # byte code and file cache, once
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - start)
    figures = {name: round(statistics.median(held), 4) for name, held in times.items()}
    figures["import_x_langgraph"] = round(
        statistics.median(a / b for a, b in zip(times["import_s"], times["langgraph_import_s"], strict=True)), 3
    )
    figures["help_over_python_s"] = round(figures["help_s"] - figures["python_s"], 4)
    for name, value in figures.items():
        print(f"{name:22} {value:8.3f}   {'x' if '_x_' in name else 's'}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
