"""From a tree of a mirror to objects: read, rendered, and remembered by its digest."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

from applier.git import Mirror
from applier.render import RenderCache, Sandbox, render, runs_program, version
from applier.rules import Object


class TreeRenderer:
    """
    Sandboxes are made when a program is first to be run, and their absence is told then.

    Plain YAML needs none: it is only read. Thread-safe.
    """

    def __init__(self, kubectl: Path) -> None:
        self._kubectl, self._cache = kubectl, RenderCache()
        self._program = ""
        self._sandboxes: dict[bool, Sandbox] = {}
        self._lock = threading.Lock()

    def render(self, mirror: Mirror, tree: str, path: str, *, isolated: bool) -> tuple[Object, ...]:
        """The objects at `path` of the tree. `isolated`: run nothing without a sandbox. Raises `Failure`."""
        key = (tree, path, version(self._program_version()))
        return self._cache.get(key, lambda: self._make(mirror, tree, path, isolated=isolated))

    def _make(self, mirror: Mirror, tree: str, path: str, *, isolated: bool) -> tuple[Object, ...]:
        files = mirror.read(tree)
        sandbox = self._sandbox(isolated) if runs_program(files, path) else None
        return render(files, path, sandbox=sandbox)

    def _program_version(self) -> str:
        with self._lock:
            if not self._program:
                with self._kubectl.open("rb") as program:
                    self._program = hashlib.file_digest(program, "sha256").hexdigest()[:16]
            return self._program

    def _sandbox(self, isolated: bool) -> Sandbox:
        with self._lock:
            if isolated not in self._sandboxes:
                self._sandboxes[isolated] = Sandbox.probe(kubectl=self._kubectl, require=isolated)
            return self._sandboxes[isolated]
