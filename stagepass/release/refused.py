"""What an object must not say to be part of a release: an address that is not its own, state, secrets."""

from __future__ import annotations

from collections.abc import Iterator

from stagepass.manifest import ObjectId
from stagepass.objects import (
    Object,
    is_built_in,
    is_hollow,
    is_our_own,
    members,
    shape_problems,
    word_problems,
)
from stagepass.release.salted import plain_keys
from stagepass.release.scopes import CLUSTER_SCOPED

# What an API server or a controller says about an object. Finalizers may be meant by who renders.
_METADATA = (
    *("deletionGracePeriodSeconds", "deletionTimestamp", "generateName", "generation"),
    *("managedFields", "ownerReferences", "resourceVersion", "selfLink", "uid"),
)
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def problems(found: ObjectId, document: Object, *, salted: bool) -> Iterator[str]:
    """
    All that is wrong with an object as it was rendered; nothing quotes a Secret's value.

    `salted`: the values of a Secret may be there, as they will be replaced by digests.
    """
    yield from shape_problems(found, document)
    if is_our_own(found.group):
        yield f"is of the group {found.group}, which is decided by, not decided about"
    metadata = members(document.get("metadata"))
    for name in _METADATA:
        if metadata.get(name) is not None:
            yield f"sets metadata.{name}"
    if metadata.get("creationTimestamp") is not None:
        yield "sets metadata.creationTimestamp"
    yield from word_problems(metadata)
    if not is_hollow(document.get("status")):
        yield "has a status, which is the cluster's to say"
    yield from _place(found)
    if (found.group, found.kind) == ("", "Secret"):
        yield from _secret(document, metadata, salted=salted)


def _place(found: ObjectId) -> Iterator[str]:
    if not is_built_in(found.group):
        return
    if (found.group, found.kind) in CLUSTER_SCOPED:
        if found.namespace:
            yield "has a namespace, and its kind has none"
    elif not found.namespace:
        yield "has no metadata.namespace; write it, as the gate compares exact identities"


def _secret(document: Object, metadata: Object, *, salted: bool) -> Iterator[str]:
    # kubectl's record of an apply holds the values once more.
    if _LAST_APPLIED in members(metadata.get("annotations")):
        yield f"carries its values in the annotation {_LAST_APPLIED}"
    keys = plain_keys(document)
    if salted and "stringData" not in document and isinstance(document.get("data", {}), dict):
        return
    if keys:
        yield (
            f"is a Secret with values ({', '.join(keys[:5])}), and a release is read by many:"
            " keep it out, or let the stage's policy say `secrets: salted`"
        )
