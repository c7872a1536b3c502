"""Passes that CI jobs signed without a key, at a real API server that asks a real gate."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.gate import Gate
from tests.cluster.shop import HOST, Shop
from tests.simulators.sigstore.oidc import Provider
from tests.simulators.sigstore.server import Server

pytestmark = pytest.mark.cluster

ISSUER = "https://token.actions.githubusercontent.com"
WORKFLOW = "acme/shop/.github/workflows/release.yml@refs/heads/main"
SUBJECT = f"https://github.com/{WORKFLOW}"
_POLICY = """\
apiVersion: stagepass.dev/v1
kind: Attestors
trustRoots:
{roots}
attestors:
  test: {{identities: [{{issuer: "{issuer}", subject: "{subject}", owner: test}}]}}
---
apiVersion: stagepass.dev/v1
kind: Pipeline
metadata: {{name: shop}}
images: [{host}/shop/**]
stages:
  - {{name: test, clusters: [test], namespaces: [shop], signedBy: [test]}}
  - {{name: staging, clusters: [staging], namespaces: [gate-*], after: [test]}}
---
apiVersion: stagepass.dev/v1
kind: Defaults
"""


class Keyless(Shop):
    """The shop whose stage `test` is signed for by one workflow, under the roots of some servers."""

    def __init__(self, directory: Path, job: Provider, *servers: Server) -> None:
        super().__init__(directory)
        self.job = job
        self.trusts(*servers)

    def trusts(self, *servers: Server, subject: str = SUBJECT) -> None:
        """Write the set: whole, as a ConfigMap's volume would bring it."""
        entries = []
        for server in servers:
            name, root = server.sigstore.name, server.sigstore.trusted_root()
            (self.policy / f"{name}.json").write_bytes(root)
            digest = sha256(root).hexdigest()
            entries.append(f'  - {{name: {name}, file: {name}.json, sha256: "{digest}"}}')
        roots = "\n".join(entries)
        text = _POLICY.format(roots=roots, issuer=ISSUER, subject=subject, host=HOST)
        written = self.directory / "policy.yaml"
        written.write_text(text)
        written.replace(self.policy / "policy.yaml")

    def passes(self, image: str, server: Server, **claims: Any) -> str:
        """A CI job signs that `image` passed `test`, as whatever `claims` make of it; gives `image`."""
        token, config = self.directory / "token", self.directory / "config.json"
        token.write_text(self.job.token(**claims))
        config.write_bytes(server.sigstore.trust_config("v2", tsa=True))
        who = ("--identity-token", str(token), "--trust-config", str(config))
        what = ("--stage", "test", "--pipeline", "shop", "--cluster", "test")
        self.stagepass("attest", image, *who, *what, "--evidence", f"dir:{self.evidence}")
        return image


@pytest.fixture(scope="module")
def job() -> Iterator[Provider]:
    with Provider("github") as running:
        yield running


@pytest.fixture(scope="module")
def old(job: Provider) -> Iterator[Server]:
    with Server(job, name="old") as running:
        yield running


@pytest.fixture(scope="module")
def new(job: Provider) -> Iterator[Server]:
    with Server(job, name="new") as running:
        yield running


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, job: Provider, old: Server) -> Keyless:
    return Keyless(tmp_path_factory.mktemp("shop"), job, old)


@pytest.fixture(scope="module")
def keyless_gate(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, shop: Keyless
) -> Iterator[Gate]:
    with Gate(control_plane, shop, tmp_path_factory.mktemp("gate")) as running:
        yield running


@pytest.fixture
def gate(
    keyless_gate: Gate, control_plane: ControlPlane, shop: Keyless, old: Server
) -> Iterator[Gate]:
    """The gate, in a new namespace of `staging`, with the set that names the workflow and the old root."""
    keyless_gate.namespace = control_plane.namespace("gate")
    yield keyless_gate
    shop.trusts(old)


def _deploys(gate: Gate, image: str, name: str = "web") -> bool:
    """Whether a Deployment of it would get in, now."""
    create = ("create", "deployment", name, "--image", image, "--dry-run=server")
    return gate.kubectl(*create, check=False).returncode == 0


def test_a_deployment_enters_by_the_pass_that_a_ci_job_signed(
    gate: Gate, shop: Keyless, old: Server
) -> None:
    """No key anywhere: the policy names the workflow, and the gate asks nobody."""
    image = shop.image()
    assert "\nPASS_MISSING: " in gate.refusal("create", "deployment", "web", "--image", image)
    shop.passes(image, old)

    created = gate.kubectl("create", "deployment", "web", "--image", image)

    assert created.stdout == "deployment.apps/web created\n"
    gate.wait_for_pods(1)
    assert [d["answer"] for d in gate.decisions()][-1] == "admitted"


@pytest.mark.parametrize(
    "workflow",
    [
        WORKFLOW.replace("acme", "acne"),
        WORKFLOW.replace("shop", "Shop"),
        WORKFLOW.replace("release.yml", "releases.yml"),
        WORKFLOW.replace("main", "mainx"),
    ],
)
def test_a_pass_by_a_look_alike_is_refused_and_both_names_are_shown(
    gate: Gate, shop: Keyless, old: Server, workflow: str
) -> None:
    image = shop.passes(shop.image(), old, job_workflow_ref=workflow)

    refusal = gate.refusal("create", "deployment", "web", "--image", image)

    assert f"shop/staging does not admit {image} " in refusal
    assert f"no identity matches 'https://github.com/{workflow}' of issuer '{ISSUER}'" in refusal
    assert f"the nearest wants subject '{SUBJECT}'" in refusal


def test_a_policy_with_one_other_letter_no_longer_admits_what_it_admitted(
    gate: Gate, shop: Keyless, old: Server
) -> None:
    image, asked = shop.passes(shop.image(), old), SUBJECT.replace("acme/shop", "acme/shap")
    assert _deploys(gate, image)

    shop.trusts(old, subject=asked)
    gate.wait_for(lambda: not _deploys(gate, image))

    refusal = gate.refusal("create", "deployment", "web", "--image", image)
    assert f"no identity matches '{SUBJECT}' of issuer '{ISSUER}'" in refusal
    assert f"the nearest wants subject '{asked}'" in refusal


def test_a_root_is_rotated_by_an_overlap_and_the_old_one_counts_until_it_is_taken_out(
    gate: Gate, shop: Keyless, old: Server, new: Server
) -> None:
    before, after = shop.passes(shop.image(), old), shop.passes(shop.image(), new)
    assert _deploys(gate, before)
    assert "of none of the trust roots: old" in gate.refusal(
        "create", "deployment", "web", "--image", after
    )

    shop.trusts(old, new)
    gate.wait_for(lambda: _deploys(gate, after))
    assert _deploys(gate, before)

    shop.trusts(new)
    gate.wait_for(lambda: not _deploys(gate, before))
    assert _deploys(gate, after)
    refusal = gate.refusal("create", "deployment", "web", "--image", before)
    assert "SIGNATURE_INVALID" in refusal
    assert "of none of the trust roots: new" in refusal
