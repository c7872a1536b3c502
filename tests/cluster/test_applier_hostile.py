"""What a deploy repository, or an accident in it, may not do to a cluster (G29-G40), by the real loop."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.applier_faults.site import API, Site
from tests.cluster.delivery import config_map, deployment
from tests.simulators.proxy import PASS, Call, Fate

pytestmark = pytest.mark.cluster

_CANARY = "c4n4ry-5ecret-value"
_KINDS = ("deployments", "configmaps", "statefulsets", "secrets", "services")
_BASE = 8


class Shop:
    """A site with a release in it: eight ConfigMaps and a Deployment, applied and passed."""

    def __init__(self, site: Site) -> None:
        self.site, self.delivery, self.team = site, site.delivery, site.team
        self.kubectl = site.cluster.kubectl
        self.image = self.team.attest(self.team.image())
        self.good = ""

    def files(self, *more: str, base: int = _BASE) -> dict[str, str]:
        """The release and more."""
        text = "".join(config_map(f"base-{number}", a="b") for number in range(base))
        return {"test/all.yaml": deployment(self.image) + text + "".join(more)}

    def settle(self, *more: str) -> str:
        """Commit the release as it should be, and wait until it runs; the commit."""
        self.good = self.team.commit(self.files(*more), f"good {time.monotonic()}")
        self.delivery.wait(
            lambda: (
                self.delivery.last().get("applied") == self.good
                and self.delivery.last().get("reason") is None
            )
        )
        return self.good

    def names(self) -> set[str]:
        """What of ours is there."""
        return set(self.site.live(*_KINDS))

    def refused(self, files: dict[str, str], reason: str) -> dict[str, Any]:
        """Commit, wait for the reason, and see that nothing changed; what was logged."""
        before, version = self.names(), self.delivery.live("deployment", "web")["metadata"]
        self.team.commit(files)
        self.delivery.wait_reason(reason)
        assert self.delivery.last()["applied"] == self.good
        assert self.names() == before
        after = self.delivery.live("deployment", "web")["metadata"]
        assert (after["uid"], after["generation"]) == (version["uid"], version["generation"])
        return self.delivery.last()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    # A short path: etcd's Unix socket has room for 107 characters.
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder, Site(Path(folder)) as running:
        yield running


@pytest.fixture
def shop(site: Site) -> Shop:
    site.team.write_policy()
    shop = Shop(site)
    shop.settle()
    return shop


def _object(kind: str, version: str, name: str, namespace: str = "", **more: Any) -> str:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    document = {"apiVersion": version, "kind": kind, "metadata": metadata, **more}
    return yaml.safe_dump(document) + "---\n"


_RBAC = "rbac.authorization.k8s.io/v1"
_RULE = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
_REFUSED = {
    "another namespace": _object("ConfigMap", "v1", "x", "default", data={}),
    "kube-system": _object("ConfigMap", "v1", "x", "kube-system", data={}),
    "the gate's namespace": _object("ConfigMap", "v1", "x", "stagepass-system", data={}),
    "the applier's namespace": _object("ConfigMap", "v1", "x", "stagepass-applier", data={}),
    "a ClusterRole": _object("ClusterRole", _RBAC, "x", rules=[_RULE]),
    "a Namespace": _object("Namespace", "v1", "shop-2"),
    "an admission configuration": _object(
        "ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1", "x", webhooks=[]
    ),
    "an object of our own group": _object(
        "Application", "stagepass.dev/v1alpha1", "x", "shop", spec={}
    ),
    "a label that claims an owner": """\
