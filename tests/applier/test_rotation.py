"""A new key of the cluster takes over when what runs has entered; nobody else's receipt does."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from applier.application import Application
from applier.passes import Signer
from stagepass.attesting import Signed
from stagepass.evidence import Attestation, Candidate, DirectorySource
from stagepass.policy.model import PolicySet
from stagepass.predicates.entered import StageEntered
from stagepass.predicates.environment import Environment
from stagepass.predicates.members import STAGE_ENTERED
from tests.policy_tools.full import full_set
from tests.world import DAY, DIGEST, IMAGE, NOW, signed, signer, statement

TWO_KEYS = {
    "attestors.staging-cluster.keys": [
        {"file": "keys/staging-cluster.pub", "owner": "staging-cluster"},
        {"file": "keys/alice.pub", "owner": "alice"},
    ],
    "attestors.managers.keys": [{"file": "keys/bob.pub", "owner": "bob"}],
}
PLACE = Environment("staging", namespace="shop")
ENTERED = NOW - 20 * DAY


def receipt(by: str, *, entered: datetime = ENTERED, ends: timedelta = DAY) -> bytes:
    claim = StageEntered("shop", "staging", PLACE, entered, NOW + ends)
    return signed(statement(STAGE_ENTERED, claim.compose(None, ())), by)


def entered(policy: PolicySet, root: Path, *bundles: bytes) -> datetime:
    """What the receipt says that the cluster's new key signs beside `bundles`."""
    source = DirectorySource(root)
    for bundle in bundles:
        source.write(DIGEST, bundle)
    pipeline = policy.pipelines[0]
    stage = pipeline.stage("staging")
    assert stage.source is not None
    application = Application(pipeline, stage, stage.source, "staging")
    kept: list[Signed] = []
    Signer(
        signer("staging-cluster").private,
        "staging",
        "uid",
        lambda _: [source],
        lambda signed, *_: kept.append(signed),
    ).enter(application, policy, [(IMAGE, DIGEST, "shop")], NOW)
    (new,) = kept
    read = policy.keys.verify(Candidate(new.bundle, "new"), DIGEST)
    assert isinstance(read, Attestation)
    return StageEntered.parse(read.statement.predicate).entered


def test_the_entry_is_that_of_the_key_before(tmp_path: Path) -> None:
    assert entered(full_set(TWO_KEYS), tmp_path, receipt("alice")) == ENTERED


@pytest.mark.parametrize("by", ["ci", "stranger", "prod-eu"])
def test_a_key_that_does_not_sign_for_the_stage_says_nothing(tmp_path: Path, by: str) -> None:
    assert entered(full_set(TWO_KEYS), tmp_path, receipt(by)) == NOW


def test_a_receipt_that_ended_says_nothing(tmp_path: Path) -> None:
    assert entered(full_set(TWO_KEYS), tmp_path, receipt("alice", ends=-DAY)) == NOW


def test_a_key_that_was_taken_out_says_nothing(tmp_path: Path) -> None:
    assert entered(full_set(), tmp_path, receipt("alice")) == NOW


def test_without_a_receipt_it_enters_now(tmp_path: Path) -> None:
    assert entered(full_set(TWO_KEYS), tmp_path) == NOW
