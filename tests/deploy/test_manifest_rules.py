"""deploy/manifests: the gate is asked about every kind in scope, and no status brings a label in."""

from __future__ import annotations

import ast
import copy
from typing import Any

import pytest
import yaml

from stagepass.manifests.metadata import ANNOTATIONS
from stagepass.policy.lint_webhook import uncovered
from stagepass.policy.releases import DEFAULT_KINDS
from tests.core.gated import GATED
from tests.deploy.base import DEPLOY, documents, one

HERE = DEPLOY / "manifests"
POLICY, BINDING = documents(HERE / "status.yaml")
_HAVE_NO_STATUS = {"ConfigMap", "NetworkPolicy", "PodTemplate", "Role", "RoleBinding", "Secret"}
STATIC = DEPLOY / "static" / "webhooks" / "stagepass.yaml"


def with_component() -> dict[str, Any]:
    """The base's configuration after the component's patch (RFC 6902, additions at the end)."""
    (component,) = documents(HERE / "kustomization.yaml")
    (patch,) = component["patches"]
    found = copy.deepcopy(one("ValidatingWebhookConfiguration"))
    assert patch["target"]["name"] == found["metadata"]["name"]
    for operation in yaml.safe_load(patch["patch"]):
        assert (operation["op"], operation["path"]) == ("add", "/webhooks/0/rules/-")
        found["webhooks"][0]["rules"].append(operation["value"])
    return found


def test_the_base_alone_asks_about_workloads_only() -> None:
    assert uncovered(GATED, [one("ValidatingWebhookConfiguration")])


def test_with_the_component_every_default_kind_is_asked_about() -> None:
    assert uncovered(GATED, [with_component()]) == []


def test_the_two_static_files_together_ask_about_every_default_kind() -> None:
    both = [*documents(STATIC), *documents(HERE / "static.yaml")]
    assert uncovered(GATED, both) == []
    assert uncovered(GATED, both[:1])


@pytest.mark.parametrize("rule", with_component()["webhooks"][0]["rules"])
def test_no_subresource_is_asked_about_that_changes_no_manifest(rule: dict[str, Any]) -> None:
    """Not scale, status, binding or resize; and nothing by a wildcard."""
    subresources = {each for each in rule["resources"] if "/" in each or "*" in each}
    assert subresources <= {"pods/ephemeralcontainers"}


def test_the_static_file_is_as_strict_as_the_other() -> None:
    (mine,) = documents(HERE / "static.yaml")[0]["webhooks"]
    (other,) = documents(STATIC)[0]["webhooks"]
    for name in other.keys() - {"name", "rules", "namespaceSelector"}:
        assert mine[name] == other[name], name
    (free,) = mine["namespaceSelector"]["matchExpressions"]
    (known,) = other["namespaceSelector"]["matchExpressions"]
    assert (free["key"], free["operator"]) == (known["key"], known["operator"])
    assert set(known["values"]) < set(free["values"])


def _plural(kind: str) -> str:
    return f"{kind.lower()}{'es' if kind.endswith('s') else 's'}"


def test_the_status_of_every_default_kind_that_has_one_is_looked_at() -> None:
    """In the versions in which the gate is asked; whether a kind has a status, tests/cluster tries."""
    rules = POLICY["spec"]["matchConstraints"]["resourceRules"]
    found = {(group, name) for r in rules for group in r["apiGroups"] for name in r["resources"]}

    assert found == {
        (group, f"{_plural(kind)}/status")
        for group, kind in DEFAULT_KINDS
        if kind not in _HAVE_NO_STATUS
    }
    assert all(rule["operations"] == ["UPDATE"] for rule in rules)
    versions = {name: rule["apiVersions"] for rule in rules for name in rule["resources"]}
    assert versions.pop("horizontalpodautoscalers/status") == ["v2"]
    assert all(each == ["v1"] for each in versions.values())


def test_a_status_may_bring_the_words_that_the_gate_lets_an_update_change() -> None:
    """But none of claims: all of theirs are free. Nor of autoscaling/v1: it is looked at as v2."""
    variables = {each["name"]: each["expression"] for each in POLICY["spec"]["variables"]}
    words = ast.literal_eval(variables["words"].strip())

    wanted = {}
    for word, written in ANNOTATIONS.items():
        kinds = sorted(_plural(kind) for _, kind in written.kinds or ())
        if kinds not in (["persistentvolumeclaims"], ["horizontalpodautoscalers"]):
            wanted[word] = [written.form, *kinds]
    wanted["kubectl.kubernetes.io/last-applied-configuration"] = ["(?s).*"]  # RE2's own re.S
    assert words == wanted


def test_the_status_policy_denies_and_fails_closed_but_for_two_namespaces() -> None:
    name = POLICY["metadata"]["name"]
    (free,) = BINDING["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"]

    assert (BINDING["spec"]["policyName"], BINDING["spec"]["validationActions"]) == (name, ["Deny"])
    assert POLICY["spec"]["failurePolicy"] == "Fail"
    assert "matchConditions" not in POLICY["spec"], "nobody is left out, by name or by group"
    assert free == {
        "key": "kubernetes.io/metadata.name",
        "operator": "NotIn",
        "values": ["kube-system", "stagepass-system"],
    }
    assert documents(HERE / "kustomization.yaml")[0]["resources"] == ["status.yaml"]


def test_the_readme_says_how() -> None:
    text = (DEPLOY / "README.md").read_text()
    assert "components: [../manifests]" in text
    assert "deploy/manifests/static.yaml" in text
    assert "deploy/manifests/status.yaml" in text
