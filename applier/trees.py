"""From a tree of a mirror to objects: read, rendered in the sandbox, and remembered by its digest."""

from __future__ import annotations

import threading
from pathlib import Path

from applier.git import Mirror
from applier.render import RenderCache, Sandbox, render, version
from applier.rules import Object


class TreeRenderer:
    """Sandboxes are made when they are first needed, and their absence is told then. Thread-safe."""

    def __init__(self, kubectl: Path) -> None:
        self._kubectl, self._cache = kubectl, RenderCache()
        self._sandboxes: dict[bool, Sandbox] = {}
        self._lock = threading.Lock()

    def render(self, mirror: Mirror, tree: str, path: str, *, isolated: bool) -> tuple[Object, ...]:
        """The objects at `path` of the tree. `isolated` refuses to go without a sandbox. Raises `Failure`."""
        sandbox = self._sandbox(isolated)
        key = (tree, path, version(sandbox))
        return self._cache.get(key, lambda: render(mirror.read(tree), path, sandbox=sandbox))

    def _sandbox(self, isolated: bool) -> Sandbox:
        with self._lock:
            if isolated not in self._sandboxes:
                self._sandboxes[isolated] = Sandbox.probe(kubectl=self._kubectl, require=isolated)
            return self._sandboxes[isolated]
