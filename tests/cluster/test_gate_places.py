"""Where the gate stands and for whom: stages, namespaces nobody names, warnings, and users."""

from __future__ import annotations

import pytest

from tests.cluster.controlplane import ORDINARY_USER, ControlPlane
from tests.cluster.gate import Gate
from tests.cluster.workloads import pod_of

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("namespace", ["default", "kube-system", "new"])
def test_a_namespace_that_no_stage_names_admits_nothing_not_even_what_is_attested(
    gate: Gate, control_plane: ControlPlane, namespace: str
) -> None:
    image = gate.shop.attest(gate.shop.image())
    if namespace == "new":
        namespace = control_plane.namespace("other")

    refusal = gate.refusal("run", "web", "--image", image, "-n", namespace)

    assert f"the gate does not admit {image} " in refusal
    assert f"\nUNLISTED: no stage names the namespace '{namespace}' of " in refusal
    assert len(refusal.splitlines()) <= 4


def test_an_image_that_no_pipeline_covers_is_refused_as_unlisted(gate: Gate) -> None:
    image = gate.shop.image().replace("/shop/", "/elsewhere/")

    refusal = gate.refusal("run", "web", "--image", image)

    assert "\nUNLISTED: no pipeline of staging/" in refusal


def test_an_ordinary_user_and_the_administrator_get_the_same_verdict(gate: Gate) -> None:
    """system:masters goes past RBAC and not past the gate; whoever may write gets no more."""
    attested, unattested = gate.shop.attest(gate.shop.image()), gate.shop.image()
    user = {"as_user": ORDINARY_USER}
    run = ("run", "web", "--image")
    forbidden = gate.kubectl(*run, attested, check=False, **user).stderr
    assert f'User "{ORDINARY_USER}" cannot create resource "pods"' in forbidden
    role = ("--clusterrole=edit", f"--user={ORDINARY_USER}")
    gate.kubectl("create", "rolebinding", "edit", *role)
    gate.wait_for(lambda: gate.kubectl("auth", "can-i", "create", "pods", **user).stdout == "yes\n")

    assert gate.refusal(*run, unattested, **user) == gate.refusal(*run, unattested)
    gate.kubectl(*run, attested, **user)


def test_a_stage_that_warns_lets_everything_in_and_kubectl_prints_the_reason(
    gate: Gate, control_plane: ControlPlane
) -> None:
    preview = ("-n", control_plane.namespace("preview"))

    done = gate.kubectl("run", "unattested", "--image", gate.shop.image(), *preview)
    assert done.stdout == "pod/unattested created\n"
    (warning,) = done.stderr.splitlines()
    assert warning.startswith("Warning: stagepass: ")
    assert "PASS_MISSING: no pass of stage 'test' in cluster 'test'" in warning

    image = gate.shop.attest(gate.shop.image())
    assert gate.kubectl("run", "attested", "--image", image, *preview).stderr == ""


def test_the_same_image_is_judged_anew_in_each_namespace(
    gate: Gate, control_plane: ControlPlane
) -> None:
    """What the cache keeps for one place opens no other."""
    image = gate.shop.attest(gate.shop.image())
    gate.kubectl("create", "-f", "-", stdin=pod_of(image))
    other = control_plane.namespace("other")

    assert "\nUNLISTED: " in gate.refusal("create", "-f", "-", "-n", other, stdin=pod_of(image))
