"""Plain YAML: every `*.yaml` and `*.yml` below the path, in the order of their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from applier.render.documents import Object, distinct, objects
from applier.render.sandbox import Sandbox

VERSION = "plain/1"
RUNS_PROGRAM = False
_ENDS = (".yaml", ".yml")


def accepts(files: Mapping[str, bytes], path: str) -> bool:
    """Anything: it stands last in the list."""
    return bool(files) and bool(path)


def render(files: Mapping[str, bytes], path: str, sandbox: Sandbox | None) -> tuple[Object, ...]:  # noqa: ARG001  # runs nothing
    """The objects. Raises RENDER_REFUSED with file and line."""
    start = "" if path == "." else f"{path}/"
    return distinct(_all(files, start))


def _all(files: Mapping[str, bytes], start: str) -> Iterator[tuple[str, Object]]:
    for name in sorted(files):
        if name.startswith(start) and name.endswith(_ENDS):
            for each in objects(files[name], name):
                yield name, each
