"""deploy/guard on a real API server: who can take the gate away, and who cannot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from subprocess import CompletedProcess

import pytest
import yaml

from tests.cluster.controlplane import ORDINARY_USER, ControlPlane
from tests.cluster.guard import (
    BASE,
    BREAK_GLASS,
    CONFIGURATION,
    EDITS,
    GUARD,
    NAMESPACE,
    PROBE,
    edit,
    guarded,
    is_refused,
    wait_for,
)

pytestmark = pytest.mark.cluster

DRY = "--dry-run=server"
CONFIGMAPS = ("stagepass-policy", "stagepass-policy-keys", "stagepass-settings", "stagepass-watch")
IN = ("-n", NAMESPACE)
CERTIFICATES = f"system:serviceaccount:{NAMESPACE}:stagepass-certificates"
POLICY = f"system:serviceaccount:{NAMESPACE}:stagepass-policy"
DATA = ("--patch", '{"data": {"a": "eA=="}}')
PARTS = {
    **{f"configmap/{name}": ("patch", "configmap", name, *DATA) for name in CONFIGMAPS},
    "secret": ("patch", "secret", "stagepass-webhook-tls", *DATA),
    "deployment": (
        *("patch", "deployment", "stagepass-webhook", "--type=json", "--patch"),
        '[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil"}]',
    ),
    "watchdog": ("delete", "deployment", "stagepass-watchdog"),
    "service": (
        "patch",
        "service",
        "stagepass-webhook",
        "-p",
        '{"spec": {"selector": {"a": "b"}}}',
    ),
    "serviceaccount": (
        *("patch", "serviceaccount", "stagepass-webhook", "-p"),
        '{"automountServiceAccountToken": true}',
    ),
    "networkpolicy": ("delete", "networkpolicy", "stagepass-webhook"),
    "role": ("delete", "role", "stagepass-policy"),
    "collection of configmaps": (
        "delete",
        "--raw",
        f"/api/v1/namespaces/{NAMESPACE}/configmaps?dryRun=All",
    ),
}
NAMESPACE_EDITS = {
    "deleted": ("delete", "namespace", NAMESPACE),
    "relabelled": (
        *("label", "namespace", NAMESPACE, "--overwrite"),
        "pod-security.kubernetes.io/enforce=privileged",
    ),
    "relabelled through status": (
        *("patch", "namespace", NAMESPACE, "--subresource=status", "--type=json", "-p"),
        '[{"op": "remove", "path": "/metadata/labels/app.kubernetes.io~1name"}]',
    ),
}


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The gate and its guard, installed as deploy/README.md says; there is nobody to answer."""
    kubectl = control_plane.kubectl
    kubectl("apply", "-k", str(BASE))
    for name in CONFIGMAPS:
        kubectl("create", "configmap", name, *IN, "--from-literal=a=b")
    kubectl("create", "secret", "generic", "stagepass-webhook-tls", *IN, "--from-literal=a=b")
    done = kubectl("apply", "-k", str(GUARD))
    assert done.stderr == "", "the restricted standard warns about nothing"
    probes = (
        PROBE,
        ("stagepass-namespace", (*NAMESPACE_EDITS["deleted"], DRY)),
        ("stagepass-parts", (*PARTS["service"], *IN, DRY)),
    )
    try:
        with guarded(control_plane, *probes):
            yield control_plane
    finally:
        kubectl("delete", "-k", str(GUARD), "--ignore-not-found")
        kubectl("delete", *CONFIGURATION, "--ignore-not-found")
        kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")


@pytest.fixture(scope="module")
def namespace_admin(plane: ControlPlane) -> str:
    """A user who may do everything in the gate's namespace, and nothing outside."""
    role = ("--clusterrole=admin", f"--user={ORDINARY_USER}")
    plane.kubectl("create", "rolebinding", "owner", *IN, *role)
    may = ("auth", "can-i", "patch", "configmaps", *IN)
    wait_for(
        lambda: plane.kubectl(*may, as_user=ORDINARY_USER, check=False).stdout == "yes\n", "RBAC"
    )
    return ORDINARY_USER


