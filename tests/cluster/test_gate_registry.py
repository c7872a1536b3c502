"""The gate, asking a registry for evidence: while it answers, fails, and says nothing at all."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.gate import Gate, status_in
from tests.cluster.shop import Shop
from tests.simulators.registry import Faults, Registry

pytestmark = pytest.mark.cluster

TIMEOUT_SECONDS = 3


@pytest.fixture(scope="module")
def serving() -> Iterator[Registry]:
    with Registry() as running:
        yield running


@pytest.fixture
def registry(serving: Registry) -> Iterator[Registry]:
    """An honest registry that has been asked nothing, and is honest again afterwards."""
    serving.requests.clear()
    yield serving
    serving.faults = Faults()


@pytest.fixture(scope="module")
def running_gate(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, serving: Registry
) -> Iterator[Gate]:
    """A gate whose only evidence is what the registry holds, asked with a short timeout."""
    shop = Shop(tmp_path_factory.mktemp("shop"), serving.host)
    path = "/webhooks/0/timeoutSeconds"
    timeout = json.dumps([{"op": "replace", "path": path, "value": TIMEOUT_SECONDS}])
    with Gate(control_plane, shop, tmp_path_factory.mktemp("gate"), "registry") as running:
        patch = ("patch", "validatingwebhookconfiguration", "stagepass", "--type=json", "-p")
        control_plane.kubectl(*patch, timeout)
        yield running


@pytest.fixture
def image(registry: Registry) -> str:
    """An image that is in the registry and that nobody has attested."""
    digest = registry.push_image("shop/web", secrets.token_bytes(8))
    return f"{registry.host}/shop/web@{digest}"


def test_an_image_is_admitted_once_its_pass_is_in_the_registry(gate: Gate, image: str) -> None:
    run = ("run", "web", "--image", image)
    missing = gate.refusal(*run)
    assert f"shop/staging does not admit {image} " in missing
    assert "\nPASS_MISSING: no pass of stage 'test' in cluster 'test'" in missing

    gate.shop.attest(image, "registry")

    gate.kubectl(*run)


def test_one_look_into_the_registry_serves_a_whole_rollout(
    gate: Gate, image: str, registry: Registry
) -> None:
    gate.shop.attest(image, "registry")
    registry.requests.clear()

    gate.kubectl("create", "deployment", "web", "--image", image, "--replicas=3")
    gate.wait_for_pods(3)

    assert len(registry.requests) == 1 + 2


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        (Faults(hang=True), "DEADLINE: could not find out: "),
        (Faults(status=500), "REGISTRY_UNAVAILABLE: could not find out: HOST answered 500"),
    ],
    ids=["hangs", "fails"],
)
def test_a_registry_without_an_answer_is_an_explicit_could_not_find_out(
    gate: Gate, image: str, registry: Registry, faults: Faults, reason: str
) -> None:
    """It comes before the API server's own timeout, which would only say that a call failed."""
    gate.shop.attest(image, "registry")
    registry.faults = faults

    stderr = gate.refusal("run", "web", "--image", image, "-v=6")

    refusal = stderr[stderr.index("Error from server (ServiceUnavailable): ") :]
    assert f"shop/staging could not find out about {image} (spec.containers[0].image)\n" in refusal
    assert "\n" + reason.replace("HOST", registry.host) in refusal
    assert len(refusal.splitlines()) <= 4
    assert status_in(stderr)["code"] == 503

    registry.faults = Faults()
    gate.kubectl("run", "web", "--image", image)


def test_what_was_admitted_a_moment_ago_still_is_while_the_registry_hangs(
    gate: Gate, image: str, registry: Registry
) -> None:
    gate.shop.attest(image, "registry")
    gate.kubectl("create", "deployment", "web", "--image", image)
    gate.wait_for_pods(1)

    registry.faults = Faults(hang=True)

    gate.kubectl("scale", "deployment", "web", "--replicas=3")
    gate.wait_for_pods(3)
