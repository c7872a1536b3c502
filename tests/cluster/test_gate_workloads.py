"""Every kind that runs images, and what controllers make of an admitted one."""

from __future__ import annotations

import pytest

from tests.cluster.gate import Gate
from tests.cluster.workloads import KINDS, workload

pytestmark = pytest.mark.cluster

CREATE = ("create", "-f", "-")


@pytest.mark.parametrize("kind", KINDS)
def test_a_workload_needs_an_attested_image(gate: Gate, kind: str) -> None:
    attested, unattested = gate.shop.attest(gate.shop.image()), gate.shop.image()

    refusal = gate.refusal(*CREATE, stdin=workload(kind, unattested))
    assert f"shop/staging does not admit {unattested} (" in refusal
    assert len(refusal.splitlines()) <= 4
    gate.kubectl(*CREATE, stdin=workload(kind, attested))

    created = gate.kubectl("get", kind, "web", "-o", "jsonpath={..containers[0].image}").stdout
    assert created == attested


def test_everything_that_controllers_make_of_a_deployment_is_judged_too(gate: Gate) -> None:
    image = gate.shop.attest(gate.shop.image())
    gate.kubectl("create", "deployment", "web", "--image", image, "--replicas=2")
    gate.wait_for_pods(2)

    created = [d for d in gate.decisions() if d["operation"] == "CREATE"]
    assert [d["object"].split("/")[1] for d in created] == [
        "Deployment",
        "ReplicaSet",
        "Pod",
        "Pod",
    ]
    assert {(d["answer"], len(d["evidence"])) for d in created} == {("admitted", 1)}


def test_the_job_and_the_pod_of_a_cron_job_are_judged_when_it_fires(gate: Gate) -> None:
    image = gate.shop.attest(gate.shop.image())
    gate.kubectl(*CREATE, stdin=workload("CronJob", image))
    gate.kubectl("create", "job", "now", "--from=cronjob/web")
    gate.wait_for_pods(1)
    gate.shop.withdraw(image)
    gate.restart()

    refusal = gate.refusal("create", "job", "later", "--from=cronjob/web")
    assert f"does not admit {image} (spec.template.spec.containers[0].image)" in refusal


def test_a_deployment_stays_editable_after_its_evidence_is_gone_but_makes_no_new_pods(
    gate: Gate,
) -> None:
    """The unchanged rule, on a cold cache: the object may change around its image, no Pod is new."""
    image = gate.shop.attest(gate.shop.image())
    gate.kubectl("create", "deployment", "web", "--image", image)
    gate.wait_for_pods(1)
    gate.shop.withdraw(image)
    gate.restart()

    gate.kubectl("label", "deployment", "web", "tier=front")
    gate.kubectl("scale", "deployment", "web", "--replicas=2")

    condition = 'jsonpath={.status.conditions[?(@.type=="ReplicaFailure")].message}'
    shown = ("get", "deployment", "web", "-o", condition)
    gate.wait_for(lambda: "PASS_MISSING" in gate.kubectl(*shown).stdout)
    changed = [d for d in gate.decisions() if d["operation"] == "UPDATE"]
    assert {d["object"].split("/")[1] for d in changed} >= {"Deployment", "ReplicaSet"}
    assert all(d["allowed"] for d in changed)
    gate.wait_for_pods(1)


def test_a_deployment_that_waits_for_a_pass_goes_on_by_itself_when_it_comes(gate: Gate) -> None:
    image = gate.shop.attest(gate.shop.image())
    gate.kubectl("create", "deployment", "web", "--image", image, "--replicas=0")
    gate.shop.withdraw(image)
    gate.restart()
    gate.kubectl("scale", "deployment", "web", "--replicas=1")
    gate.wait_for(lambda: any(d["answer"] == "denied" for d in gate.decisions()))

    gate.shop.attest(image)

    gate.wait_for_pods(1)
