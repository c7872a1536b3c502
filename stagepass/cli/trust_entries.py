"""Where a policy set names the file of a trust root, or could: the entry of `trustRoots` to paste."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from stagepass import strictyaml
from stagepass.errors import InputError
from stagepass.policy.store import read_directory

_PLAIN = re.compile(r"[A-Za-z0-9][\w./-]*", re.ASCII)  # also between the braces of a flow mapping


@dataclass(frozen=True, slots=True)
class Naming:
    """
    How a policy set names the file `name`.json, or would.

    `path` is what `file:` says in `policy_file`, which is relative to the set. That is None without a
    set, and where no policy file of it has attestors and lies in a folder above: then `path` is the
    file's in the set. `entries` are those it has already: where each stands, and its sha256.
    """

    name: str
    path: str
    policy_file: str | None = None
    entries: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, file: Path, directory: Path | None) -> Naming:
        """In the set of `directory`. Raises `InputError` for a file elsewhere, `PolicyError`."""
        if directory is None:
            return cls(file.stem, file.name)
        path = _path(directory, file)
        files = list(_policy_files(directory, path))
        entries = tuple(entry for each in files for entry in each.entries)
        holder = min(files, key=lambda each: (each.rank, each.name), default=None)
        if holder is None:
            return cls(file.stem, str(path))
        relative = path.relative_to(PurePosixPath(holder.name).parent)
        return cls(file.stem, str(relative), holder.name, entries)

    def entry(self, digest: str) -> str:
        """The list item for a file of that sha256, on one line."""
        return f'- {{name: {_scalar(self.name)}, file: {_scalar(self.path)}, sha256: "{digest}"}}'


@dataclass(frozen=True, slots=True)
class _PolicyFile:
    """One that has attestors and may name the file; `entries` those that do, `rank` 0 where it has any."""

    name: str
    rank: int
    entries: tuple[tuple[str, str], ...]


def _path(directory: Path, file: Path) -> PurePosixPath:
    try:
        return PurePosixPath(file.resolve().relative_to(directory.resolve()).as_posix())
    except ValueError as error:
        hint = "give the directory that FILE lies in"
        raise InputError(f"{file} is not in {directory}", hint=hint) from error


def _policy_files(directory: Path, path: PurePosixPath) -> Iterator[_PolicyFile]:
    for name, data in sorted(read_directory(directory).items()):
        folder = PurePosixPath(name).parent
        # A policy file names what lies below its own folder: the loader takes no `..`.
        if not name.endswith((".yaml", ".yml")) or not path.is_relative_to(folder):
            continue
        documents = [
            document
            for document in strictyaml.load_all(data.decode(errors="replace"), where=name)
            if isinstance(document, dict) and document.get("kind") == "Attestors"
        ]
        if documents:
            lists = [_roots(document) for document in documents]
            found = tuple(
                (f"{name}: trustRoots[{index}]", str(root.get("sha256", "")))
                for roots in lists
                for index, root in enumerate(roots)
                if folder / str(root.get("file", "")) == path
            )
            has_roots = any("trustRoots" in document for document in documents)
            yield _PolicyFile(name, 0 if found else 1 if has_roots else 2, found)


def _roots(document: dict[str, Any]) -> Sequence[dict[str, Any]]:
    roots = document.get("trustRoots")
    listed = roots if isinstance(roots, list) else []
    return [each if isinstance(each, dict) else {} for each in listed]


def _scalar(text: str) -> str:
    """As YAML reads it back to the very text: `2027`, `on` and `a, b` only in quotes."""
    if _PLAIN.fullmatch(text) and list(strictyaml.load_all(text, where=text)) == [text]:
        return text
    return json.dumps(text, ensure_ascii=False)
