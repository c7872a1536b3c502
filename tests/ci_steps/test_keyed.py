"""Each system's step, run: it signs with a key, and the gate admits what the policy asks for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.ci_steps.conftest import Provision
from tests.ci_steps.runner import Agent
from tests.ci_steps.shop import Shop
from tests.ci_steps.systems import SYSTEMS, Inputs
from tests.simulators.registry import Registry
from tests.world import signer


def provenance(shop: Shop, key: str = "ci.key") -> Inputs:
    return {"image": shop.image, "predicate": "provenance.json", "key-file": key}


@pytest.mark.parametrize("name", SYSTEMS)
def test_provenance_lets_the_image_in(name: str, agent: Agent, shop: Shop) -> None:
    before = shop.decision("test")
    done = agent.run(SYSTEMS[name](provenance(shop)))

    assert before == "denied"
    assert done.code == 0, done.log
    assert f"signed https://slsa.dev/provenance/v1 of {shop.image}" in done.log
    assert shop.decision("test") == "admitted"
    assert list(agent.temporary.iterdir()) == []


@pytest.mark.parametrize("name", [name for name in SYSTEMS if name != "tekton"])
def test_a_pass_by_a_secret_key_opens_the_next_stage(name: str, agent: Agent, shop: Shop) -> None:
    """The policy is asked first, and fills in pipeline, cluster and namespace."""
    key = signer("test-cluster").private_pem.decode()
    assert agent.run(SYSTEMS[name](provenance(shop))).code == 0
    inputs = {"image": shop.image, "stage": "test", "policy": "policy", "key": key}
    done = agent.run(SYSTEMS[name](inputs))

    assert done.code == 0, done.log
    assert shop.decision("production") == "admitted"
    assert key.splitlines()[1] not in done.log
    assert list(agent.temporary.iterdir()) == []


def test_a_secret_on_one_line_is_a_key_too(agent: Agent, shop: Shop) -> None:
    key = signer("ci").private_pem.decode().replace("\n", "\\n")
    inputs = {"image": shop.image, "predicate": "provenance.json", "key": key}

    assert agent.run(SYSTEMS["circleci"](inputs)).code == 0
    assert shop.decision("test") == "admitted"


def test_a_key_of_nobody_lets_nothing_in(agent: Agent, shop: Shop) -> None:
    assert agent.run(SYSTEMS["shell"](provenance(shop, "stranger.key"))).code == 0
    assert shop.decision("test") == "denied"


@pytest.mark.parametrize("name", ["gitlab", "tekton"])
def test_the_policy_is_asked_before_provenance_too(
    name: str, agent: Agent, shop: Shop, registry: Registry
) -> None:
    """By a key that no requirement names nothing is signed, so the registry hears nothing."""
    refused = agent.run(SYSTEMS[name](provenance(shop, "stranger.key") | {"policy": "policy"}))
    heard = list(registry.requests)
    done = agent.run(SYSTEMS[name](provenance(shop) | {"policy": "policy"}))

    assert refused.code == 1
    assert "this key may not sign 'provenance' of shop/test, which is from ci" in refused.log
    assert heard == []
    assert done.code == 0, done.log
    assert shop.decision("test") == "admitted"


@pytest.mark.parametrize("name", ["gitlab", "buildkite"])
def test_a_pass_that_the_policy_refuses_is_not_signed(name: str, agent: Agent, shop: Shop) -> None:
    """The step fails with the gate's reason, and the registry holds nothing new."""
    inputs = {"stage": "test", "policy": "policy", "key-file": "test-cluster.key"}
    done = agent.run(SYSTEMS[name]({"image": shop.image, **inputs}))

    assert done.code == 1
    assert "REQUIREMENT_MISSING" in done.log
    assert agent.run(SYSTEMS[name](provenance(shop))).code == 0
    assert shop.decision("production") == "denied"


def test_an_encrypted_key_is_opened_by_its_passphrase(agent: Agent, shop: Shop) -> None:
    key = serialization.load_pem_private_key(signer("ci").private_pem, None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"correct horse"),
    )
    inputs = {"image": shop.image, "predicate": "provenance.json", "key": locked.decode()}
    without = agent.run(SYSTEMS["github"](inputs))
    done = agent.run(SYSTEMS["github"]({**inputs, "key-passphrase": "correct horse"}))

    assert (without.code, done.code) == (64, 0), without.log + done.log
    assert shop.decision("test") == "admitted"


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_the_step_installs_what_it_signs_with(kind: str, shop: Shop, fresh: Provision) -> None:
    """A wheel, or a directory of wheels; with locked requirements: test_bare.py."""
    inputs = {**provenance(shop), **fresh.inputs(kind)}
    done = fresh.agent.run(SYSTEMS["shell"](inputs))

    assert done.code == 0, done.log
    assert shop.decision("test") == "admitted"
    assert list(fresh.agent.temporary.iterdir()) == []


def test_bytes_that_nobody_looked_at_are_not_installed(shop: Shop, fresh: Provision) -> None:
    """`--require-hashes`: another wheel under the same name and version."""
    lock = fresh.agent.work / "lock.txt"
    lock.write_text(f"stagepass==0.1.0 --hash=sha256:{hashlib.sha256(b'another').hexdigest()}\n")
    inputs = {**provenance(shop), **fresh.inputs("directory"), "requirements": "lock.txt"}
    found = {"PIP_FIND_LINKS": str(fresh.wheel.parent)}
    done = fresh.agent.run(SYSTEMS["shell"](inputs), found)

    assert done.code == 64
    assert "DO NOT MATCH THE HASHES" in done.log
    assert done.log.endswith("stagepass-sign: pip could not install it, see above\n")
    assert shop.decision("test") == "denied"


def test_without_stagepass_the_step_says_what_to_set(tmp_path: Path, python: Path) -> None:
    bare = Agent(tmp_path, f"{python}:/usr/bin:/bin")
    done = bare.run(SYSTEMS["gitlab"]({"image": "i", "stage": "test", "key-file": "k"}))

    assert done.code == 64
    assert "no stagepass on PATH: set STAGEPASS_INSTALL" in done.log
