"""`segue trace RUN --export FILE` and `segue trace --verify FILE`: a run as a sealed file, and what was done to one."""

from __future__ import annotations

from pathlib import Path
from typing import Any


async def export(ws: Any, run: Any, whose: Any, file: Path) -> None:
    """Write the file. The agent is looked for where the run says that it is defined."""
    from segue.base.errors import SegueError
    from segue.workspace.loading import load

    agent = None
    try:
        agent = load(run.record.source, ws.folder) if run.record.source else None
    except SegueError as error:
        print(f"the conversation is left out: {error.message}")
    data = await ws.export(run.id, agent=agent, principal=whose)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    print(f"{file}: {len(data):,} bytes; check it with: segue trace --verify {file}")


def verify(folder: Path, file: Path) -> bool:
    """Say whether a file is as it was sealed; no workspace is opened, and no key is made."""
    from segue.base.errors import BadInput
    from segue.tracing.audit_key import key_file
    from segue.tracing.export_seal import check_file
    from segue.workspace.settings import environment, read
    from segue.workspace.watching import audit_key

    settings = read(folder)
    data_dir = folder.absolute() / settings.data_dir
    if not settings.audit.key and not key_file(data_dir).exists():
        raise BadInput(
            f"there is no audit key of {data_dir}.",
            way_out="Check it where it was sealed, or name the key: [audit] key = …",
        )
    found = check_file(file, audit_key(settings.audit, data_dir, environment(folder)))
    print(found)
    return found.verdict == "intact"
