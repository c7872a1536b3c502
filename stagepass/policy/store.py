"""Policy on disk: a directory read once into bytes, so that what is hashed is what is parsed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from stagepass.errors import InputError
from stagepass.policy.load import PolicyError, load
from stagepass.policy.model import PolicySet

_MAX_FILES, _MAX_BYTES, _MAX_DEPTH = 2_000, 16 << 20, 16


def read_directory(root: Path) -> dict[str, bytes]:
    """
    Every file below `root`, by path relative to it; hidden files and directories are left out.

    Raises `PolicyError` for a link out of the directory, an
    unreadable file, or more than a policy set could need.
    """
    files: dict[str, bytes] = {}
    size = 0
    try:
        for path in _walk(root, root.resolve(strict=True)):
            data = path.read_bytes()
            size += len(data)
            files[path.relative_to(root).as_posix()] = data
            if len(files) > _MAX_FILES or size > _MAX_BYTES:
                raise _refused(root, f"over {_MAX_FILES} files or {_MAX_BYTES} bytes")
    except OSError as error:
        raise _refused(error.filename or root, error.strerror or "unreadable") from error
    except RuntimeError as error:  # what pathlib makes of a link to itself, up to Python 3.12
        raise _refused(root, str(error)) from error
    return files


def revision_of(files: dict[str, bytes]) -> str:
    """Hex sha256 over every path and content, in path order."""
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{len(name.encode())}:{name}:{len(files[name])}:".encode())
        total.update(files[name])
    return total.hexdigest()


def load_directory(root: Path) -> PolicySet:
    """The set in `root`, whole. Raises `PolicyError` with every problem."""
    files = read_directory(root)
    return load(files, revision_of(files))


def _walk(folder: Path, real_root: Path, depth: int = 0) -> Iterator[Path]:
    """Files, through links that stay below the root: that is how Kubernetes mounts a ConfigMap."""
    if depth > _MAX_DEPTH:
        raise _refused(folder, f"over {_MAX_DEPTH} directories deep, or a link that leads back")
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if not path.resolve(strict=True).is_relative_to(real_root):
            raise _refused(path, "links out of the policy directory")
        if path.is_dir():
            yield from _walk(path, real_root, depth + 1)
        elif path.is_file():
            yield path


def _refused(where: object, message: str) -> PolicyError:
    return PolicyError([InputError(message, where=str(where))])