def dry(plane: ControlPlane, *command: str, as_user: str | None = None) -> CompletedProcess[str]:
    """Tried and not kept; a raw request says so itself."""
    extra = () if "--raw" in command else (DRY,)
    return plane.kubectl(*command, *extra, check=False, as_user=as_user)


@pytest.mark.parametrize("patch", EDITS.values(), ids=EDITS)
def test_the_administrator_of_the_cluster_cannot_edit_the_configuration(
    plane: ControlPlane, patch: list[dict[str, str]]
) -> None:
    assert is_refused(dry(plane, *edit(patch)), "stagepass-configuration")
    assert dry(plane, *edit(patch), *BREAK_GLASS).returncode == 0


@pytest.mark.parametrize(
    "command",
    [
        ("delete", *CONFIGURATION),
        (
            *("delete", "--raw"),
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations?dryRun=All",
        ),
    ],
    ids=["one", "all"],
)
def test_the_administrator_of_the_cluster_cannot_delete_the_configuration(
    plane: ControlPlane, command: tuple[str, ...]
) -> None:
    done = dry(plane, *command)

    assert is_refused(done, "stagepass-configuration")
    assert "(Forbidden)" in done.stderr
    assert "by the group stagepass:break-glass alone" in done.stderr
    assert dry(plane, *command, *BREAK_GLASS).returncode == 0


def test_a_user_bound_to_cluster_admin_fares_like_the_administrator(plane: ControlPlane) -> None:
    binding = ("clusterrolebinding", "stagepass-test")
    plane.kubectl("create", *binding, "--clusterrole=cluster-admin", "--user=dora")
    try:
        wait_for(lambda: "no" not in _may(plane, "dora"), "RBAC")
        done = dry(plane, *edit(EDITS["failurePolicy Ignore"]), as_user="dora")
    finally:
        plane.kubectl("delete", *binding)

    assert is_refused(done, "stagepass-configuration")


def _may(plane: ControlPlane, user: str) -> str:
    may = ("auth", "can-i", "delete", "validatingwebhookconfigurations")
    return plane.kubectl(*may, as_user=user, check=False).stdout


def test_the_administrator_of_the_namespace_is_kept_out_by_rbac(
    plane: ControlPlane, namespace_admin: str
) -> None:
    tries = [edit(patch) for patch in EDITS.values()]
    for command in (*tries, ("delete", *CONFIGURATION), ("delete", "namespace", NAMESPACE)):
        done = dry(plane, *command, as_user=namespace_admin)
        assert done.returncode == 1
        assert f'User "{namespace_admin}" cannot' in done.stderr


@pytest.mark.parametrize("command", PARTS.values(), ids=PARTS)
def test_what_the_gate_is_made_of_is_guarded(
    plane: ControlPlane, command: tuple[str, ...], namespace_admin: str
) -> None:
    where = () if "--raw" in command else IN
    by = [dry(plane, *command, *where)]
    if command[1] not in ("--raw", "networkpolicy"):
        by.append(dry(plane, *command, *where, as_user=namespace_admin))

    for done in by:
        assert is_refused(done, "stagepass-parts"), done.stderr
    assert dry(plane, *command, *where, *BREAK_GLASS).returncode == 0


@pytest.mark.parametrize("command", NAMESPACE_EDITS.values(), ids=NAMESPACE_EDITS)
def test_the_namespace_is_guarded(plane: ControlPlane, command: tuple[str, ...]) -> None:
    assert is_refused(dry(plane, *command), "stagepass-namespace")
    assert dry(plane, *command, *BREAK_GLASS).returncode == 0


