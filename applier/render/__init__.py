"""
Files to objects. A renderer is one small module: what it accepts, and how it renders.

A new one (Helm, Jsonnet) is a module with the three members of `Renderer`, and a line in `_RENDERERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import orjson

from applier.failure import Failure, Reason
from applier.render import kustomize, plain
from applier.render.cache import RenderCache
from applier.render.documents import Object
from applier.render.sandbox import Limits, Sandbox

__all__ = [
    "Limits",
    "Object",
    "RenderCache",
    "Renderer",
    "Sandbox",
    "render",
    "runs_program",
    "version",
]


class Renderer(Protocol):
    """The interface. `files` is the whole root, by relative path; `path` a directory in it, `.` all."""

    VERSION: str
    """Changes whenever the same files may give other objects."""

    RUNS_PROGRAM: bool
    """Whether it needs a sandbox."""

    def accepts(self, files: Mapping[str, bytes], path: str) -> bool:
        """Is it this one's to render? The first that accepts does."""

    def render(
        self, files: Mapping[str, bytes], path: str, sandbox: Sandbox | None
    ) -> tuple[Object, ...]:
        """The objects, in a stable order. Raises a `Failure` of the phase Render."""


_IGNORED = ".stagepass/"
"""At the root: what is said to the applier (approvals), never to a cluster."""

_RENDERERS: tuple[Renderer, ...] = (kustomize, plain)


def version(program: str) -> str:
    """
    Of everything that decides a render but the files: part of the key of a `RenderCache`.

    `program` stands for the bytes of what renderers run, as `Sandbox.version` does.
    """
    return "+".join([*(renderer.VERSION for renderer in _RENDERERS), program])


def runs_program(files: Mapping[str, bytes], path: str) -> bool:
    """Whether rendering this takes a sandbox; plain YAML is only read."""
    renderer = _of(_rendered(files), path)
    return renderer is not None and renderer.RUNS_PROGRAM


def _rendered(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if not name.startswith(_IGNORED)}


def _of(files: Mapping[str, bytes], path: str) -> Renderer | None:
    return next((each for each in _RENDERERS if each.accepts(files, path)), None)


def render(files: Mapping[str, bytes], path: str, *, sandbox: Sandbox | None) -> tuple[Object, ...]:
    """
    The objects that `path` stands for, in a stable order, rendered twice and found equal.

    `sandbox` may be None where `runs_program` is false. Raises RENDER_REFUSED, RENDER_FAILED,
    RENDER_LIMIT, RENDER_DIFFERS or SANDBOX_MISSING.
    """
    files = _rendered(files)
    if path != "." and not any(name.startswith(f"{path}/") for name in files):
        raise Failure(Reason.RENDER_FAILED, f"there is no directory {path[:200]!r}")
    renderer = _of(files, path)
    if renderer is None:
        return ()
    first, second = (renderer.render(files, path, sandbox) for _ in range(2))
    if orjson.dumps(first) != orjson.dumps(second):
        raise Failure(Reason.RENDER_DIFFERS, f"{path}: rendered twice, the results differ")
    return first
