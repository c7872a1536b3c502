"""deploy/manifests: where objects are compared with releases, the gate is asked about every kind in scope."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from stagepass.policy.lint_webhook import uncovered
from tests.core.gated import GATED
from tests.deploy.base import DEPLOY, documents, one

HERE = DEPLOY / "manifests"
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


def test_the_readme_says_how() -> None:
    text = (DEPLOY / "README.md").read_text()
    assert "components: [../manifests]" in text
    assert "deploy/manifests/static.yaml" in text