def test_what_is_not_the_gates_is_left_alone(plane: ControlPlane) -> None:
    """Other configurations, namespaces and names; labels; scaling; what controllers write."""
    other = plane.namespace()
    configuration = yaml.safe_load((BASE / "validatingwebhookconfiguration.yaml").read_text())
    configuration["metadata"]["name"] = "another"
    configuration["webhooks"][0]["namespaceSelector"] = {"matchLabels": {"a": "nobody"}}
    plane.kubectl("create", "-f", "-", stdin=json.dumps(configuration))
    plane.kubectl("create", "configmap", "stagepass-policy", "-n", other, "--from-literal=a=b")
    plane.kubectl("create", "configmap", "mine", *IN, "--from-literal=a=b")

    plane.kubectl("delete", "validatingwebhookconfiguration", "another")
    plane.kubectl("delete", "configmap", "stagepass-policy", "-n", other)
    plane.kubectl("delete", "configmap", "mine", *IN)
    plane.kubectl("annotate", "namespace", NAMESPACE, "a=b")
    plane.kubectl("label", "deployment", "stagepass-webhook", *IN, "a=b")
    plane.kubectl("scale", "deployment", "stagepass-webhook", *IN, "--replicas=3")
    wait_for(lambda: _observed(plane), "the deployment controller may write")
    plane.kubectl("scale", "deployment", "stagepass-webhook", *IN, "--replicas=2")


def _observed(plane: ControlPlane) -> bool:
    shown = plane.kubectl("get", "deployment", "stagepass-webhook", *IN, "-o", "json").stdout
    return bool(json.loads(shown)["status"].get("replicas") == 3)


def test_applying_the_same_files_again_is_not_refused(plane: ControlPlane) -> None:
    """Also server-side, where every apply is a request."""
    for directory in (BASE, GUARD):
        plane.kubectl("apply", "-k", str(directory))
        force = ("--server-side", "--force-conflicts", "--field-manager=kubectl-client-side-apply")
        plane.kubectl("apply", "-k", str(directory), *force)


def test_the_account_for_certificates_changes_the_ca_and_nothing_else(plane: ControlPlane) -> None:
    def tried(patch: list[dict[str, str]]) -> CompletedProcess[str]:
        return dry(plane, *edit(patch), as_user=CERTIFICATES)

    assert tried(EDITS["caBundle swapped"]).returncode == 0
    for name in EDITS.keys() - {"caBundle swapped"}:
        assert is_refused(tried(EDITS[name]), "stagepass-configuration"), name
    both = [*EDITS["caBundle swapped"], *EDITS["failurePolicy Ignore"]]
    assert is_refused(tried(both), "stagepass-configuration")
    assert "cannot delete" in dry(plane, "delete", *CONFIGURATION, as_user=CERTIFICATES).stderr


def test_each_account_writes_its_own_parts(plane: ControlPlane) -> None:
    own = {
        CERTIFICATES: {"secret", "configmap/stagepass-watch"},
        POLICY: {"configmap/stagepass-policy", "configmap/stagepass-policy-keys"},
    }
    for account, parts in own.items():
        done = {
            n: dry(plane, *c, *IN, as_user=account) for n, c in PARTS.items() if "--raw" not in c
        }

        assert {name for name, each in done.items() if each.returncode == 0} == parts


def test_without_a_binding_the_configuration_is_free(plane: ControlPlane) -> None:
    """Policies do not see themselves: this is the way out of a lock-out, and what the watchdog tells."""
    binding = ("validatingadmissionpolicybinding", "stagepass-configuration")
    plane.kubectl("delete", *binding)
    wait_for(lambda: not is_refused(dry(plane, *PROBE[1][:-1]), PROBE[0]), "free")

    plane.kubectl("apply", "-k", str(GUARD))
    wait_for(lambda: is_refused(dry(plane, *PROBE[1][:-1]), PROBE[0]), "guarded again")


def test_break_glass_can_end_the_namespace_and_the_controllers_then_empty_it(
    plane: ControlPlane,
) -> None:
    """The last test: the guard is in force, and stands in the way of nothing that was let begin."""
    plane.kubectl("delete", "namespace", NAMESPACE, "--wait=false", *BREAK_GLASS)

    left = ("get", "namespace", NAMESPACE, "--ignore-not-found", "-o", "name")
    wait_for(lambda: plane.kubectl(*left).stdout == "", "the namespace is gone")
