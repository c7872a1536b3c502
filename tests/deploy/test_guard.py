"""deploy/guard and deploy/static as files; what they do, tests/cluster tries."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.deploy.base import BASE, DEPLOY, ROOT, documents, one

GUARD, STATIC = DEPLOY / "guard", DEPLOY / "static"
POLICIES = documents(GUARD / "policies.yaml")
EVERYTHING = [document for path in sorted(GUARD.glob("*.yaml")) for document in documents(path)]


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = (d for d in EVERYTHING if d["kind"] == kind and d["metadata"]["name"] == name)
    return found


def test_the_kustomization_names_every_file_beside_it_and_the_image_of_the_base() -> None:
    (kustomization,) = documents(GUARD / "kustomization.yaml")
    (image,) = kustomization["images"]
    (container,) = named("Deployment", "stagepass-watchdog")["spec"]["template"]["spec"][
        "containers"
    ]

    resources = [*kustomization["resources"], "kustomization.yaml"]
    assert sorted(resources) == sorted(path.name for path in GUARD.iterdir())
    assert kustomization["resources"][-1] == "policies.yaml"
    assert [image] == one("Kustomization")["images"]
    assert container["image"] == f"{image['name']}@{image['digest']}"


def test_every_policy_is_bound_and_denies_and_fails_closed() -> None:
    policies = {d["metadata"]["name"]: d["spec"] for d in POLICIES if "Binding" not in d["kind"]}
    bindings = {d["metadata"]["name"]: d["spec"] for d in POLICIES if "Binding" in d["kind"]}

    assert bindings == {
        name: {"policyName": name, "validationActions": ["Deny"]} for name in policies
    }
    assert len(policies) == 3
    for spec in policies.values():
        assert spec["failurePolicy"] == "Fail"
        assert "paramKind" not in spec, "a parameter that is gone would shut everybody out"
        conditions = {c["name"]: c["expression"] for c in spec["matchConditions"]}
        assert conditions.keys() == {"of-the-gate", "not-break-glass"}
        assert conditions["not-break-glass"].count("stagepass:break-glass") == 1
        assert "request.name" not in str(spec), "a deletion of a collection has none"
        for rule in spec["matchConstraints"]["resourceRules"]:
            assert rule["operations"] == ["UPDATE", "DELETE"]
            assert not {"*", "pods"} & {*rule["resources"], *rule["apiGroups"]}


def test_the_watchdog_may_read_what_it_watches_and_nothing_else() -> None:
    rules = named("ClusterRole", "stagepass-watchdog")["rules"]
    readable = {name for rule in rules for name in rule["resourceNames"]}

    assert all(rule["verbs"] == ["get"] for rule in rules)
    watched = [*POLICIES, *documents(DEPLOY / "manifests" / "status.yaml")]
    assert readable == {"stagepass", *(d["metadata"]["name"] for d in watched)}
    bound = [d for d in EVERYTHING if "stagepass-watchdog" in str(d.get("subjects"))]
    assert [d["kind"] for d in bound] == ["ClusterRoleBinding"]


@pytest.mark.parametrize("name", ["stagepass-certificates", "stagepass-policy"])
def test_the_other_accounts_write_single_objects_and_delete_none(name: str) -> None:
    roles = [d for d in EVERYTHING if d["kind"].endswith("Role") and d["metadata"]["name"] == name]

    assert roles
    for role in roles:
        for rule in role["rules"]:
            assert rule["resourceNames"]
            assert set(rule["verbs"]) == {"get", "update", "patch"}
    assert named("ServiceAccount", name)["automountServiceAccountToken"] is False


def test_the_watchdog_runs_as_restricted_as_the_gate() -> None:
    spec = named("Deployment", "stagepass-watchdog")["spec"]["template"]["spec"]
    gate = one("Deployment")["spec"]["template"]["spec"]
    (container,), (other,) = spec["containers"], gate["containers"]

    assert spec["securityContext"] == gate["securityContext"]
    assert container["securityContext"] == other["securityContext"]
    assert container["args"] == ["watch"]
    (mount,) = container["volumeMounts"]
    env = {entry["name"]: entry["value"] for entry in container["env"]}
    assert env["STAGEPASS_WATCH"] == mount["mountPath"]
    assert mount["readOnly"] is True
    assert "subPath" not in mount, "a subPath mount never sees an update"
    settings = (ROOT / "docs" / "settings.md").read_text()
    assert all(f"| `{name}` |" in settings for name in env)


def test_the_gates_service_and_budget_do_not_select_the_watchdog() -> None:
    template = named("Deployment", "stagepass-watchdog")["spec"]["template"]
    labels = template["metadata"]["labels"].items()

    for selector in (
        one("Service")["spec"]["selector"],
        one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ):
        assert not selector.items() <= labels
    policy = named("NetworkPolicy", "stagepass-watchdog")["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= labels


def test_the_static_webhook_asks_like_the_base_about_pods_alone(webhook: dict[str, Any]) -> None:
    (static,) = documents(STATIC / "webhooks" / "stagepass.yaml")
    (asked,) = static["webhooks"]
    different = ("name", "clientConfig", "rules")

    assert static["metadata"]["name"].endswith(".static.k8s.io")
    assert {k: v for k, v in asked.items() if k not in different} == {
        k: v for k, v in webhook.items() if k not in different
    }
    (rule,) = asked["rules"]
    assert rule["resources"] == ["pods", "pods/ephemeralcontainers"]
    assert asked["clientConfig"].keys() - {"caBundle"} == {"url"}
    assert re.fullmatch(r"https://[0-9.]+/validate", asked["clientConfig"]["url"])


def test_static_policies_and_webhooks_lie_apart_and_are_named_in_the_admission_file() -> None:
    (admission,) = documents(STATIC / "admission.yaml")
    plugins = {p["name"]: p["configuration"]["staticManifestsDir"] for p in admission["plugins"]}

    assert plugins == {
        "ValidatingAdmissionWebhook": "/etc/kubernetes/stagepass/webhooks",
        "ValidatingAdmissionPolicy": "/etc/kubernetes/stagepass/policies",
    }
    for document in documents(STATIC / "policies" / "stagepass.yaml"):
        assert document["metadata"]["name"].endswith(".static.k8s.io")
        assert document["spec"].get("validationActions", ["Deny"]) == ["Deny"]


def test_the_guard_names_the_configuration_and_the_namespace_of_the_base() -> None:
    text = (GUARD / "policies.yaml").read_text()
    (configuration,) = documents(BASE / "validatingwebhookconfiguration.yaml")
    namespace = one("Namespace")["metadata"]["name"]

    assert f"oldObject.metadata.name == '{configuration['metadata']['name']}'" in text
    assert f"oldObject.metadata.name == '{namespace}'" in text
    assert f"kubernetes.io/metadata.name: {namespace}" in text
