"""The kinds of policy document and their fields: the one list of what may be written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from stagepass.clock import parse_duration, parse_time
from stagepass.decision import Enforcement
from stagepass.errors import InputError
from stagepass.identity import CLAIMS, Glob
from stagepass.manifest import EACH
from stagepass.policy.identity_forms import parse_issuer, parse_sha256
from stagepass.policy.release_forms import (
    parse_allowed_container,
    parse_pointer,
    parse_repository,
    parse_scoped_kind,
)
from stagepass.policy.releases import ManifestMode
from stagepass.policy.schema import (
    EVERY_IMAGE,
    NOT_WRITTEN,
    Boolean,
    Choice,
    Count,
    Field,
    ListOf,
    MapOf,
    Mapped,
    OneOf,
    Text,
    TextOr,
)
from stagepass.policy.source import (
    APPLY_RULES,
    parse_account_namespace,
    parse_kind,
    parse_name,
    parse_path,
    parse_ref,
    parse_url,
)
from stagepass.stage import ImagePattern, NamespacePattern

_MEMBER = "[A-Za-z_][A-Za-z0-9_-]*"
_OBJECT_PATH = re.compile(rf"{_MEMBER}(\.{_MEMBER}|\[\*\])*")
API_VERSION = "stagepass.dev/v1"


def _condition(text: str) -> Any:
    """A CEL condition. The engine (20 ms, 50 MB) is loaded by the first set that has one."""
    return import_module("stagepass.policy.expression").Condition.compile(text)


def _member_path(text: str) -> tuple[str, ...]:
    """`predicate.metadata.scanFinishedOn` as the names below the predicate."""
    root, *names = text.split(".")
    if root != "predicate" or not names or not all(names):
        raise InputError(
            f"{text!r} is no member of the predicate", hint="like predicate.metadata.scanFinishedOn"
        )
    return tuple(names)


def parse_reason(text: str) -> str:
    """Why, in words. Raises `InputError` for blanks."""
    if not text.strip():
        raise InputError(f"{text!r} says nothing", hint="write why")
    return text


def parse_object_path(text: str) -> tuple[str, ...]:
    """`spec.steps[*].image` as the members that lead there, `*` for every item of a list."""
    if not _OBJECT_PATH.fullmatch(text):
        raise InputError(f"{text!r} is no path in an object", hint="like spec.steps[*].image")
    return tuple(text.replace("[*]", f".{EACH}").split("."))


def _image_or_every(text: str) -> ImagePattern | str:
    """A pattern, or `**` itself: every image."""
    return text if text == EVERY_IMAGE else ImagePattern.parse(text)


_ENFORCEMENT = Choice({str(e): e for e in reversed(Enforcement)})
_UNLISTED = Choice(
    {"deny": Enforcement.ENFORCE, "warn": Enforcement.WARN, "audit": Enforcement.AUDIT}
)
_NAMES = ListOf(Text())
_NAMESPACES = ListOf(Text(NamespacePattern.parse))
_NAMED = Field(Mapped({"name": Field(Text())}))
_DURATION = Text(parse_duration)
_REASON = Text(parse_reason)

_WINDOW = {
    "clusters": Field(_NAMES, None),
    "validFrom": Field(Text(parse_time), None),
    "validUntil": Field(Text(parse_time), None),
}
_ROOTS = Field(_NAMES, None)
_KEY = Mapped({"file": Field(Text()), "owner": Field(Text()), "trustRoots": _ROOTS, **_WINDOW})
_GLOB = Text(Glob.parse)
_IDENTITY = Mapped(
    {
        "issuer": Field(Text(parse_issuer)),
        "subject": Field(_GLOB),
        "claims": Field(
            Mapped({name: Field(_GLOB, None) for name in CLAIMS}, some_of=tuple(CLAIMS)), None
        ),
        "owner": Field(Text()),
        "trustRoots": _ROOTS,
        "allowWide": Field(_REASON, ""),
        **_WINDOW,
    }
)
_TRUST_ROOT = Mapped(
    {"name": Field(Text()), "file": Field(Text()), "sha256": Field(Text(parse_sha256))}
)
_ATTESTOR = Mapped(
    {"keys": Field(ListOf(_KEY), ()), "identities": Field(ListOf(_IDENTITY), ())},
    some_of=("keys", "identities"),
)
_ATTESTATION = Mapped(
    {
        "name": Field(Text()),
        "from": Field(_NAMES),
        "predicateType": Field(Text()),
        "where": Field(Text(_condition), None),
        "time": Field(Text(_member_path), None),
        "maxAge": Field(_DURATION, None),
    }
)
_APPROVAL = Mapped(
    {
        "from": Field(_NAMES),
        "threshold": Field(Count(), 1),
        "notBy": Field(_NAMES, ()),
        "maxAge": Field(_DURATION, parse_duration("30d")),
    }
)
_EDGE = Mapped(
    {
        "stage": Field(Text()),
        "soak": Field(_DURATION, None),
        "maxAge": Field(_DURATION, None),
        "clusters": Field(Choice({"all": False, "any": True}), default=False),
    }
)
_COMMIT_SIGNERS = Field(Mapped({"ssh": Field(Text(), None), "gpg": Field(Text(), None)}), None)
_HEARTBEAT = Mapped(
    {
        "ref": Field(Text(parse_ref)),
        "maxAge": Field(_DURATION, parse_duration("24h")),
        "signers": _COMMIT_SIGNERS,
    }
)
_REF = Mapped({"branch": Field(Text(parse_ref), None), "tag": Field(Text(parse_ref), None)})
_SOURCE = Mapped(
    {
        "git": Field(Text(parse_url)),
        "ref": Field(TextOr("branch", _REF)),
        "path": Field(Text(parse_path)),
        "root": Field(Text(parse_path), None),
        "serviceAccount": Field(
            Mapped(
                {
                    "namespace": Field(Text(parse_account_namespace)),
                    "name": Field(Text(parse_name)),
                }
            )
        ),
        "commitSigners": _COMMIT_SIGNERS,
        "heartbeat": Field(_HEARTBEAT, None),
        "apply": Field(Choice(APPLY_RULES), default=True),
        "clusterScoped": Field(ListOf(Text(parse_kind)), ()),
        "takeover": Field(_NAMES, ()),
        "sandbox": Field(Choice({"required": True, "none": False}), default=True),
    }
)
_SCOPED_KINDS = ListOf(Text(parse_scoped_kind))
_ALLOW = Mapped(
    {
        "kinds": Field(_SCOPED_KINDS, NOT_WRITTEN),
        "pointer": Field(Text(parse_pointer), NOT_WRITTEN),
        "container": Field(Text(parse_allowed_container), NOT_WRITTEN),
        "reason": Field(_REASON),
    }
)
_RELEASE = Mapped(
    {
        "from": Field(_NAMES),
        "repository": Field(Text(parse_repository), None),
        "kinds": Field(_SCOPED_KINDS, None),
        "secrets": Field(Choice({"refused": False, "salted": True}), default=False),
        "allow": Field(ListOf(_ALLOW), ()),
    }
)
_STAGE = Mapped(
    {
        "name": Field(Text()),
        "clusters": Field(
            ListOf(TextOr("name", Mapped({"name": Field(Text()), "uid": Field(Text(), None)})))
        ),
        "namespaces": Field(_NAMESPACES),
        "signedBy": Field(_NAMES, ()),
        "allowShared": Field(_REASON, ""),
        "after": Field(ListOf(TextOr("stage", _EDGE)), ()),
        "requires": Field(ListOf(OneOf({"attestation": _ATTESTATION, "approval": _APPROVAL})), ()),
        "windows": Field(ListOf(Mapped({"deny": Field(Text()), "timezone": Field(Text())})), ()),
        "breakGlass": Field(
            Mapped(
                {
                    "from": Field(_NAMES),
                    "threshold": Field(Count(), 1),
                    "maxDuration": Field(_DURATION),
                }
            ),
            None,
        ),
        "enforcement": Field(_ENFORCEMENT, Enforcement.ENFORCE),
        "source": Field(_SOURCE, None),
        "manifests": Field(Choice({str(mode): mode for mode in ManifestMode}), ManifestMode.OFF),
        "release": Field(_RELEASE, None),
    }
)
_EXEMPT = Mapped(
    {
        "namespaces": Field(_NAMESPACES),
        "images": Field(ListOf(Text(ImagePattern.parse))),
        "allowTags": Field(Boolean(), default=False),
        "reason": Field(_REASON),
        "expires": Field(Text(parse_time)),
    }
)
_PATHS = ListOf(Text(parse_object_path))
_RESOURCE = Mapped(
    {
        "group": Field(Text()),
        "kind": Field(Text()),
        "podTemplates": Field(_PATHS, ()),
        "images": Field(_PATHS, ()),
    }
)
_HEAD = {"apiVersion": Field(Choice({API_VERSION: API_VERSION})), "kind": Field(Text())}

KINDS: Mapping[str, Mapped] = {
    "Attestors": Mapped(
        {
            **_HEAD,
            "trustRoots": Field(ListOf(_TRUST_ROOT), ()),
            "attestors": Field(MapOf(_ATTESTOR), MappingProxyType({})),
        },
        some_of=("trustRoots", "attestors"),
    ),
    "Pipeline": Mapped(
        {
            **_HEAD,
            "metadata": _NAMED,
            "images": Field(ListOf(Text(ImagePattern.parse))),
            "stages": Field(ListOf(_STAGE)),
        }
    ),
    "Baseline": Mapped(
        {
            **_HEAD,
            "metadata": _NAMED,
            "images": Field(ListOf(Text(_image_or_every))),
            "namespaces": Field(_NAMESPACES),
            "clusters": Field(_NAMES, None),
            "requires": Field(ListOf(OneOf({"attestation": _ATTESTATION}))),
        }
    ),
    "Revocations": Mapped(
        {
            **_HEAD,
            "file": Field(Text()),
            "from": Field(_NAMES),
            "onExpired": Field(Choice({"deny": True, "warn": False}), default=True),
        }
    ),
    "CustomResources": Mapped({**_HEAD, "resources": Field(ListOf(_RESOURCE))}),
    "Defaults": Mapped(
        {
            **_HEAD,
            "unlisted": Field(_UNLISTED, Enforcement.ENFORCE),
            "exempt": Field(ListOf(_EXEMPT), ()),
            "csiDrivers": Field(_NAMES, ()),
        }
    ),
}
