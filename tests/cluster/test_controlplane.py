from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.controlplane import ORDINARY_USER, ControlPlane, ControlPlaneError

pytestmark = pytest.mark.cluster

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {
        "restartPolicy": "Always",
        "containers": [{"name": "web", "image": f"registry.example.com/web@sha256:{'0' * 64}"}],
    },
}
ONCE = {"spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}
WEB = {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE, "replicas": 2}


def _apply(control_plane: ControlPlane, namespace: str, version: str, kind: str, spec: Any) -> None:
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, "spec": spec}
    control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(body))


def _count(control_plane: ControlPlane, namespace: str, resource: str, wanted: int) -> int:
    """How many there are, after at most 10 s of waiting for `wanted`."""
    deadline = time.monotonic() + 10
    while True:
        listed = control_plane.kubectl("get", resource, "-n", namespace, "-o", "json").stdout
        count = len(json.loads(listed)["items"])
        if count == wanted or time.monotonic() > deadline:
            return count
        time.sleep(0.05)


def test_the_api_server_tells_its_version(control_plane: ControlPlane) -> None:
    assert "Server Version: v1.37.2" in control_plane.kubectl("version").stdout


@pytest.mark.parametrize(
    ("version", "kind", "spec", "pods"),
    [
        ("apps/v1", "Deployment", WEB, 2),
        ("apps/v1", "StatefulSet", {**WEB, "podManagementPolicy": "Parallel"}, 2),
        ("batch/v1", "Job", {"template": ONCE}, 1),
    ],
)
def test_a_workload_makes_pods(
    control_plane: ControlPlane, version: str, kind: str, spec: Any, pods: int
) -> None:
    namespace = control_plane.namespace()
    _apply(control_plane, namespace, version, kind, spec)
    assert _count(control_plane, namespace, "pods", pods) == pods


def test_a_cron_job_is_accepted_and_its_job_makes_a_pod(control_plane: ControlPlane) -> None:
    namespace = control_plane.namespace("cron")
    spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": ONCE}}}
    _apply(control_plane, namespace, "batch/v1", "CronJob", spec)
    control_plane.kubectl("create", "job", "now", "--from=cronjob/web", "-n", namespace)
    assert _count(control_plane, namespace, "pods", 1) == 1


def test_rbac_holds_for_everybody_but_the_administrator(control_plane: ControlPlane) -> None:
    namespace = control_plane.namespace()
    for user in (ORDINARY_USER, "mallory"):
        refused = control_plane.kubectl(
            "get", "pods", "-n", namespace, as_user=user, check=False
        ).stderr
        assert f'"{user}" cannot list' in refused
    with pytest.raises(subprocess.CalledProcessError) as failure:
        control_plane.kubectl("get", "pod", "absent", "-n", namespace)
    assert "NotFound" in failure.value.__notes__[0]


def test_secrets_are_for_the_owner_only(control_plane: ControlPlane) -> None:
    for name in ("api.key", "sa.key", "tokens.csv", "kubeconfig"):
        assert (control_plane.directory / name).stat().st_mode & 0o777 == 0o600


def test_a_part_that_dies_at_start_is_named_with_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(ControlPlaneError, match="kube-apiserver ended by itself") as failure,
        ControlPlane(tmp_path, apiserver_flags=["--no-such-flag"]),
    ):
        pass
    assert "unknown flag: --no-such-flag" in str(failure.value)
    assert not (tmp_path / "etcd").exists()
