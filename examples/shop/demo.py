"""`make demo`: the example desk answers one request over fresh data, with an approval, the cost and the trace.

In a terminal it waits for you to approve the refund; without one it approves by itself and says so.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUEST = (
    "What does the handbook say about damaged items refunded without return? "
    "Sum the amount_cents of refund_facts by category since 2026-01-01. "
    "Then plot that table as a bar chart. "
    "Check the damage refund of order 1042, then refund order 1042."
)


def main() -> None:
    """Build the data anew, so that the refund of the last demo is taken back and forgotten, and run the desk."""
    sys.path.insert(0, str(HERE))
    from build import build

    from segue.cli.main import main as segue

    build(HERE / "data" / "shop.db", fresh=True)
    kept = HERE / "data" / "segue"
    if os.environ.setdefault("SEGUE_DATA_DIR", str(kept)) == str(kept):
        shutil.rmtree(kept, ignore_errors=True)  # its effect ledger holds that the order was refunded
    arguments = ["run", str(HERE / "desk.py:desk"), REQUEST, "--trace", *sys.argv[1:]]
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        arguments.append("--approve-demo")
    segue(arguments)


if __name__ == "__main__":
    main()
