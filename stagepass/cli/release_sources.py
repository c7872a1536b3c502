"""Where `stagepass release` reads and stores: what --evidence names, as sources of releases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stagepass import strictjson
from stagepass.cli import options
from stagepass.cli.deciding import source
from stagepass.cli.release_place import Operand
from stagepass.clock import format_time
from stagepass.digest import Digest, ImageRef
from stagepass.errors import InputError
from stagepass.evidence import Deadline
from stagepass.registry.content import CREATED_ANNOTATION, MAX_MANIFEST
from stagepass.registry.source import RegistrySource
from stagepass.release.find import claimed
from stagepass.release.model import Release
from stagepass.release.store import NOWHERE, SECONDS, ReleaseSource


@contextmanager
def release_sources(
    names: Sequence[str], where: ImageRef, *, offline: bool
) -> Iterator[list[ReleaseSource]]:
    """The sources that --evidence names; of registries only the host of `where` is asked."""

    def hosts() -> frozenset[str]:
        return frozenset({required(where).host})

    with ExitStack() as stack:
        # A listing of before the push would not show what was pushed.
        found = [source(name, hosts, offline=offline, listing_seconds=0) for name in names]
        for each in found:
            if isinstance(each.bundles, RegistrySource):
                stack.enter_context(each.bundles)
        yield found


def required(where: ImageRef) -> ImageRef:
    """The repository, where one is known. Raises `InputError`."""
    if where == NOWHERE:
        hint = "give --repository, or a policy whose stage has `release.repository`"
        raise InputError("no repository is known for these releases", hint=hint)
    return where


def opened(operand: Operand, evidence: Sequence[str], *, offline: bool) -> tuple[Release, str]:
    """
    A release by its digest alone, whoever signed it, and where its bundle lies ("" for a directory).

    Raises `Unavailable` where no source has it.
    """
    if operand.built is not None:
        return operand.built, ""
    deadline = Deadline.after(SECONDS)
    with release_sources(evidence, operand.repository, offline=offline) as sources:
        release, candidate = claimed(sources, operand.repository, operand.digest, deadline)
    return release, candidate.origin


def stored_at(origin: str, where: ImageRef) -> str:
    """
    When a bundle was stored, as its registry or file system says, which nobody signed; "" for unknown.

    Raises `Unavailable`.
    """
    name, _, digest = origin.partition("@")
    if name != where.name:
        path = Path(origin)
        return _modified(path) if path.is_file() else ""
    with options.registry_client(frozenset({where.host})) as client:
        body = client.manifest(where, Digest.parse(digest), Deadline.after(SECONDS))
    document = strictjson.loads_object(body, max_bytes=MAX_MANIFEST, max_depth=32)
    annotations: Any = document.get("annotations")
    created = annotations.get(CREATED_ANNOTATION) if isinstance(annotations, dict) else None
    return created if isinstance(created, str) else ""


def _modified(path: Path) -> str:
    return format_time(datetime.fromtimestamp(path.stat().st_mtime, UTC))
