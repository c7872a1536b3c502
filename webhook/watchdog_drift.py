"""How an admission object of a cluster differs from the file that it was made from. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from stagepass import strictjson
from stagepass.errors import InputError, did_you_mean

API_VERSION = "admissionregistration.k8s.io/v1"
_MAX_SHOWN = 200
_ABSENT = object()

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One field: its path, and both values as JSON text; "" where it is absent."""

    field: str
    wanted: str
    found: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object as its file has it. `content` is what decides, with the API's defaults filled in."""

    kind: str
    name: str
    content: Any

    @classmethod
    def parse(cls, document: Any, where: str) -> Wanted:
        """One YAML document. Raises `InputError` for whatever is no such object."""
        try:
            kind, name = document["kind"], document["metadata"]["name"]
            version = document["apiVersion"]
            if version != API_VERSION or kind not in _KINDS:
                known = [f"{API_VERSION} {known}" for known in _KINDS]
                hint = did_you_mean(f"{version} {kind}", known)
                raise InputError(f"{version} {kind} is not watched", where=where, hint=hint)
            if not isinstance(name, str) or not name or "/" in name:
                raise InputError(f"{name!r} is not a name", where=where)
            return cls(kind, name, _KINDS[kind].content(document))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"not an admission object: {error!r}", where=where) from error

    @property
    def path(self) -> str:
        """Where the API server has it."""
        return f"/apis/{API_VERSION}/{_KINDS[self.kind].plural}/{self.name}"

    def differences(self, live: Json | None) -> tuple[Difference, ...]:
        """
        Every field that is not as it should be; None stands for an object that is gone.

        Metadata counts for nothing. A field that this module has never heard of does.
        """
        if live is None:
            return (Difference(self.kind, "present", "absent"),)
        kind = _KINDS[self.kind]
        return tuple(_compare(self.content, kind.content(live), kind.root))


@dataclass(frozen=True, slots=True)
class _Kind:
    plural: str
    root: str
    content: Callable[[Json], Any]


def _match_defaults(match: Json) -> Json:
    """Of `matchConstraints`, `matchResources` and a webhook alike."""
    defaults: Json = {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}
    filled = {**defaults, **_set(match)}
    for rules in ("rules", "resourceRules", "excludeResourceRules"):
        if rules in filled:
            filled[rules] = [{"scope": "*", **_set(rule)} for rule in filled[rules]]
    return filled


def _webhooks(document: Json) -> Any:
    return [_webhook(each) for each in document.get("webhooks") or ()]


def _webhook(webhook: Json) -> Json:
    filled = {"failurePolicy": "Fail", "timeoutSeconds": 10, **_match_defaults(webhook)}
    client = dict(filled["clientConfig"])
    if client.get("service"):
        client["service"] = {"port": 443, **client["service"]}
    return {**filled, "clientConfig": client}


def _policy(document: Json) -> Any:
    spec = {"failurePolicy": "Fail", **_set(document["spec"])}
    return {**spec, "matchConstraints": _match_defaults(spec["matchConstraints"])}


def _binding(document: Json) -> Any:
    spec = _set(document["spec"])
    if "matchResources" in spec:
        spec["matchResources"] = _match_defaults(spec["matchResources"])
    return spec


_KINDS: Mapping[str, _Kind] = {
    "ValidatingWebhookConfiguration": _Kind(
        "validatingwebhookconfigurations", "webhooks", _webhooks
    ),
    "ValidatingAdmissionPolicy": _Kind("validatingadmissionpolicies", "spec", _policy),
    "ValidatingAdmissionPolicyBinding": _Kind(
        "validatingadmissionpolicybindings", "spec", _binding
    ),
}


def _set(members: Json) -> Json:
    """Without what the API server leaves out: null and empty lists."""
    return {name: value for name, value in members.items() if value is not None and value != []}


def _compare(wanted: Any, found: Any, field: str) -> Iterator[Difference]:
    if isinstance(wanted, dict) and isinstance(found, dict):
        for name in sorted(wanted.keys() | found.keys()):
            yield from _compare(
                wanted.get(name, _ABSENT), found.get(name, _ABSENT), f"{field}.{name}"
            )
    elif isinstance(wanted, list) and isinstance(found, list):
        for key, before, after in _paired(wanted, found):
            yield from _compare(before, after, f"{field}[{key}]")
    elif wanted != found:
        yield Difference(field, _shown(wanted), _shown(found))


def _paired(wanted: list[Any], found: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    """By name where every item has one of its own (webhooks, conditions), else by position."""
    before, after = _by_name(wanted), _by_name(found)
    if before is None or after is None:
        for number, pair in enumerate(zip_longest(wanted, found, fillvalue=_ABSENT)):
            yield str(number), *pair
        return
    for name in dict.fromkeys((*before, *after)):
        yield name, before.get(name, _ABSENT), after.get(name, _ABSENT)


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    named = {str(item.get("name", "")): item for item in items if isinstance(item, dict)}
    return named if len(named) == len(items) and "" not in named else None


def _shown(value: Any) -> str:
    """A long one by its digest: two bundles of certificates begin alike."""
    if value is _ABSENT:
        return ""
    text = strictjson.dumps(value)
    if len(text) > _MAX_SHOWN:
        return f"{len(text)} bytes, sha256:{hashlib.sha256(text).hexdigest()}"
    return text.decode()
