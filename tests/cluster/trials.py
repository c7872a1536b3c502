"""What is sent to an API server to find out its defaults: hollow objects, and values to try."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from tests.cluster.openapi import Field
from tests.cluster.places import ABSENT, Place, at, put, text
from tests.cluster.recording import Object

IMAGE = "registry.example.com/app@sha256:" + "0" * 64
"""By digest, as every image of a release: one by tag has another imagePullPolicy."""

IMAGES = {
    "core.v1.Container": "image",
    "core.v1.EphemeralContainer": "image",
    "core.v1.ImageVolumeSource": "reference",
}
ZEROS: Mapping[str, Any] = {
    "struct": {},
    "list": [],
    "map": {},
    "string": "",
    "bytes": "",
    "integer": 0,
    "number": 0,
    "int-or-string": 0,
    "boolean": False,
    "quantity": "0",
}
SAMPLES: Mapping[str, tuple[Any, ...]] = {
    "list": ([],),
    "map": ({},),
    "string": ("", "x"),
    "bytes": ("", "eA=="),
    "integer": (0, 1),
    "number": (0, 1),
    "int-or-string": (0, "50%"),
    "boolean": (False, True),
    "quantity": ("0", "1"),
}
# What the schema does not list as choices, though the server treats it apart.
_CHOICES = {
    "core.v1.Container.image": (IMAGE.replace("@", ":latest@"),),
    "core.v1.EphemeralContainer.image": (IMAGE.replace("@", ":latest@"),),
    "core.v1.ImageVolumeSource.reference": (IMAGE.replace("@", ":latest@"),),
    "core.v1.ServiceSpec.clusterIP": ("None",),
    "rbac.v1.RoleRef.kind": ("Role", "ClusterRole"),
    "rbac.v1.Subject.kind": ("User", "Group", "ServiceAccount"),
}


def hollow(name: str, place: Place, *, but: Place = ()) -> Object:
    """The object with an empty struct at a place; what runs an image has one."""
    image = IMAGES.get(name, "")
    empty: Object = {image: IMAGE} if image and but != (image,) else {}
    return put({}, place, empty) if place else empty


def base_of(name: str, place: Place, f: Field) -> Object:
    """The object without a field, and with what the field is in."""
    base = hollow(name, place, but=f.place)
    if len(f.place) > 1:
        base = put(base, (*place, *f.place[:-1]), [] if f.place[-1] == 0 else {})
    return base


def values(f: Field, name: str, full: Object, where: Place) -> Iterator[Any]:
    """What to try at a place: `ABSENT`, where something is there."""
    if at(full, where) is not ABSENT and where[-1] != 0:
        yield ABSENT
    if f.place != (IMAGES.get(name),):  # every image has a digest here
        yield from f.choices or SAMPLES.get(f.shape, ())
    yield from _CHOICES.get(f"{name}.{text(f.place)}", ())


def cause(name: str, f: Field, value: Any) -> str:
    shown = " absent" if value is ABSENT else f"={orjson.dumps(value).decode()}"
    return f"{name}.{text(f.place)}{shown}"
