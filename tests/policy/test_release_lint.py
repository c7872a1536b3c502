"""Lint of releases: stages nobody could enter, allowances that let anything in, rules that miss a kind."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from stagepass.errors import InputError
from stagepass.policy.lint import lint
from stagepass.policy.lint_finding import Finding
from stagepass.policy.lint_webhook import uncovered
from stagepass.policy.model import PolicySet
from tests.policy.signed import ATTESTORS, KEY_FILES
from tests.repository.sources import ROOT
from tests.world import NOW, policy_set

RULE = {"from": ["ci"]}
PRODUCTION = "pipeline.stages.2"
EVERYWHERE = {
    f"pipeline.stages.{n}.{name}": value
    for n, mode in enumerate(("warn", "warn", "required"))
    for name, value in (("manifests", mode), ("release", RULE))
}
CUSTOM = {
    "rollouts.yaml": "apiVersion: stagepass.dev/v1\nkind: CustomResources\nresources:\n"
    "  - {group: argoproj.io, kind: Rollout, podTemplates: [spec.template]}\n"
}


def found(changes: dict[str, Any], rule: str = "") -> list[Finding]:
    policy = policy_set({**EVERYWHERE, **changes}, extra=CUSTOM)
    return [each for each in lint(policy, now=NOW) if each.rule == rule or not rule]


def allowed(kind: str, pointer: str) -> dict[str, Any]:
    entry = {"kinds": [kind], "pointer": pointer, "reason": "x"}
    kinds = ["apps/Deployment", "Pod", "Service", "ConfigMap", "Secret", "argoproj.io/Rollout"]
    kinds += ["networking.k8s.io/NetworkPolicy", "rbac.authorization.k8s.io/Role"]
    return {f"{PRODUCTION}.release": {**RULE, "kinds": kinds, "allow": [entry]}}


def test_releases_at_every_stage_are_clean() -> None:
    assert found({}) == []


def test_a_stage_before_that_looks_at_no_release_is_found() -> None:
    off = {"pipeline.stages.0.manifests": "off"}

    assert found(off) == [
        Finding(
            "shop: test",
            "release-unused",
            "it has a release, and manifests are off; set manifests: required, or warn, or take the"
            " release out",
        ),
        Finding(
            "shop: test, production",
            "release-not-recorded",
            "'production' takes passes of a release's image set alone, and 'test' looks at no release;"
            " give 'test' a release, with manifests: warn at least",
        ),
    ]


def test_a_stage_that_only_warns_asks_for_no_recorded_release() -> None:
    changes = {f"{PRODUCTION}.manifests": "warn", "pipeline.stages.0.manifests": "off"}

    assert [each.rule for each in found(changes)] == ["release-unused"]


@pytest.mark.parametrize(
    ("changes", "who"),
    [
        ({f"{PRODUCTION}.release": {"from": ["prod-clusters"]}}, "prod-eu, prod-us"),
        (
            {
                **ATTESTORS,
                f"{PRODUCTION}.release": {"from": ["release-managers"]},
                f"{PRODUCTION}.requires": [{"approval": {"from": ["release-managers"]}}],
            },
            "alice, bob",
        ),
    ],
)
def test_who_signs_the_releases_does_not_let_them_in(changes: dict[str, Any], who: str) -> None:
    policy = policy_set({**EVERYWHERE, **changes}, extra=KEY_FILES)
    (finding,) = [f for f in lint(policy, now=NOW) if f.rule == "separation-of-duties"]

    assert finding.where == "shop: production"
    assert finding.message.startswith(f"{who} may sign the stage's releases, and its passes or")


def test_an_approver_that_does_not_count_is_not_found() -> None:
    approval = {"approval": {"from": ["ci", "scanner"], "notBy": ["ci"]}}

    assert found({f"{PRODUCTION}.requires": [approval]}, "separation-of-duties") == []


def test_a_stated_reason_silences_it() -> None:
    changes = {
        f"{PRODUCTION}.release": {"from": ["prod-clusters"]},
        f"{PRODUCTION}.allowShared": "one person",
    }

    assert found(changes, "separation-of-duties") == []


def test_releases_that_nobody_can_sign_are_found() -> None:
    ended = {
        "attestors.ci.keys.0.validUntil": "2026-01-01T00:00:00Z",
        "pipeline.stages.0.requires.0.attestation.from": ["scanner"],
    }

    assert found(ended, "unreachable-stage") == [
        Finding(
            "shop: production",
            "unreachable-stage",
            "nobody can sign its releases; add a valid key to ci",
        )
    ]


def test_a_release_is_something_that_a_last_stage_asks_for() -> None:
    """Its signers sign no pass, so whoever holds the passes' keys is not all that stands before it."""
    nothing = {f"{PRODUCTION}.requires.0.attestation.from": ["test-cluster"]}

    assert found(nothing, "final-stage-asks-nothing") == []
    without = {f"{PRODUCTION}.manifests": "warn", **nothing}
    assert len(found(without, "final-stage-asks-nothing")) == 1


