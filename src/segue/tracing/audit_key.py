"""The key of the audit log: a data directory in, 32 bytes out.

The key lies beside the data directory, not in it: who can write the log but not read the key can forge no row. A
workspace whose settings name a secret for it does without the file.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from segue.base.errors import StoreError


def key_file(data_dir: Path) -> Path:
    """Where the key lies: `NAME.audit.key` beside the directory; inside it where nothing may be written beside."""
    beside, inside = data_dir.parent / f"{data_dir.name}.audit.key", data_dir / "audit.key"
    if inside.exists() or (not beside.exists() and not os.access(data_dir.parent, os.W_OK)):
        return inside
    return beside


def key_beside(data_dir: Path, *, log: Path) -> bytes:
    """The key of a data directory, made on first use, readable by its owner alone.

    Raises:
        StoreError: The log exists and its key is gone, or the file cannot be read or made.
    """
    path = key_file(data_dir)
    try:
        begun = log.exists()  # asked first: whoever begins at the same time makes the key before the log
        if not path.exists():
            if begun:
                raise StoreError(
                    f"the audit log {log} is there and its key {path} is not.",
                    way_out="Bring the key back, or move the log away to begin a new one.",
                )
            _make(path)
        return read_key(path)
    except OSError as error:
        raise StoreError(f"the audit key {path} cannot be read or made: {error.strerror}.") from error


def read_key(path: Path) -> bytes:
    """The key in a file.

    Raises:
        StoreError: It is no key of 64 hex digits.
        OSError: The file cannot be read.
    """
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) != 32:
        raise StoreError(f"{path} holds no audit key of 64 hex digits.", way_out="Bring the right file back.")
    return key


def _make(path: Path) -> None:
    """Whole or not at all: of two processes that begin at once, one makes it and the other reads it."""
    part = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        part.unlink()
