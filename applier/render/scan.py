"""
What a kustomization refers to, read before Kustomize is: local files below the root, and nothing else.

Kustomize fetches URLs and clones repositories for most of its fields, and `file://` works without a network
(control-plane-proof section 8). So each field is either known here, with what it may name, or refused.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any

from applier.failure import Failure
from applier.render.documents import load, refused, text_of
from applier.render.plugins import check_plugin, paths_of

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
MAX_DEPTH = 16
MAX_VISITS = 500
# What Kustomize takes for a repository (`github.com/x/y` as well as `host:path`), or a URL.
_REMOTE = re.compile(r"[:?@%\\]|//|github\.com|_git/|\.git(?:/|$)", re.IGNORECASE)

_Visit = Callable[["_Walk", str, str, Any], None]


def scan(files: Mapping[str, bytes], path: str) -> frozenset[str]:
    """
    The names of every file that rendering `path` needs. Raises RENDER_REFUSED with file and line.

    Each of them is strict YAML, but for the content of generated ConfigMaps and Secrets, which is data.
    """
    walk = _Walk(files)
    walk.visit("" if path == "." else path, ())
    return frozenset(walk.found)


class _Walk:
    """One pass over a base and all that it stands on; `at` is the kustomization that speaks."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self.found: set[str] = set()
        self._parsed: dict[str, list[Any]] = {}
        self._visits = 0

    def visit(self, directory: str, stack: tuple[str, ...]) -> None:
        """A directory with a kustomization. Visited again for each who names it, as Kustomize does."""
        self._visits += 1
        shown = directory or "."
        if directory in stack:
            raise refused(f"{shown}: a cycle of bases: {' -> '.join((*stack, directory))}")
        if len(stack) >= MAX_DEPTH or self._visits > MAX_VISITS:
            raise refused(f"{shown}: over {MAX_DEPTH} levels or {MAX_VISITS} uses of bases")
        names = [n for n in KUSTOMIZATIONS if posixpath.join(directory, n) in self.files]
        if len(names) != 1:
            raise refused(f"{shown}: {len(names)} kustomizations; there must be one")
        at = posixpath.join(directory, names[0])
        documents = self.read(at)
        if len(documents) > 1 or not all(isinstance(each, dict) for each in documents):
            raise refused(f"{at}: not one mapping")
        for field, value in (documents[0] if documents else {}).items():
            for base in self._field(at, field, value):
                self.visit(base, (*stack, directory))

    def _field(self, at: str, field: str, value: Any) -> list[str]:
        """Look at one field; the bases that it names."""
        if field in _INERT:
            return []
        if field in ("resources", "bases", "components"):
            return [
                b
                for e in _texts(self, at, field, value)
                if (b := self._base(at, field, e)) is not None
            ]
        if (look := _FIELDS.get(field)) is None:
            raise self.error(at, field, f"the field {field!r} is not allowed")
        look(self, at, field, value)
        return []

    def _base(self, at: str, field: str, entry: str) -> str | None:
        target = self.local(at, field, entry)
        if target in self.files:
            if field == "components":
                raise self.error(at, entry, f"{field}: {entry!r} is not a directory")
            self.read(target)
            return None
        if not any(posixpath.join(target, name) in self.files for name in KUSTOMIZATIONS):
            raise self.error(
                at, entry, f"{field}: {entry!r} is neither a file nor a base below the root"
            )
        return target

    def file(self, at: str, field: str, entry: Any) -> str:
        """The file that `entry` names, seen from `at`."""
        target = self.local(at, field, entry)
        if target not in self.files:
            raise self.error(at, str(entry), f"{field}: there is no file {entry!r} below the root")
        self.found.add(target)
        return target

    def local(self, at: str, field: str, entry: Any) -> str:
        """The path below the root that `entry` stands for."""
        if not isinstance(entry, str) or not entry or len(entry) > 1024:
            raise self.error(at, field, f"{field}: an entry is not a path")
        if _REMOTE.search(entry):
            raise self.error(
                at, entry, f"{field}: {entry!r} is, or looks like, a URL or a repository"
            )
        target = posixpath.normpath(posixpath.join(posixpath.dirname(at), entry))
        if entry.startswith("/") or target == ".." or target.startswith("../"):
            raise self.error(at, entry, f"{field}: {entry!r} leaves the root")
        return "" if target == "." else target

    def read(self, name: str) -> list[Any]:
        """The documents of a file, which Kustomize will read."""
        self.found.add(name)
        if name not in self._parsed:
            self._parsed[name] = load(self.files[name], name)
        return self._parsed[name]

    def error(self, at: str, needle: str, message: str) -> Failure:
        """With the line where `needle` first stands, if it does."""
        lines = text_of(self.files[at], at).splitlines()
        number = next((n for n, line in enumerate(lines, start=1) if needle in line), None)
        return refused(f"{at}: line {number}: {message}" if number else f"{at}: {message}")


