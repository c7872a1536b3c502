"""The gate is gone: nothing gets in; it is back: everything goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.gate import NAME, Gate

pytestmark = pytest.mark.cluster


@pytest.fixture
def killed(gate: Gate) -> Iterator[Gate]:
    """The gate with an attested Deployment of one Pod, killed by SIGKILL."""
    image = gate.shop.attest(gate.shop.image())
    gate.kubectl("create", "deployment", "web", "--image", image)
    gate.wait_for_pods(1)
    gate.kill()
    yield gate
    if not gate.is_running:
        gate.start()


def test_without_the_gate_the_api_server_fails_closed(killed: Gate) -> None:
    """Also for what was admitted before: an outage must not read as a verdict."""
    image = killed.shop.attest(killed.shop.image())
    label = ("label", "deployment", "web", "tier=front")

    for command in (("run", "web", "--image", image), label):
        done = killed.kubectl(*command, check=False)
        assert done.returncode == 1
        assert f'Internal error occurred: failed calling webhook "{NAME}"' in done.stderr
        assert "connection refused" in done.stderr
    assert killed.kubectl("get", "pod", "web", "--ignore-not-found").stdout == ""


def test_a_gate_that_is_back_on_its_port_is_asked_again_at_once(killed: Gate) -> None:
    image, other = killed.shop.attest(killed.shop.image()), killed.shop.image()

    killed.start()

    assert "\nPASS_MISSING: " in killed.refusal("run", "web", "--image", other)
    killed.kubectl("run", "web", "--image", image)


def test_a_rollout_that_met_the_outage_goes_on_by_itself(killed: Gate) -> None:
    killed.kubectl("scale", "deployment", "web", "--replicas=3")
    killed.wait_for_pods(1)

    killed.start()

    killed.wait_for_pods(3)
