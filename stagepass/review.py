"""AdmissionReview v1 in: the strict reading of what an API server sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stagepass import strictjson
from stagepass.errors import InputError
from stagepass.manifest import ObjectId

# The API server takes 3 MiB a request (control-plane-proof section 7); a review holds two objects.
MAX_BYTES = 8 << 20
# The API server itself takes 10,000 levels; no object that runs images comes near this.
MAX_DEPTH = 500

API_VERSION = "admission.k8s.io/v1"
_OPERATIONS = {"CREATE", "UPDATE", "DELETE", "CONNECT"}


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """
    What is to be judged. `object_id` has the kind that was matched and `request.namespace`.

    `new` and `old` are the objects as sent, None where absent or null; `old` only on UPDATE. `user` is
    who asks, "" where that is not told: it is written down, and nothing is judged by it.
    """

    uid: str
    operation: str
    object_id: ObjectId
    new: Mapping[str, Any] | None
    old: Mapping[str, Any] | None
    user: str = ""

    @property
    def creates(self) -> bool:
        """Whether nothing is stored yet; what the object says of that is its author's."""
        return self.operation != "UPDATE"

    @classmethod
    def parse(cls, data: bytes) -> AdmissionRequest:
        """From the body of a review. Raises `InputError`: not JSON, not v1, or a member of a wrong type."""
        document = strictjson.loads_object(data, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
        return cls.of(document)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> AdmissionRequest:
        """From the decoded review. Raises `InputError`."""
        if document.get("apiVersion") != API_VERSION or document.get("kind") != "AdmissionReview":
            raise InputError(
                f"apiVersion {document.get('apiVersion')!r}, kind {document.get('kind')!r}",
                hint=f"only {API_VERSION} AdmissionReview is read",
            )
        request = _mapping(document, "request", "request")
        kind = _mapping(request, "kind", "request.kind")
        operation = _text(request, "operation", "request.operation")
        if operation not in _OPERATIONS:
            raise InputError(f"request.operation {operation!r} is none of {sorted(_OPERATIONS)}")
        return cls(
            uid=_text(request, "uid", "request.uid"),
            operation=operation,
            object_id=ObjectId(
                group=_optional_text(kind, "group", "request.kind.group"),
                kind=_text(kind, "kind", "request.kind.kind"),
                namespace=_optional_text(request, "namespace", "request.namespace"),
                name=_optional_text(request, "name", "request.name"),
            ),
            new=_optional_mapping(request, "object", "request.object"),
            old=_optional_mapping(request, "oldObject", "request.oldObject")
            if operation == "UPDATE"
            else None,
            user=_user(request),
        )


def _user(request: Mapping[str, Any]) -> str:
    """Never an error: what nothing is judged by must refuse nothing."""
    info = request.get("userInfo")
    name = info.get("username") if isinstance(info, dict) else None
    return name if isinstance(name, str) else ""


def _mapping(parent: Mapping[str, Any], name: str, path: str) -> Mapping[str, Any]:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise InputError(f"{path} is not an object")
    return value


def _optional_mapping(parent: Mapping[str, Any], name: str, path: str) -> Mapping[str, Any] | None:
    return None if parent.get(name) is None else _mapping(parent, name, path)


def _text(parent: Mapping[str, Any], name: str, path: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str) or not value:
        raise InputError(f"{path} is missing or not text")
    return value


def _optional_text(parent: Mapping[str, Any], name: str, path: str) -> str:
    value = parent.get(name, "")
    if not isinstance(value, str):
        raise InputError(f"{path} is not text")
    return value
