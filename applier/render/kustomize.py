"""Kustomize, as kubectl carries it: scanned first, then run in the sandbox on what the scan found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from applier.failure import Failure, Reason
from applier.render.documents import Object, distinct, objects
from applier.render.redact import redact
from applier.render.sandbox import Sandbox
from applier.render.scan import KUSTOMIZATIONS, scan

VERSION = "kustomize/1"
RUNS_PROGRAM = True


def accepts(files: Mapping[str, bytes], path: str) -> bool:
    """Is there a kustomization in `path`?"""
    start = "" if path == "." else f"{path}/"
    return any(f"{start}{name}" in files for name in KUSTOMIZATIONS)


def render(files: Mapping[str, bytes], path: str, sandbox: Sandbox | None) -> tuple[Object, ...]:
    """
    The objects. Raises RENDER_REFUSED, RENDER_FAILED, RENDER_LIMIT.

    The child is given the files that the scan reached: what was not looked at cannot be read.
    """
    reached = {name: files[name] for name in scan(files, path)}
    try:
        if sandbox is None:
            raise Failure(Reason.SANDBOX_MISSING, "Kustomize runs in a sandbox alone")
        output = sandbox.run(["kubectl", "kustomize", path], reached)
    except Failure as failure:
        raise Failure(failure.reason, redact(failure.message, reached)) from None
    return distinct(_all(output))


def _all(output: bytes) -> Iterator[tuple[str, Object]]:
    # Kustomize indents block scalars, so this line never stands inside one. Each document by itself
    # may then be as large as one YAML text may be.
    for number, text in enumerate(output.split(b"\n---\n"), start=1):
        where = f"rendered document {number}"
        for each in objects(text + b"\n", where):
            yield where, each
