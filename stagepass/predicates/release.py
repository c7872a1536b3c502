"""`release/v1`: "these are the objects and images of a stage"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stagepass import canonical, strictjson
from stagepass.digest import Digest
from stagepass.errors import InputError
from stagepass.predicates.members import (
    BASE,
    invalid,
    mapping,
    number,
    refuse_unknown_critical,
    text,
)

RELEASE = f"{BASE}/release/v1"


@dataclass(frozen=True, slots=True, order=True)
class Named:
    """A resource by `APIVERSION/KIND/NAMESPACE/NAME`, or an image by `HOST/REPOSITORY`."""

    name: str
    digest: Digest

    @classmethod
    def parse(cls, value: object, where: str) -> Named:
        """From an item of `resources` or `images`, which has these two members and no other."""
        if not isinstance(value, dict) or value.keys() != {"name", "digest"}:
            raise invalid(f"{where} is not an object of name and digest")
        return cls(text(value, "name", f"{where}."), sha256(value, "digest", where))

    def to_json(self) -> dict[str, Any]:
        """As written."""
        return {"name": self.name, "digest": {"sha256": self.digest.hex}}


@dataclass(frozen=True, slots=True)
class ReleaseStatement:
    """
    What is in a release, without the objects themselves. Both lists are sorted, nothing twice.

    `path` is where in the source it was rendered, `renderer` by what; both recorded. `objects` names
    the blob with the objects, of `size` bytes.
    """

    pipeline: str
    stage: str
    path: str
    resources: tuple[Named, ...]
    images: tuple[Named, ...]
    objects: Digest
    size: int
    renderer: Mapping[str, Any] | None = None

    @classmethod
    def parse(cls, predicate: Mapping[str, Any]) -> ReleaseStatement:
        """From a verified predicate; the subjects are the caller's to compare."""
        refuse_unknown_critical(predicate)
        objects = mapping(predicate, "objects")
        found = cls(
            pipeline=text(predicate, "pipeline"),
            stage=text(predicate, "stage"),
            path=text(predicate, "path"),
            resources=_sorted(predicate, "resources"),
            images=_sorted(predicate, "images"),
            objects=sha256(objects, "digest", "objects"),
            size=number(objects, "size"),
            renderer=mapping(predicate, "renderer") if "renderer" in predicate else None,
        )
        if not found.resources:
            raise invalid("resources is empty")
        if len({each.name for each in found.resources}) != len(found.resources):
            raise invalid("resources names one object twice")
        try:
            is_set = found.image_set == sha256(predicate, "imageSet")
        except InputError as error:  # half of a surrogate pair in a name
            raise invalid(error.message) from error
        if not is_set:
            raise invalid("imageSet is not the digest of images")
        return found

    @property
    def resource_list(self) -> bytes:
        """`release.json`: resources and images in their one spelling (RFC 8785)."""
        lists = {"images": _written(self.images), "resources": _written(self.resources)}
        return canonical.dumps(lists)

    @property
    def digest(self) -> Digest:
        """Of `release.json`: what passes, receipts and approvals name as the release."""
        return Digest.of(self.resource_list)

    @property
    def image_set(self) -> Digest:
        """Of the images alone: what the releases of several stages have in common."""
        return image_set(self.images)

    def compose(self) -> bytes:
        """The predicate's text."""
        renderer = {} if self.renderer is None else {"renderer": dict(self.renderer)}
        return strictjson.dumps(
            {
                "pipeline": self.pipeline,
                "stage": self.stage,
                "path": self.path,
                **renderer,
                "resources": _written(self.resources),
                "images": _written(self.images),
                "imageSet": {"sha256": self.image_set.hex},
                "objects": {"digest": {"sha256": self.objects.hex}, "size": self.size},
                "critical": [],
            }
        )


def image_set(images: Sequence[Named]) -> Digest:
    """The digest of sorted images."""
    return Digest.of(canonical.dumps(_written(images)))


def parse_resource_list(data: bytes, max_bytes: int) -> tuple[tuple[Named, ...], tuple[Named, ...]]:
    """
    The resources and the images of a `release.json`.

    Raises `AttestationError` with `STATEMENT_INVALID`, also for another spelling of the same list.
    """
    try:
        document = strictjson.loads_object(data, max_bytes=max_bytes, max_depth=8)
        if document.keys() != {"images", "resources"}:
            raise invalid("a resource list has the members images and resources, and no other")
        found = _sorted(document, "resources"), _sorted(document, "images")
        lists = {"images": _written(found[1]), "resources": _written(found[0])}
        if canonical.dumps(lists) != data:
            raise invalid("not in its canonical spelling (RFC 8785)")
    except InputError as error:
        raise invalid(error.message) from error
    return found


def sha256(parent: Mapping[str, Any], name: str, where: str = "") -> Digest:
    """The member `name`, an object with the one member sha256."""
    value = mapping(parent, name)
    here = f"{where}.{name}" if where else name
    if value.keys() != {"sha256"} or not isinstance(value["sha256"], str):
        raise invalid(f"{here} is not an object of sha256 alone")
    try:
        return Digest.parse(f"sha256:{value['sha256']}")
    except InputError as error:
        raise invalid(f"{here}: {error.message}") from error


def _sorted(predicate: Mapping[str, Any], name: str) -> tuple[Named, ...]:
    values = predicate.get(name)
    if not isinstance(values, list):
        raise invalid(f"{name} is not a list")
    found = tuple(Named.parse(value, f"{name}[{i}]") for i, value in enumerate(values))
    # One list has one spelling, so that one release has one digest.
    if list(found) != sorted(set(found)):
        raise invalid(f"{name} is not sorted, or names one thing twice")
    return found


def _written(named: Sequence[Named]) -> list[Any]:
    return [each.to_json() for each in named]
