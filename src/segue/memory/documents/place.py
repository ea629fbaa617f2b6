"""Where files of ours lie when nobody said where: `.segue/` in the current folder, else a private temporary folder."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from segue.base.errors import StoreError


def state_file(name: str) -> Path:
    """The path of one of our files; its folder is there and can be written to.

    The same current folder gives the same path, in every process of the same user.

    Raises:
        StoreError: Neither the current folder nor the temporary one can be written to.
    """
    here = Path.cwd()
    if _usable(here / ".segue"):
        return here / ".segue" / name
    mark = hashlib.blake2b(os.fsencode(here), digest_size=6).hexdigest()
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "me")
    folder = Path(tempfile.gettempdir()) / f"segue-{user}-{mark}"
    if _usable(folder) and _ours(folder):
        return folder / name
    raise StoreError(
        f"neither {str(here / '.segue')!r} nor {str(folder)!r} can be written to, and {name} has to lie somewhere.",
        way_out="Run in a folder that you may write to, or say where the file goes.",
    )


def _usable(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=False, exist_ok=True)
    except OSError:
        return False
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _ours(folder: Path) -> bool:
    """Nobody else may have made the folder in a place that all can write to."""
    status = folder.lstat()
    owned = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    return owned and not folder.is_symlink()