def _list(walk: _Walk, at: str, field: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise walk.error(at, field, f"{field} is not a list")
    return value


def _texts(walk: _Walk, at: str, field: str, value: Any) -> list[str]:
    found = _list(walk, at, field, value)
    if not all(isinstance(each, str) for each in found):
        raise walk.error(at, field, f"{field}: an entry is not text")
    return found


def _files(walk: _Walk, at: str, field: str, value: Any) -> None:
    for entry in _texts(walk, at, field, value):
        walk.read(walk.file(at, field, entry))


def _patch_texts(walk: _Walk, at: str, field: str, value: Any) -> None:
    """Paths, or patches written out: Kustomize tries a file first, so one line is always a path."""
    for entry in _texts(walk, at, field, value):
        if "\n" in entry.strip():
            load(entry.encode("utf-8", "replace"), f"{at}: {field}")
        else:
            walk.read(walk.file(at, field, entry))


def _patches(walk: _Walk, at: str, field: str, value: Any) -> None:
    for entry in _list(walk, at, field, value):
        if isinstance(entry, str):
            _patch_texts(walk, at, field, [entry])
        elif not isinstance(entry, dict):
            raise walk.error(at, field, f"{field}: an entry is not a mapping")
        elif "path" in entry:
            walk.read(walk.file(at, f"{field}.path", entry["path"]))
        elif isinstance(entry.get("patch"), str):
            load(entry["patch"].encode("utf-8", "replace"), f"{at}: {field}.patch")


def _openapi(walk: _Walk, at: str, field: str, value: Any) -> None:
    if isinstance(value, dict) and "path" in value:
        walk.read(walk.file(at, f"{field}.path", value["path"]))


def _generators(walk: _Walk, at: str, field: str, value: Any) -> None:
    """ConfigMaps and Secrets from files: `key=path` or `path`; the content is data, not YAML."""
    entries = value if isinstance(value, list) else [value]
    for entry in filter(None, entries):
        if not isinstance(entry, dict):
            raise walk.error(at, field, f"{field}: an entry is not a mapping")
        for member, path in paths_of(entry):
            walk.file(at, f"{field}.{member}", path)


def _plugins(walk: _Walk, at: str, field: str, value: Any) -> None:
    """Built-in generators and transformers, written out or in a file of their own."""
    for entry in _texts(walk, at, field, value):
        if "\n" in entry.strip():
            where, documents = at, load(entry.encode("utf-8", "replace"), f"{at}: {field}")
        else:
            where = walk.file(at, field, entry)
            documents = walk.read(where)
        for document in documents:
            if problem := check_plugin(document):
                raise walk.error(where, str(problem.needle), f"{field}: {problem.message}")
            for member, path in paths_of(document):
                walk.file(at, f"{field}: {member}", path)


_FIELDS: Mapping[str, _Visit] = {
    "configMapGenerator": _generators,
    "configurations": _files,
    "crds": _files,
    "generators": _plugins,
    "openapi": _openapi,
    "patches": _patches,
    "patchesJson6902": _patches,
    "patchesStrategicMerge": _patch_texts,
    "replacements": _patches,
    "secretGenerator": _generators,
    "transformers": _plugins,
    "validators": _plugins,
}
_INERT = frozenset(
    {
        "apiVersion", "buildMetadata", "commonAnnotations", "commonLabels", "generatorOptions",
        "imageTags", "images", "kind", "labels", "metadata", "namePrefix", "nameSuffix", "namespace",
        "replicas", "sortOptions", "vars",
    }
)  # fmt: skip
