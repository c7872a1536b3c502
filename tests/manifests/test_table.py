from __future__ import annotations

from typing import Any

import orjson
import pytest

from stagepass.manifest import BUILT_IN, Path
from stagepass.manifests.table import Table, table
from tests.cluster.defaults import FILE, KINDS, written

CONTAINER = ("spec", "template", "spec", "containers", "*")
JOB = ("spec", "jobTemplate", "spec")


def known(kind: str, group: str = "") -> Table:
    found = table(group, kind)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("path", "default"),
    [
        (("spec", "replicas"), 1),
        (("spec", "strategy", "type"), "RollingUpdate"),
        (("spec", "strategy", "rollingUpdate"), {"maxSurge": "25%", "maxUnavailable": "25%"}),
        (("spec", "template", "spec", "dnsPolicy"), "ClusterFirst"),
        (("spec", "template", "spec", "securityContext"), {}),
        ((*CONTAINER, "imagePullPolicy"), "IfNotPresent"),
        ((*CONTAINER, "ports", "*", "protocol"), "TCP"),
        ((*CONTAINER, "livenessProbe", "httpGet", "scheme"), "HTTP"),
        ((*CONTAINER, "env", "*", "valueFrom", "fieldRef", "apiVersion"), "v1"),
        (("spec", "template", "spec", "volumes", "*", "secret", "defaultMode"), 0o644),
    ],
)
def test_a_default_is_what_the_server_sets(path: Path, default: Any) -> None:
    assert known("Deployment", "apps").defaults(path) == (default,)


def test_a_pod_has_defaults_that_a_template_has_not() -> None:
    assert known("Pod").defaults(("spec", "enableServiceLinks")) == (True,)
    in_template = ("spec", "template", "spec", "enableServiceLinks")
    assert known("Deployment", "apps").defaults(in_template) == ()


def test_the_job_in_a_cron_job_gets_no_defaults_of_a_job() -> None:
    assert known("Job", "batch").defaults(("spec", "suspend")) == (False,)
    assert known("CronJob", "batch").defaults((*JOB, "suspend")) == ()
    template = (*JOB, "template", "spec", "restartPolicy")
    assert known("CronJob", "batch").defaults(template) == ("Always",)


def test_one_type_has_other_defaults_in_another_place() -> None:
    """A `scaleUp` without policies gets two, a `scaleDown` one."""
    scaler = known("HorizontalPodAutoscaler", "autoscaling")
    up, down = (
        scaler.defaults(("spec", "behavior", way, "policies")) for way in ("scaleUp", "scaleDown")
    )
    assert (len(up[0]), len(down[0])) == (2, 1)


def test_defaults_of_older_servers_are_defaults_too() -> None:
    """Kubernetes 1.34 sets no `maxUnavailable` there."""
    values = known("StatefulSet", "apps").defaults(("spec", "updateStrategy", "rollingUpdate"))
    assert values == ({"maxUnavailable": 1, "partition": 0}, {"partition": 0})


def test_a_kind_is_known_in_all_its_versions() -> None:
    scaler = known("HorizontalPodAutoscaler", "autoscaling")
    assert scaler.defaults(("spec", "targetCPUUtilizationPercentage")) == (80,)  # autoscaling/v1
    assert scaler.is_quantity(
        ("spec", "metrics", "*", "resource", "target", "averageValue")
    )  # autoscaling/v2


@pytest.mark.parametrize(
    ("group", "kind", "path", "values"),
    [
        ("batch", "Job", ("spec", "completions"), {1}),
        ("batch", "Job", ("spec", "backoffLimit"), {6, 2**31 - 1}),
        ("", "Service", ("spec", "ports", "*", "targetPort"), {0, 1}),
        ("", "Service", ("spec", "externalTrafficPolicy"), {"Cluster"}),
        (
            "rbac.authorization.k8s.io",
            "RoleBinding",
            ("subjects", "*", "apiGroup"),
            {"rbac.authorization.k8s.io"},
        ),
        ("", "Pod", ("spec", "containers", "*", "ports", "*", "hostPort"), {1}),
    ],
)
def test_what_hangs_on_other_members_is_no_default(
    group: str, kind: str, path: Path, values: set[Any]
) -> None:
    found = known(kind, group)
    assert found.defaults(path) == ()
    assert set(found.conditional(path)) == values


def test_the_types_of_a_network_policy_are_no_default() -> None:
    """`[Ingress]` would open a policy that was signed with rules for egress only."""
    policy = known("NetworkPolicy", "networking.k8s.io")
    assert policy.defaults(("spec", "policyTypes")) == ()
    assert ["Ingress", "Egress"] in policy.conditional(("spec", "policyTypes"))


@pytest.mark.parametrize(
    ("path", "vanishes"),
    [
        (("spec", "paused"), True),
        (("spec", "replicas"), False),  # 0 is not 1
        (("spec", "template", "spec", "hostNetwork"), True),
        (("spec", "template", "spec", "automountServiceAccountToken"), False),
        (("spec", "template", "spec", "nodeSelector"), True),
        (("spec", "template", "spec", "nodeSelector", "*"), False),
        (("spec", "template", "spec", "volumes", "*", "hostPath"), False),
        ((*CONTAINER, "args"), True),
        ((*CONTAINER, "args", "*"), False),
        ((*CONTAINER, "imagePullPolicy"), True),
        ((*CONTAINER, "securityContext"), False),
        ((*CONTAINER, "securityContext", "privileged"), False),
        ((*CONTAINER, "securityContext", "runAsUser"), False),
        (("metadata", "labels"), True),
        (("metadata", "labels", "*"), False),
    ],
)
def test_a_zero_value_vanishes_where_the_server_cannot_tell_it_from_absence(
    path: Path, vanishes: bool
) -> None:
    assert known("Deployment", "apps").vanishes(path) is vanishes


def test_quantities_bytes_and_maps_are_known() -> None:
    deployment, secret = known("Deployment", "apps"), known("Secret")
    limits = (*CONTAINER, "resources", "limits")
    assert deployment.is_quantity((*limits, "*"))
    assert deployment.is_map(limits)
    assert not deployment.is_quantity(limits)
    assert not deployment.is_map((*CONTAINER, "resources"))
    assert secret.is_bytes(("data", "*"))
    assert not secret.is_bytes(("stringData", "*"))
    assert known("Pod").is_map(("spec", "containers", "*", "resources", "requests"))


@pytest.mark.parametrize("path", [(), ("*",), ("spec", "nonsense"), (*CONTAINER, "args", "*", "x")])
def test_an_unknown_path_has_no_facts(path: Path) -> None:
    found = known("Deployment", "apps")
    facts = (found.vanishes, found.is_quantity, found.is_bytes, found.is_map)
    assert (found.defaults(path), found.conditional(path)) == ((), ())
    assert not any(fact(path) for fact in facts)


def test_a_custom_resource_has_no_table() -> None:
    assert table("example.com", "Deployment") is None
    assert table("", "Deployment") is None


def test_every_kind_that_runs_an_image_has_a_table() -> None:
    assert all(table(*key) is not None for key in BUILT_IN)
    assert {(kind.group, kind.kind) for kind in KINDS} >= set(BUILT_IN)


def test_the_file_is_sorted_with_a_line_for_each_path() -> None:
    """As it is generated: edited by hand, it would be written otherwise next time."""
    text = FILE.read_bytes()
    assert written(orjson.loads(text)) == text
