"""A manifest of a file as the request of its creation, as an API server would show it to the gate."""

from __future__ import annotations

from typing import Any

from stagepass.manifest import ObjectId
from stagepass.objects import is_built_in, spelled
from stagepass.release.scopes import CLUSTER_SCOPED
from stagepass.review import AdmissionRequest


def created(document: dict[str, Any], namespace: str) -> AdmissionRequest:
    """In the API's own spelling, in its own namespace or else in this one. Raises `InputError`."""
    found = ObjectId.of(document)
    place = ObjectId(found.group, found.kind, found.namespace or namespace, found.name)
    sent = spelled(document)
    is_known = is_built_in(place.group) and (place.group, place.kind) not in CLUSTER_SCOPED
    if is_known and isinstance(document.get("metadata", {}), dict):
        sent["metadata"] = {**sent["metadata"], "namespace": place.namespace}
    return AdmissionRequest(uid="", operation="CREATE", object_id=place, new=sent, old=None)
