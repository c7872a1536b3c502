"""
The newest changes of manifests that were refused, for whoever shows them: by whom, of what, which fields.

Each worker appends to a file of its own, so that none waits for another; the metrics listener reads all
of them. No value of an object is kept: what a Secret was to hold is nobody's here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from stagepass import strictjson
from stagepass.decision import Answer, Code, Decision, Violation
from stagepass.errors import InputError
from stagepass.review import AdmissionRequest
from webhook.answers import one_line
from webhook.rundir import run_directory

KEPT = 100
"""Newest first; older ones are in the log and the journal."""
_MAX_FILE = 256 << 10
"""Bytes; of each worker there are two such files at most."""
_MAX_FIELDS = 20
_MAX_TEXT = 512
_MAX_LINE = 64 << 10
_PREFIX, _OLD = "denials-", ".old"
_CODES = (Code.MANIFEST_DIFFERS, Code.MANIFEST_UNATTESTED)
_lock = threading.Lock()


def denied_manifests(decision: Decision) -> tuple[Violation, ...]:
    """Why an object was refused as it is written, by the stages that refuse it; () where it was not."""
    if decision.allowed or decision.answer is not Answer.DENIED:
        return ()
    return tuple(v for v in decision.told(decision.violations) if _refuses(decision, v))


def _refuses(decision: Decision, violation: Violation) -> bool:
    return violation.code in _CODES and violation not in decision.beside


def keep(
    request: AdmissionRequest, cluster: str, revision: str, refused: Sequence[Violation]
) -> None:
    """Write one down. A full disk changes no verdict, and the log has the same (V61)."""
    if (directory := run_directory()) is None:
        return
    about = request.object_id
    fields = dict.fromkeys((v.pipeline, v.stage, str(v.code), v.path) for v in refused)
    record = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "id": one_line(request.uid, _MAX_TEXT),
        "user": one_line(request.user, _MAX_TEXT),
        "operation": request.operation,
        "object": one_line(f"{about.group}/{about.kind}/{about.namespace}/{about.name}", _MAX_TEXT),
        "cluster": cluster,
        "fields": [_field(*each) for each in list(fields)[:_MAX_FIELDS]],
        "policy_revision": revision,
    }
    _append(directory, strictjson.dumps(record) + b"\n")


def _field(pipeline: str, stage: str, code: str, path: str) -> dict[str, str]:
    path = one_line(path, _MAX_TEXT)
    return {"pipeline": pipeline, "stage": stage, "code": code, "path": path}


def inherit(pid: int) -> None:
    """That worker has ended: what it kept is this process's to keep, within the same bound."""
    if (directory := run_directory()) is None:
        return
    for path in (directory / f"{_PREFIX}{pid}{_OLD}", directory / f"{_PREFIX}{pid}"):
        with suppress(OSError):
            for line in path.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n"):  # it was killed in the middle of another
                    _append(directory, line)
            path.unlink()


def newest() -> bytes:
    """`{"denials": [...]}` of all workers, newest first."""
    directory = run_directory()
    found = sorted(_records(directory), key=lambda each: str(each.get("time")), reverse=True)
    return strictjson.dumps({"denials": found[:KEPT]})


def _append(directory: Path, line: bytes) -> None:
    own = directory / f"{_PREFIX}{os.getpid()}"
    with _lock, suppress(OSError):
        with own.open("a+b") as file:
            file.write(b"\n" + line if _is_torn(file) else line)
            size = file.tell()
        if size > _MAX_FILE:
            own.replace(f"{own}{_OLD}")


def _is_torn(file: BinaryIO) -> bool:
    """Whether a disk that was full cut the last line: glued to it, the next would be lost as well."""
    if file.tell() == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _records(directory: Path | None) -> Iterator[dict[str, Any]]:
    for path in directory.glob(f"{_PREFIX}*") if directory else ():
        with suppress(OSError):  # its worker has just ended
            for line in path.read_bytes().splitlines():
                with suppress(InputError):  # of a disk that was full
                    yield strictjson.loads_object(line, max_bytes=_MAX_LINE, max_depth=4)
