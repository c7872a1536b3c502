"""`stagepass admit`: AdmissionReviews and manifests from files, judged as the webhook would."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from stagepass import strictjson, strictyaml
from stagepass.admission import judge_object
from stagepass.cli import deciding, options
from stagepass.cli.report import Judged, show
from stagepass.decision import Decision
from stagepass.errors import InputError
from stagepass.evidence import Deadline
from stagepass.release.sent import created
from stagepass.review import MAX_BYTES, MAX_DEPTH, AdmissionRequest
from stagepass.verifier import Verifier

_MAX_LIST_DEPTH = 3
# A list of what runs holds many objects, of 6 to 10 KB each: 30,000 Pods.
_MAX_FILE_BYTES = 256 << 20


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--cluster", required=True, help="The cluster the objects are meant for.")
@click.option(
    "--namespace", default="default", show_default=True, help="For manifests that name none."
)
@options.deciding
def admit(
    files: tuple[str, ...],
    cluster: str,
    namespace: str,
    policy_directory: Path,
    evidence: tuple[str, ...],
    offline: bool,
    now: datetime | None,
    output: str,
) -> int:
    """Decide on every object in FILE: AdmissionReviews (JSON), or manifests (YAML, JSON, List, '-')."""
    policy = options.load_policy(policy_directory)
    gate = deciding.verifier(policy, evidence, offline=offline)
    judged = judge_files(gate, files, cluster, namespace, options.current_time(now))
    return show(judged, output=output, revision=policy.revision)


def judge_files(
    verifier: Verifier,
    files: tuple[str, ...],
    cluster: str,
    namespace: str,
    now: datetime,
    *,
    empty_list: bool = False,
) -> list[Judged]:
    """
    Every object in `files`, each with a deadline of its own. Raises `InputError`.

    All files are read before any object is judged: a bad one must not leave half an answer. No object
    at all is refused, unless it is an `empty_list` that says so: nothing judged is nothing admitted.
    """
    documents = [(name, document) for name in files for document in _read(name)]
    requests = [(name, r) for name, d in documents for r in _requests(name, d, namespace)]
    if not requests and not (documents and empty_list):
        raise InputError("no objects", where=", ".join(files))
    return [
        Judged(name, request.object_id, _decide(verifier, cluster, request, now))
        for name, request in requests
    ]


def _decide(verifier: Verifier, cluster: str, request: AdmissionRequest, now: datetime) -> Decision:
    deadline = Deadline.after(options.DEADLINE_SECONDS)
    return judge_object(verifier, cluster, request, now=now, deadline=deadline)


def _requests(name: str, document: Any, namespace: str) -> Iterator[AdmissionRequest]:
    try:
        yield from _objects(document, namespace, 0)
    except InputError as error:
        raise InputError(error.message, where=error.where or name, hint=error.hint) from error


def _read(name: str) -> Iterator[Any]:
    try:
        with (
            contextlib.nullcontext(sys.stdin.buffer)
            if name == "-"
            else Path(name).open("rb") as file
        ):
            data = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", where=name) from error
    if len(data) > _MAX_FILE_BYTES:
        raise InputError(f"more than {_MAX_FILE_BYTES} bytes", where=name)
    yield from _documents(data, name)


def _documents(data: bytes, name: str) -> Iterator[Any]:
    if data.lstrip()[:1] in (b"{", b"["):
        try:
            document = strictjson.loads(data, max_bytes=_MAX_FILE_BYTES, max_depth=MAX_DEPTH)
            if len(data) > MAX_BYTES and not _is_list(document):
                raise InputError(f"{len(data)} bytes of JSON; at most {MAX_BYTES} are read")
            yield document
        except InputError as error:
            raise InputError(error.message, where=name) from error
        return
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text", where=name) from error
    documents = strictyaml.load_all(text, where=name, anchors=True)
    yield from (document for document in documents if document is not None)


def _objects(document: Any, namespace: str, depth: int) -> Iterator[AdmissionRequest]:
    if not isinstance(document, dict):
        raise InputError(f"an object is wanted, this is {strictjson.type_name(document)}")
    if document.get("kind") == "AdmissionReview":
        yield AdmissionRequest.of(document)
        return
    if _is_list(document):
        for item in _items(document, depth):
            yield from _objects(item, namespace, depth + 1)
        return
    yield created(document, namespace)


def _is_list(document: Any) -> bool:
    """Like kubectl: what has items is a list, whatever its kind, and each of them is applied."""
    if not isinstance(document, dict) or document.get("kind") == "AdmissionReview":
        return False
    return "items" in document or document.get("kind") == "List"


def _items(document: dict[str, Any], depth: int) -> list[Any]:
    items = document.get("items")
    if not isinstance(items, list) and items is not None:
        raise InputError(f"items is {strictjson.type_name(items)}, not a list")
    if depth >= _MAX_LIST_DEPTH:
        raise InputError(f"lists nested more than {_MAX_LIST_DEPTH} levels deep")
    return items or []
