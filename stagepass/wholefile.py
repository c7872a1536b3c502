"""Files that appear whole or not at all: a reader sees all of the old bytes or all of the new."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def replace(path: Path, data: bytes, *, mode: int | None = None, durable: bool = False) -> None:
    """
    Put `data` at `path` in one step; a link that stands there is replaced, never followed.

    The new file has `mode`, whatever the umask, and never a wider one, not even while it is empty;
    None leaves it to the umask. `durable` waits until it is on the disk. Raises `OSError`; `path` is
    then as it was.
    """
    # A name nobody can foresee, and O_EXCL: nothing planted beside it is ever written through.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    narrow = 0o666 if mode is None else mode & 0o600
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, narrow)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if mode is not None:
                os.fchmod(descriptor, mode)
            if durable:
                os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