apiVersion: v1
kind: ConfigMap
metadata: {name: x, namespace: shop, labels: {stagepass.dev/application: shop.staging}}
---
""",
}


@pytest.mark.parametrize("what", _REFUSED)
def test_what_a_source_may_not_bring_refuses_the_version_as_a_whole(shop: Shop, what: str) -> None:
    shop.refused(shop.files(config_map("innocent", a="b"), _REFUSED[what]), "OBJECT_REFUSED")


@pytest.mark.parametrize("namespace", ["stagepass-applier", "stagepass-system"])
def test_not_even_a_policy_that_names_it_opens_our_own_namespace(
    shop: Shop, namespace: str
) -> None:
    shop.team.write_policy(lambda stages: stages[0].update(namespaces=["shop", namespace]))
    time.sleep(1.5)  # the policy is looked at once a second

    shop.refused(shop.files(_object("ConfigMap", "v1", "x", namespace, data={})), "OBJECT_REFUSED")


_ACCIDENTS: dict[str, tuple[Callable[[Shop], dict[str, str]], str]] = {
    "nothing is left": (lambda _: {"test/all.yaml": "# nothing\n"}, "EMPTY_RENDER"),
    "the path was renamed": (
        lambda shop: {"tset/all.yaml": shop.files()["test/all.yaml"]},
        "PATH_MISSING",
    ),
    "over 30 % are gone": (lambda shop: shop.files(base=_BASE - 3), "MASS_PRUNE"),
}


@pytest.mark.parametrize("accident", _ACCIDENTS)
def test_an_accident_in_git_deletes_nothing(shop: Shop, accident: str) -> None:
    make, reason = _ACCIDENTS[accident]

    shop.refused(make(shop), reason)


def test_a_kind_whose_deletion_takes_data_along_is_not_deleted(shop: Shop) -> None:
    spec = {
        "serviceName": "db",
        "replicas": 0,
        "selector": {"matchLabels": {"app": "db"}},
        "template": {
            "metadata": {"labels": {"app": "db"}},
            "spec": {"containers": [{"name": "main", "image": shop.image}]},
        },
    }
    shop.settle(_object("StatefulSet", "apps/v1", "db", "shop", spec=spec))

    last = shop.refused(shop.files(), "PROTECTED_PRUNE")

    assert last["objects"] == ["apps/StatefulSet/shop/db"]
    shop.kubectl("-n", "shop", "delete", "statefulset", "db")


def test_an_object_that_an_operator_copied_with_our_label_is_left_alone(shop: Shop) -> None:
    copied = shop.delivery.live("configmap", "base-0")
    metadata = {"name": "copy", "namespace": "shop", "labels": copied["metadata"]["labels"]}
    copied["metadata"] = metadata
    shop.kubectl("apply", "-f", "-", stdin=json.dumps(copied))

    shop.settle(config_map("one-more", a="b"))

    assert shop.delivery.live("configmap", "copy")
    shop.kubectl("-n", "shop", "delete", "configmap", "copy")


def test_a_branch_that_was_set_back_or_swapped_is_not_followed(shop: Shop) -> None:
    older = shop.good
    newer = shop.settle(config_map("newer", a="b"))
    repository = shop.team.repository
    repository.commit("other", {"test/all.yaml": b"# another history\n"}, "unrelated")
    for commit in (older, str(repository.head("other"))):
        repository.point("refs/heads/main", commit)
        shop.delivery.wait_reason("NOT_FAST_FORWARD")
        assert shop.delivery.last()["applied"] == newer
        assert shop.delivery.live("configmap", "newer")
        repository.point("refs/heads/main", newer)
        shop.delivery.wait(lambda: shop.delivery.last().get("reason") is None)


def test_a_field_of_another_manager_is_reported_by_its_name_until_a_takeover(shop: Shop) -> None:
    theirs = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "base-0", "namespace": "shop"},
            "data": {"a": "theirs"},
        }
    )
    flags = ("--server-side", "--force-conflicts", "--field-manager=autoscaler")
    shop.kubectl("apply", *flags, "-f", "-", stdin=theirs)

    shop.delivery.wait_reason("CONFLICT")

    assert "autoscaler" in shop.delivery.last()["message"]
    assert shop.delivery.last()["objects"] == ["core/ConfigMap/shop/base-0"]
    assert shop.delivery.live("configmap", "base-0")["data"] == {"a": "theirs"}

    def take_over(stages: list[dict[str, Any]]) -> None:
        stages[0]["source"]["takeover"] = ["core/ConfigMap/shop/base-0"]

    shop.team.write_policy(take_over)
    shop.delivery.wait(lambda: shop.delivery.live("configmap", "base-0")["data"] == {"a": "b"})
    shop.delivery.wait(lambda: shop.delivery.last().get("reason") is None)


def test_drift_is_repaired(shop: Shop) -> None:
    shop.kubectl("-n", "shop", "delete", "configmap", "base-1")
    shop.kubectl("-n", "shop", "scale", "deployment", "web", "--replicas=0")

    shop.delivery.wait(lambda: shop.delivery.live("configmap", "base-1"))


_DENY = [
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "deny-denied"},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["configmaps"],
                    }
                ]
            },
            "validations": [{"expression": "object.metadata.name != 'denied'"}],
        },
    },
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "deny-denied"},
        "spec": {"policyName": "deny-denied", "validationActions": ["Deny"]},
    },
]


def test_a_denial_by_admission_is_tried_a_few_times_and_then_a_dead_letter(shop: Shop) -> None:
    shop.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(_DENY))
    time.sleep(1.5)  # an API server takes up to a second to know it
    tried: list[float] = []

    def count(door: str, call: Call) -> Fate:
        if door == API and call.method == "PATCH" and call.path.endswith("/configmaps/denied"):
            tried.append(time.monotonic())
        return PASS

    shop.site.rule = count
    shop.team.commit(shop.files(config_map("denied", a="b")))
    shop.delivery.wait_reason("GATE_DENIED")
    time.sleep(6)

    assert "denied" in shop.delivery.last()["message"]
    assert 2 <= len(tried) <= 8, tried
    assert not shop.delivery.live("configmap", "denied")
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        shop.kubectl("delete", kind, "deny-denied")


def test_a_secret_is_applied_and_its_content_written_nowhere_else(shop: Shop) -> None:
    """Neither when all is well, nor when the API server refuses it, quoting what it does not like."""
    text = _object("Secret", "v1", "token", "shop", stringData={"token": _CANARY})
    shop.settle(text)
    bad = {"number": {"nested": f"{_CANARY}-object"}}
    for broken in (
        _object("Secret", "v1", "token", "shop", stringData=bad),
        _object("Secret", "v1", "token", "shop", data={"token": f"{_CANARY} is not base64"}),
        _object("Secret", "v1", "token", "shop", stringData={"token": _CANARY}, type=f"{_CANARY}"),
    ):
        _wait_for_trouble(shop, shop.team.commit(shop.files(broken)))
    time.sleep(1)

    everything = [shop.delivery.log_file.read_text()]
    listed = shop.kubectl("api-resources", "--verbs=list", "-o", "name").stdout.split()
    kinds = ",".join(name for name in listed if name != "secrets")
    everything.append(shop.kubectl("get", kinds, "-A", "-o", "json").stdout)

    assert not [text for text in everything if _CANARY in text]
    assert shop.delivery.live("secret", "token")


def _wait_for_trouble(shop: Shop, commit: str) -> None:
    """Until that commit is what stands in the way."""

    def is_so() -> bool:
        trouble = shop.site.state()["trouble"]
        return trouble is not None and trouble["version"]["commit"] == commit

    shop.delivery.wait(is_so)
