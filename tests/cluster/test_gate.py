"""What people do to Pods and Deployments with kubectl, at a real API server that asks a real gate."""

from __future__ import annotations

import shlex

import pytest

from tests.cluster.gate import NAME, Gate, status_in
from tests.cluster.workloads import pod_of

pytestmark = pytest.mark.cluster

CREATE = ("create", "-f", "-")


def test_an_unattested_image_is_refused_in_three_lines_that_name_image_stage_pass_and_fix(
    gate: Gate,
) -> None:
    image = gate.shop.image()

    refused = f'Error from server (Forbidden): admission webhook "{NAME}" denied the request: '

    assert gate.refusal("run", "web", "--image", image).splitlines() == [
        f"{refused}shop/staging does not admit {image} (spec.containers[0].image)",
        "PASS_MISSING: no pass of stage 'test' in cluster 'test', signed by test",
        f"fix: stagepass attest {image} --key KEY --stage test --pipeline shop --cluster test",
    ]


def test_a_program_gets_every_reason_with_its_field(gate: Gate) -> None:
    stderr = gate.refusal("run", "web", "--image", gate.shop.image(), "-v=6")

    status = status_in(stderr)
    assert (status["code"], status["reason"]) == (403, "Forbidden")
    (cause,) = status["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("PASS_MISSING", "spec.containers[0].image")


def test_the_command_that_a_refusal_prints_is_what_makes_it_pass(gate: Gate) -> None:
    run = ("run", "web", "--image", gate.shop.image())
    fix = gate.refusal(*run).splitlines()[-1].removeprefix("fix: stagepass ")

    command = shlex.split(fix.replace("KEY", str(gate.shop.key)))
    gate.shop.stagepass(*command, "--evidence", f"dir:{gate.shop.evidence}")

    assert gate.kubectl(*run).stdout == "pod/web created\n"


def test_a_tag_is_refused_and_a_tag_beside_an_attested_digest_is_not(gate: Gate) -> None:
    name, _, digest = gate.shop.attest(gate.shop.image()).partition("@")

    refusal = gate.refusal("run", "web", "--image", f"{name}:v1")

    assert f"shop/staging does not admit {name}:v1 " in refusal
    assert "\nDIGEST_REQUIRED: " in refusal
    gate.kubectl("run", "web", "--image", f"{name}:v1@{digest}")


def test_several_images_are_named_one_by_one_and_the_attested_one_is_not(gate: Gate) -> None:
    good, bad, worse = gate.shop.attest(gate.shop.image()), gate.shop.image(), gate.shop.image()
    pod = pod_of(good, bad, initContainers=[{"name": "init", "image": worse}])

    refusal = gate.refusal(*CREATE, stdin=pod)

    assert f"does not admit {bad} (spec.containers[1].image)" in refusal
    assert f"does not admit {worse} (spec.initContainers[0].image)" in refusal
    assert good not in refusal


def test_a_dry_run_on_the_server_gets_the_same_verdict_and_leaves_nothing(gate: Gate) -> None:
    attested, unattested = gate.shop.attest(gate.shop.image()), gate.shop.image()
    dry = "--dry-run=server"

    refusal = gate.refusal("run", "web", "--image", unattested)
    assert gate.refusal("run", "web", "--image", unattested, dry) == refusal
    assert gate.kubectl("run", "web", "--image", attested, dry).stdout.startswith("pod/web created")
    assert gate.kubectl("get", "pods", "-o", "name").stdout == ""


@pytest.mark.parametrize("kind", ["pod", "deployment"])
def test_set_image_needs_an_attested_digest(gate: Gate, kind: str) -> None:
    first, second = (gate.shop.attest(gate.shop.image()) for _ in range(2))
    create = ("run",) if kind == "pod" else ("create", "deployment")
    gate.kubectl(*create, "web", "--image", first)
    set_image, other = ("set", "image", f"{kind}/web"), gate.shop.image()

    assert f"does not admit {other} " in gate.refusal(*set_image, f"web={other}")
    gate.kubectl(*set_image, f"web={second}")

    images = gate.kubectl("get", kind, "web", "-o", "jsonpath={..image}").stdout
    assert images == second


def test_an_ephemeral_container_needs_an_attested_digest(gate: Gate) -> None:
    image, other = gate.shop.attest(gate.shop.image()), gate.shop.image()
    gate.kubectl("run", "web", "--image", image)
    debug = ("debug", "web", "--profile=general", "-c", "shell", "--image")

    refusal = gate.refusal(*debug, other)
    assert f"does not admit {other} (spec.ephemeralContainers[0].image)" in refusal
    gate.kubectl(*debug, image)

    path = "jsonpath={.spec.ephemeralContainers[*].image}"
    assert gate.kubectl("get", "pod", "web", "-o", path).stdout == image


def test_an_image_volume_needs_an_attested_digest(gate: Gate) -> None:
    image, data = gate.shop.attest(gate.shop.image()), gate.shop.image("data")
    volume = {"name": "data", "image": {"reference": data}}
    pod = pod_of(image, volumes=[{"name": "scratch", "emptyDir": {}}, volume])

    refusal = gate.refusal(*CREATE, stdin=pod)
    assert f"does not admit {data} (spec.volumes[1].image.reference)" in refusal
    gate.shop.attest(data)
    gate.kubectl(*CREATE, stdin=pod)

    path = "jsonpath={.spec.volumes[*].image.reference}"
    assert gate.kubectl("get", "pod", "web", "-o", path).stdout == data


def test_an_admitted_object_can_be_edited_after_its_evidence_is_gone_but_not_its_images_swapped(
    gate: Gate,
) -> None:
    """An image stays where it is unjudged; one that moves to another container is judged."""
    first, second = (gate.shop.attest(gate.shop.image()) for _ in range(2))
    gate.kubectl(*CREATE, stdin=pod_of(first, second))
    gate.shop.withdraw(first)
    gate.restart()

    gate.kubectl("label", "pod", "web", "tier=front")
    gate.kubectl("annotate", "pod", "web", "note=kept")
    refusal = gate.refusal("set", "image", "pod/web", f"c0={second}", f"c1={first}")

    assert f"does not admit {first} (spec.containers[1].image)" in refusal
    assert second not in refusal
    assert gate.decisions()[-2]["notes"] == ["UNCHANGED"]
