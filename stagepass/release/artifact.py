"""
The two OCI manifests of a release: its own, and the one under which a stage lists all of its releases.

Both follow from what they are about, to the byte: who knows pipeline and stage knows the digest of the
line, and who has a statement knows the digest of the artifact. Nothing has to be looked up by a tag.
"""

from __future__ import annotations

from typing import Any

from stagepass import canonical
from stagepass.digest import Digest
from stagepass.predicates.release import ReleaseStatement
from stagepass.registry.content import EMPTY_TYPE, MANIFEST_TYPE

LINE_TYPE = "application/vnd.stagepass.release-line.v1+json"
RELEASE_TYPE = "application/vnd.stagepass.release.v1+json"
OBJECTS_TYPE = "application/vnd.stagepass.release.objects.v1+json"

EMPTY = b"{}"
_TITLE = "org.opencontainers.image.title"


def line(pipeline: str, stage: str) -> bytes:
    """The manifest beside which every release of a stage is listed."""
    return _manifest(
        LINE_TYPE, [_descriptor(EMPTY_TYPE, Digest.of(EMPTY), len(EMPTY))], pipeline, stage
    )


def line_digest(pipeline: str, stage: str) -> Digest:
    """What the gate asks a registry or a directory for."""
    return Digest.of(line(pipeline, stage))


def artifact(statement: ReleaseStatement) -> bytes:
    """The manifest of one release: its resource list, and its objects."""
    text = statement.resource_list
    layers = [
        _descriptor(RELEASE_TYPE, Digest.of(text), len(text), "release.json"),
        _descriptor(OBJECTS_TYPE, statement.objects, statement.size, "objects.json"),
    ]
    return _manifest(RELEASE_TYPE, layers, statement.pipeline, statement.stage)


def _descriptor(media_type: str, digest: Digest, size: int, title: str = "") -> dict[str, Any]:
    named = {"annotations": {_TITLE: title}} if title else {}
    return {"mediaType": media_type, "digest": str(digest), "size": size, **named}


def _manifest(kind: str, layers: list[dict[str, Any]], pipeline: str, stage: str) -> bytes:
    return canonical.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": kind,
            "config": _descriptor(EMPTY_TYPE, Digest.of(EMPTY), len(EMPTY)),
            "layers": layers,
            "annotations": {"dev.stagepass.pipeline": pipeline, "dev.stagepass.stage": stage},
        }
    )
