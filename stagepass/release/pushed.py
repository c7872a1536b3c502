"""Releases in a registry: pushed, and their blobs read. Only who asks a registry loads this."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from stagepass.digest import Digest, ImageRef
from stagepass.evidence import Deadline
from stagepass.predicates.release import RELEASE, ReleaseStatement
from stagepass.registry.client import RegistryClient
from stagepass.registry.content import MANIFEST_TYPE
from stagepass.registry.push import push_bundle
from stagepass.registry.uploads import push_blob, push_manifest
from stagepass.release.artifact import EMPTY, artifact, line
from stagepass.release.model import MAX_BYTES, Release
from stagepass.release.store import SECONDS, ReleaseSource, holds, read_back


@dataclass(frozen=True, slots=True)
class RegistryBlobs:
    """A registry's blobs, read through a client that somebody else closes."""

    client: RegistryClient

    def blob(self, repository: ImageRef, digest: Digest, deadline: Deadline) -> bytes:
        """As `Blobs.blob`."""
        return self.client.blob(repository, digest, deadline, max_bytes=MAX_BYTES)


@dataclass(frozen=True, slots=True)
class RegistryTarget:
    """A repository that is given releases; `source` reads it, with listings that are never old."""

    client: RegistryClient
    repository: ImageRef
    source: ReleaseSource

    def holds(self, statement: ReleaseStatement, bundle: bytes) -> bool:
        """As `Target.holds`."""
        return holds(self.source, self.repository, statement, bundle)

    def put(self, release: Release, bundle: bytes, at: datetime) -> str:
        """As `Target.put`."""
        deadline = Deadline.after(SECONDS)
        *_, stored = push_release(self.client, self.repository, release, bundle, at, deadline)
        read_back(self.source, self.repository, release, bundle)
        return stored


def push_release(
    client: RegistryClient,
    repository: ImageRef,
    release: Release,
    bundle: bytes,
    now: datetime,
    deadline: Deadline,
) -> list[str]:
    """
    Store a signed release and say where its two bundles lie.

    Everything is stored by digest, so to push again adds nothing but the time. Raises `Unavailable`,
    and `InputError` for a bundle that is too big.
    """
    session = client.session
    for data in (EMPTY, release.statement.resource_list, release.data):
        push_blob(session, repository, data, deadline)
    stored = []
    for body in (artifact(release.statement), line(release.pipeline, release.stage)):
        digest = push_manifest(session, repository, body, MANIFEST_TYPE, deadline)
        at = push_bundle(client, repository, digest, bundle, RELEASE, now, deadline)
        stored.append(f"{repository.name}@{at}")
    return stored