@pytest.mark.parametrize(
    ("kind", "pointer", "what"),
    [
        ("apps/Deployment", "/spec/template/spec/securityContext", "/spec/template/spec/securityContext"),
        (
            "apps/Deployment",
            "/spec/template/spec/containers/name=web/securityContext/privileged",
            "/spec/template/spec/containers/*/securityContext",
        ),
        ("Pod", "/spec/containers/*/command", "/spec/containers/*/command"),
        ("Pod", "/spec/initContainers/0/args/1", "/spec/initContainers/*/args"),
        ("Pod", "/spec/serviceAccountName", "/spec/serviceAccountName"),
        ("Pod", "/spec/containers/name=web/env", "all of /spec/containers/*/env"),
        ("Pod", "/spec/containers/name=web/env/*", "all of /spec/containers/*/env"),
        ("Pod", "/spec/volumes", "all of /spec/volumes"),
        ("ConfigMap", "/metadata/annotations", "all of /metadata/annotations"),
        ("ConfigMap", "/metadata/labels/*", "all of /metadata/labels"),
        ("Service", "/spec/selector/app", "/spec/selector"),
        ("Secret", "/data/password", "/data"),
        ("networking.k8s.io/NetworkPolicy", "/spec/egress", "/spec"),
        ("rbac.authorization.k8s.io/Role", "/rules/0/verbs", "/rules"),
        ("argoproj.io/Rollout", "/spec/template/spec/containers", "a container's image"),
        ("argoproj.io/Rollout", "/spec/template/spec/hostNetwork", "/spec/template/spec/hostNetwork"),
    ],
)  # fmt: skip
def test_an_allowance_that_decides_what_runs_is_found(kind: str, pointer: str, what: str) -> None:
    (finding,) = found(allowed(kind, pointer), "wide-allowance")

    assert finding == Finding(
        "shop: production",
        "wide-allowance",
        f"{pointer} lets anybody change {what} of every {kind}; name a member further down",
    )


@pytest.mark.parametrize(
    ("kind", "pointer"),
    [
        ("apps/Deployment", "/spec/replicas"),
        ("Pod", "/spec/containers/name=web/env/name=REGION"),
        ("Pod", "/spec/volumes/name=mesh-token"),
        ("Pod", "/spec/containers/*/volumeMounts/name=mesh-token"),
        ("ConfigMap", "/data/ca.crt"),
        ("Service", "/spec/ports/name=http/nodePort"),
        ("apps/Deployment", "/metadata/annotations/example.com~1by"),
        ("argoproj.io/Rollout", "/spec/paused"),
    ],
)
def test_a_narrow_allowance_is_clean(kind: str, pointer: str) -> None:
    assert found(allowed(kind, pointer), "wide-allowance") == []


