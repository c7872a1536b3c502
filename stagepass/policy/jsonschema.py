"""
The JSON Schema of policy documents (draft 2020-12), made from the readers of `fields`: for editors.

It refuses what one document alone shows to be wrong. Names, key files and conditions are the loader's
to judge, so a document that the schema takes may still not load; one that loads is always taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from stagepass.clock import format_duration, parse_duration, parse_time
from stagepass.identity import MAX_PATTERN, Glob
from stagepass.policy.fields import API_VERSION, KINDS, parse_object_path, parse_reason
from stagepass.policy.identity_forms import parse_issuer, parse_sha256
from stagepass.policy.release_forms import (
    parse_allowed_container,
    parse_pointer,
    parse_repository,
    parse_scoped_kind,
)
from stagepass.policy.schema import (
    REQUIRED,
    Boolean,
    Choice,
    Count,
    Field,
    ListOf,
    MapOf,
    Mapped,
    OneOf,
    Reader,
    Text,
    TextOr,
)
from stagepass.stage import ImagePattern, NamespacePattern

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DATE, _TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}", r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
_HOST = r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?"
_IS_HOST = r"(?=[^/]*[.:A-Z]|localhost/)(?!index\.docker\.io/)"
_MEMBER = "[A-Za-z_][A-Za-z0-9_-]*"
_SEGMENT = r"([a-z0-9._-]|\*(?!\*))+"
# Regular expressions that ECMA-262 and Python read alike: editors use the one, the tests the other.
_FORMS: Mapping[Callable[[str], Any], Mapping[str, Any]] = {
    parse_time: {"pattern": f"^{_DATE}T{_TIME}Z$", "format": "date-time"},
    parse_duration: {"pattern": "^([0-9]{1,6}[dhms])+$"},
    NamespacePattern.parse: {"pattern": "^[a-z0-9*]([a-z0-9*-]*[a-z0-9*])?$", "maxLength": 63},
    parse_issuer: {"pattern": r"^https?://[^\s*]+$"},
    parse_reason: {"pattern": r"\S"},
    parse_sha256: {"pattern": "^[0-9a-f]{64}$"},
    Glob.parse: {"pattern": r"^(\*{0,2}[^*])*\*{0,2}$", "maxLength": MAX_PATTERN},
    parse_scoped_kind: {"pattern": "^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Z][A-Za-z0-9]{0,62}$"},
    parse_pointer: {"pattern": "^(/([^/~]|~[01])+)+$"},
    parse_allowed_container: {"pattern": "@sha256:[0-9a-f]{64}$"},
    parse_repository: {"pattern": rf"^{_IS_HOST}{_HOST}(/[a-z0-9._-]+)+$"},
    parse_object_path: {"pattern": rf"^{_MEMBER}(\.{_MEMBER}|\[\*\])*$"},
    ImagePattern.parse: {
        "pattern": rf"^{_IS_HOST}{_HOST}(/{_SEGMENT})*/(\*\*|{_SEGMENT})$",
    },
}


def policy_schema() -> dict[str, Any]:
    """Of one document of any kind."""
    return {
        "$schema": _DIALECT,
        "title": f"A Stagepass policy document ({API_VERSION})",
        "type": "object",
        "properties": {"kind": {"enum": list(KINDS)}},
        "required": ["kind"],
        "oneOf": [_document(kind, reader) for kind, reader in KINDS.items()],
    }


def _document(kind: str, reader: Mapped) -> dict[str, Any]:
    schema = _mapping(reader)
    schema["properties"]["kind"] = {"const": kind}
    return {"title": kind, **schema}


def _schema(reader: Reader) -> dict[str, Any]:
    """What the reader takes. Raises `TypeError` for one that this module does not know."""
    match reader:
        case Text(parse=parse):
            return {"type": "string", "minLength": 1, **_FORMS.get(parse, {})}
        case Choice(values=values):
            return {"enum": list(values)}
        case Count():
            return {"type": "integer", "minimum": 1}
        case Boolean():
            return {"type": "boolean"}
        case ListOf(item=item, may_be_empty=may_be_empty):
            bound = {} if may_be_empty else {"minItems": 1}
            return {"type": "array", "items": _schema(item), **bound}
        case Mapped():
            return _mapping(reader)
        case MapOf(item=item):
            return {"type": "object", "additionalProperties": _schema(item), "minProperties": 1}
        case TextOr(long=long):
            return {"anyOf": [{"type": "string", "minLength": 1}, _mapping(long)]}
        case OneOf(kinds=kinds):
            return _one_of(kinds)
    raise TypeError(f"no JSON Schema is known for {reader!r}")


def _mapping(reader: Mapped) -> dict[str, Any]:
    required = [name for name, field in reader.fields.items() if field.default is REQUIRED]
    return {
        "type": "object",
        "properties": {
            name: {**_schema(field.read), **_default(field)}
            for name, field in reader.fields.items()
        },
        "additionalProperties": False,
        **({"required": required} if required else {}),
        **({"anyOf": [{"required": [name]} for name in reader.some_of]} if reader.some_of else {}),
    }


def _one_of(kinds: Mapping[str, Mapped]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: _mapping(reader) for name, reader in kinds.items()},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _default(field: Field) -> dict[str, Any]:
    """As an author would write it; {} where nothing written stands for it."""
    match field:
        case Field(read=Choice(values=values)):
            words = [word for word, value in values.items() if value == field.default]
            return {"default": words[0]} if words else {}
        case Field(default=timedelta() as span):
            return {"default": format_duration(span)}
        case Field(read=Count() | Boolean(), default=bool() | int()):
            return {"default": field.default}
    return {}
