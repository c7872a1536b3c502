"""The canonical form of one object: its name in a release, its bytes, its images."""

from __future__ import annotations

from typing import Any

from stagepass import canonical
from stagepass.digest import ImageRef
from stagepass.errors import InputError
from stagepass.manifest import ObjectId, image_fields
from stagepass.objects import Object, members, spelled
from stagepass.predicates.release import Named

# From 2**53 on a double does not tell neighbours apart, and RFC 8785 has doubles.
_EXACT = float(1 << 53)


def resource_name(document: Object) -> str:
    """`APIVERSION/KIND/NAMESPACE/NAME`; the third part is empty where there is no namespace."""
    metadata = members(document.get("metadata"))
    namespace, name = metadata.get("namespace") or "", metadata.get("name") or ""
    return f"{document['apiVersion']}/{document['kind']}/{namespace}/{name}"


def canonical_object(source: Object) -> dict[str, Any]:
    """An object as it stands in a release: as an API server keeps it, whole numbers as integers."""
    found: dict[str, Any] = _whole_numbers(spelled(source))
    return found


def text_of(document: Object) -> bytes:
    """Its canonical bytes (RFC 8785). Raises `InputError`."""
    return canonical.dumps(dict(document))


def images_of(document: Object) -> list[Named]:
    """
    Every image of a built-in kind's object.

    What policy says of custom resources is left out: a release has one digest, whatever the policy.
    Raises `InputError` for an image without a digest, naming its field.
    """
    found = ObjectId.of(document)
    images = []
    for field in image_fields(found.group, found.kind, document):
        try:
            image = ImageRef.parse(field.image)
        except InputError as error:
            raise InputError(f"{field.path}: {error}") from error
        if image.digest is None:
            raise InputError(
                f"{field.path}: {field.image!r} has no digest: tags move",
                hint="`stagepass pin` prints the digest",
            )
        images.append(Named(image.name, image.digest))
    return images


def _whole_numbers(value: Any) -> Any:
    """YAML's `1.0` and `1` are the same number, and JSON's canonical form of both is `1`."""
    if isinstance(value, dict):
        return {key: _whole_numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(each) for each in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    return value
