"""Lint: whether the API server asks the gate about every kind in scope."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stagepass.errors import InputError
from stagepass.policy.lint_finding import Finding
from stagepass.policy.model import PolicySet
from stagepass.policy.releases import Kind, ManifestMode, kind_text

_KIND = "ValidatingWebhookConfiguration"
_ANY = "*"
_LISTS = ("operations", "apiGroups", "apiVersions", "resources")
_OPERATIONS = ("CREATE", "UPDATE")
# Everything else is the kind in lower case and with an `s`, as the API's own conventions make it.
_PLURALS: Mapping[Kind, str] = {
    ("", "Endpoints"): "endpoints",
    ("networking.k8s.io", "Ingress"): "ingresses",
    ("networking.k8s.io", "NetworkPolicy"): "networkpolicies",
}
# An ephemeral container is written through this alone.
_SUBRESOURCES: Mapping[Kind, str] = {("", "Pod"): "ephemeralcontainers"}


def scoped_kinds(policy: PolicySet) -> dict[Kind, list[str]]:
    """The kinds that some stage compares with releases, each with these `PIPELINE/STAGE`."""
    found: dict[Kind, list[str]] = {}
    for pipeline in policy.pipelines:
        for stage in pipeline.stages:
            if stage.release and stage.manifests is not ManifestMode.OFF:
                for kind in stage.release.kinds:
                    found.setdefault(kind, []).append(f"{pipeline.name}/{stage.name}")
    return found


def uncovered(policy: PolicySet, documents: Iterable[Any]) -> list[Finding]:
    """
    `webhook-rules`: the rules of a ValidatingWebhookConfiguration cover the kinds in scope.

    Raises `InputError` where none of `documents` is one, or one is misshapen.
    """
    rules = list(_rules(documents))
    return sorted(
        Finding(
            "webhook",
            "webhook-rules",
            f"no rule asks about {' and '.join(operations)} of {resource} of"
            f" {kind[0] or 'the core group'}, which {', '.join(sorted(stages))} compare with"
            f" releases; add it, or take {kind_text(kind)} out of their kinds",
        )
        for kind, stages in scoped_kinds(policy).items()
        for resource in _resources(kind)
        if (operations := _missing(rules, kind[0], resource))
    )


def _resources(kind: Kind) -> Iterator[str]:
    plural = _PLURALS.get(kind, f"{kind[1].lower()}s")
    yield plural
    if kind in _SUBRESOURCES:
        yield f"{plural}/{_SUBRESOURCES[kind]}"


def _missing(rules: list[Mapping[str, Any]], group: str, resource: str) -> list[str]:
    """The operations of which no rule speaks; a subresource is only ever updated."""
    wanted = _OPERATIONS[1:] if "/" in resource else _OPERATIONS
    matching = [rule for rule in rules if _matches(rule, group, resource)]
    asked = {operation for rule in matching for operation in rule["operations"]}
    return [operation for operation in wanted if not asked & {operation, _ANY}]


def _matches(rule: Mapping[str, Any], group: str, resource: str) -> bool:
    """As the API server matches; versions do not matter, since it converts (matchPolicy)."""
    main, _, sub = resource.partition("/")
    named = {resource, "*/*"} | ({f"{main}/*", f"*/{sub}"} if sub else {_ANY})
    return (
        bool(rule["apiGroups"] & {group, _ANY})
        and bool(rule["resources"] & named)
        and bool(rule["apiVersions"])
        and rule["scope"] in (None, _ANY, "Namespaced")
    )


def _rules(documents: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    found = [d for d in documents if isinstance(d, dict) and d.get("kind") == _KIND]
    if not found:
        raise InputError(f"it holds no {_KIND}")
    for document in found:
        for webhook in _objects(document, "webhooks"):
            for rule in _objects(webhook, "rules"):
                yield {name: _texts(rule, name) for name in _LISTS} | {"scope": rule.get("scope")}


def _objects(parent: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    value = parent.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise InputError(f"{name} is not a list of objects")
    return value


def _texts(rule: Mapping[str, Any], name: str) -> set[str]:
    value = rule.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise InputError(f"{name} of a rule is not a list of text")
    return set(value)
