"""From `stagepass attest` into a registry and out again by `stagepass verify`: no cluster needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.shop import Shop
from tests.simulators.registry import Registry

POLICY = """\
apiVersion: stagepass.dev/v1
kind: Attestors
attestors:
  test: {keys: [{file: keys/test.pub, owner: test}]}
---
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {name: shop}
images: [HOST/shop/**]
stages:
  - {name: s0, clusters: [c], namespaces: [s0], signedBy: [test]}
  - {name: s1, clusters: [c], namespaces: [s1], signedBy: [test], after: [s0]}
  - {name: s2, clusters: [c], namespaces: [s2], signedBy: [test], after: [s1]}
  - {name: s3, clusters: [c], namespaces: [s3], after: [s2]}
---
apiVersion: stagepass.dev/v1
kind: Defaults
"""


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


@pytest.fixture
def shop(registry: Registry, tmp_path: Path) -> Shop:
    """A team with four stages, one after the other."""
    shop = Shop(tmp_path, registry.host)
    (shop.policy / "policy.yaml").write_text(POLICY.replace("HOST", registry.host))
    return shop


@pytest.fixture
def image(registry: Registry) -> str:
    return f"{registry.host}/shop/web@{registry.push_image('shop/web')}"


@pytest.mark.parametrize("passes", [1, 2, 3])
def test_verify_reads_n_passes_that_attest_pushed_with_1_and_2n_requests(
    shop: Shop, registry: Registry, image: str, passes: int
) -> None:
    """One listing, then a manifest and a blob for each pass."""
    for number in range(passes):
        shop.attest(image, "registry", stage=f"s{number}")
    registry.requests.clear()

    done = shop.verify(image, stage=f"s{passes}")

    assert done.returncode == 0, done.stdout
    assert f"{passes} of {passes} requirements met" in done.stdout
    assert len(registry.requests) == 1 + 2 * passes
    assert {request.method for request in registry.requests} == {"GET"}


def test_attest_pushes_nothing_for_a_stage_that_does_not_admit_the_image(
    shop: Shop, registry: Registry, image: str
) -> None:
    """A pass of what should never have been there would launder it."""
    command = ("attest", image, "--key", str(shop.key), "--stage", "s1", "--policy")
    done = shop.stagepass(*command, str(shop.policy), check=False)

    assert done.returncode == 1
    assert "PASS_MISSING no pass of stage 's0' in cluster 'c'" in done.stdout
    assert {request.method for request in registry.requests} == {"GET"}
