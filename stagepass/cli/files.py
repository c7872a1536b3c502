"""Files that a user names on the command line."""

from __future__ import annotations

from pathlib import Path

from stagepass.errors import InputError


def content(path: Path, most: int) -> bytes:
    """All of a file of at most `most` bytes. Raises `InputError`."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", where=str(path)) from error
    if len(data) > most:
        raise InputError(f"over {most} bytes", where=str(path))
    return data
