"""The kinds of policy document and their fields: the one list of what may be written."""

from __future__ import annotations

from collections.abc import Mapping

from stagepass.clock import parse_duration, parse_time
from stagepass.decision import Enforcement
from stagepass.policy.schema import Choice, Field, ListOf, MapOf, Mapped, Text, TextOr
from stagepass.stage import ImagePattern, NamespacePattern

API_VERSION = "stagepass.dev/v1"

_ENFORCEMENT = Choice({str(e): e for e in reversed(Enforcement)})
_UNLISTED = Choice(
    {"deny": Enforcement.ENFORCE, "warn": Enforcement.WARN, "audit": Enforcement.AUDIT}
)
_NAMES = ListOf(Text())

_KEY = Mapped(
    {
        "file": Field(Text()),
        "owner": Field(Text()),
        "clusters": Field(_NAMES, None),
        "validFrom": Field(Text(parse_time), None),
        "validUntil": Field(Text(parse_time), None),
    }
)
_REQUIREMENT = Mapped(
    {
        "attestation": Field(
            Mapped({"name": Field(Text()), "from": Field(_NAMES), "predicateType": Field(Text())})
        )
    }
)
_EDGE = Mapped(
    {
        "stage": Field(Text()),
        "soak": Field(Text(parse_duration), None),
        "maxAge": Field(Text(parse_duration), None),
        "clusters": Field(Choice({"all": "all"}), "all"),
    }
)
_STAGE = Mapped(
    {
        "name": Field(Text()),
        "clusters": Field(_NAMES),
        "namespaces": Field(ListOf(Text(NamespacePattern.parse))),
        "signedBy": Field(_NAMES, ()),
        "allowShared": Field(Text(), ""),
        "after": Field(ListOf(TextOr("stage", _EDGE)), ()),
        "requires": Field(ListOf(_REQUIREMENT), ()),
        "enforcement": Field(_ENFORCEMENT, Enforcement.ENFORCE),
    }
)
_HEAD = {"apiVersion": Field(Choice({API_VERSION: API_VERSION})), "kind": Field(Text())}
KINDS: Mapping[str, Mapped] = {
    "Attestors": Mapped(
        {**_HEAD, "attestors": Field(MapOf(Mapped({"keys": Field(ListOf(_KEY))})))}
    ),
    "Pipeline": Mapped(
        {
            **_HEAD,
            "metadata": Field(Mapped({"name": Field(Text())})),
            "images": Field(ListOf(Text(ImagePattern.parse))),
            "stages": Field(ListOf(_STAGE)),
        }
    ),
    "Defaults": Mapped({**_HEAD, "unlisted": Field(_UNLISTED, Enforcement.ENFORCE)}),
}