RULES = [
    {"apiGroups": [""], "resources": ["pods", "pods/ephemeralcontainers", "configmaps"]},
    {"apiGroups": ["apps"], "resources": ["deployments"]},
    {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"]},
    {"apiGroups": ["argoproj.io"], "resources": ["rollouts"]},
]
KINDS = ["Pod", "ConfigMap", "apps/Deployment", "networking.k8s.io/NetworkPolicy"]
SCOPED = [*KINDS, "argoproj.io/Rollout"]


def scoped(kinds: list[str], mode: str = "required") -> PolicySet:
    rule = {**RULE, "kinds": kinds}
    return policy_set({f"{PRODUCTION}.manifests": mode, f"{PRODUCTION}.release": rule})


def configuration(*changes: tuple[int, dict[str, Any]]) -> list[Any]:
    rules = [{"operations": ["CREATE", "UPDATE"], "apiVersions": ["*"], **rule} for rule in RULES]
    for index, change in changes:
        rules[index] |= change
    half = len(rules) // 2
    webhooks = [{"name": "a", "rules": rules[:half]}, {"name": "b", "rules": rules[half:]}]
    return [{"kind": "ConfigMap"}, {"kind": "ValidatingWebhookConfiguration", "webhooks": webhooks}]


def test_rules_that_cover_every_kind_in_scope_are_clean() -> None:
    assert uncovered(scoped(SCOPED), configuration()) == []


@pytest.mark.parametrize(
    ("change", "where", "operations"),
    [
        ((0, {"resources": ["pods", "pods/*"]}), "configmaps of the core group", "CREATE and UPDATE"),
        ((0, {"resources": ["pods", "configmaps"]}), "pods/ephemeralcontainers of the core group", "UPDATE"),
        ((0, {"resources": ["*"]}), "pods/ephemeralcontainers of the core group", "UPDATE"),
        ((1, {"operations": ["CREATE"]}), "deployments of apps", "UPDATE"),
        ((1, {"operations": ["DELETE"]}), "deployments of apps", "CREATE and UPDATE"),
        ((1, {"apiGroups": [""]}), "deployments of apps", "CREATE and UPDATE"),
        ((2, {"scope": "Cluster"}), "networkpolicies of networking.k8s.io", "CREATE and UPDATE"),
        ((2, {"apiVersions": []}), "networkpolicies of networking.k8s.io", "CREATE and UPDATE"),
        ((3, {"resources": ["rollouts/status"]}), "rollouts of argoproj.io", "CREATE and UPDATE"),
    ],
)  # fmt: skip
def test_a_kind_in_scope_that_no_rule_asks_about_is_found(
    change: tuple[int, dict[str, Any]], where: str, operations: str
) -> None:
    (finding,) = uncovered(scoped(SCOPED), configuration(change))

    assert finding.rule == "webhook-rules"
    assert finding.message.startswith(
        f"no rule asks about {operations} of {where}, which shop/production compare with releases"
    )


@pytest.mark.parametrize(
    "change",
    [
        (0, {"resources": ["*/*"]}),
        (0, {"resources": ["*", "*/ephemeralcontainers"]}),
        (1, {"operations": ["*"], "apiGroups": ["*"], "scope": "Namespaced"}),
    ],
)
def test_a_wildcard_covers_what_the_api_server_says(change: tuple[int, dict[str, Any]]) -> None:
    assert uncovered(scoped(SCOPED), configuration(change)) == []


def test_a_stage_that_looks_at_no_manifest_needs_no_rule() -> None:
    nothing = [{"kind": "ValidatingWebhookConfiguration", "webhooks": []}]

    assert uncovered(scoped(SCOPED, "off"), nothing) == []
    assert len(uncovered(scoped(SCOPED, "warn"), nothing)) == len(SCOPED) + 1


@pytest.mark.parametrize(
    "documents",
    [
        [],
        [{"kind": "MutatingWebhookConfiguration", "webhooks": []}],
        [{"kind": "ValidatingWebhookConfiguration", "webhooks": {}}],
        [{"kind": "ValidatingWebhookConfiguration", "webhooks": [{"rules": ["x"]}]}],
        [
            {
                "kind": "ValidatingWebhookConfiguration",
                "webhooks": [{"rules": [{"operations": "*"}]}],
            }
        ],
    ],
)
def test_what_is_no_webhook_configuration_is_refused(documents: list[Any]) -> None:
    with pytest.raises(InputError):
        uncovered(scoped(SCOPED), documents)


def test_our_own_webhook_asks_about_workloads() -> None:
    text = (ROOT / "deploy/base/validatingwebhookconfiguration.yaml").read_text()
    workloads = ["Pod", "ReplicationController", "PodTemplate", "batch/Job", "batch/CronJob"]
    workloads += [
        f"apps/{kind}" for kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")
    ]

    assert uncovered(scoped(workloads), yaml.safe_load_all(text)) == []
