"""The types of an API server's OpenAPI v3 document, as flat lists of fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.cluster.places import KEY, Place

_PREFIX = "#/components/schemas/"
_NAMED = {  # types that are written as one scalar
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int-or-string",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "time",
}
_LEFT_OUT = {  # what only the server writes: nothing of it stands in a release
    "meta.v1.ObjectMeta": {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    }
}


@dataclass(frozen=True, slots=True)
class Field:
    """
    One place inside a type: a member, or what stands in a member that is a list or a map.

    `shape` is struct, list, map, or a scalar's: string, integer, boolean, number, bytes, quantity,
    int-or-string, time. `type` is the type of a struct.
    """

    place: Place
    shape: str
    type: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False


class Types:
    """The types of one document, by short names such as `core.v1.Container`."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = {_short(name): schema for name, schema in schemas.items()}

    def fields(self, name: str) -> tuple[Field, ...]:
        """The fields of a type, sorted."""
        schema = self._schemas[name]
        left_out = _LEFT_OUT.get(name, set())
        required = schema.get("required", ())
        return tuple(
            field
            for member, inner in sorted(schema.get("properties", {}).items())
            if member not in left_out
            for field in self._flat((member,), inner, member in required)
        )

    def kind(self, group: str, version: str, kind: str) -> str:
        """The type of a kind. `KeyError` where the document has none."""
        wanted = {"group": group, "version": version, "kind": kind}
        for name, schema in self._schemas.items():
            if wanted in schema.get("x-kubernetes-group-version-kind", ()):
                return name
        raise KeyError(f"{group}/{version} {kind}")

    def _flat(self, place: Place, schema: Mapping[str, Any], required: bool) -> Iterator[Field]:
        named = schema.get("$ref") or next((x["$ref"] for x in schema.get("allOf", ())), "")
        if named:
            full = named.removeprefix(_PREFIX)
            shape = _NAMED.get(full, "struct")
            yield Field(place, shape, _short(full) if shape == "struct" else "", required=required)
        elif schema["type"] == "array":
            yield Field(place, "list", required=required)
            yield from self._flat((*place, 0), schema["items"], True)
        elif schema["type"] == "object":
            yield Field(place, "map", required=required)
            yield from self._flat((*place, KEY), schema["additionalProperties"], True)
        else:
            shape = "bytes" if schema.get("format") == "byte" else schema["type"]
            yield Field(place, shape, "", tuple(schema.get("enum", ())), required)


def _short(name: str) -> str:
    return ".".join(name.split(".")[-3:])
