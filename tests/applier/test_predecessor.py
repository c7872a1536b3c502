"""A new key of the cluster takes over when what runs has entered; nobody else's receipt does."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from applier.application import Application
from applier.predecessor import entered_before
from stagepass.digest import ImageRef
from stagepass.evidence import DirectorySource
from stagepass.policy.model import PolicySet
from stagepass.predicates.entered import StageEntered
from stagepass.predicates.environment import Environment
from stagepass.predicates.members import STAGE_ENTERED
from tests.policy_tools.full import full_set
from tests.world import DAY, DIGEST, IMAGE, NOW, signed, statement

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


def found(policy: PolicySet, root: Path, *bundles: bytes) -> datetime | None:
    for bundle in bundles:
        DirectorySource(root).write(DIGEST, bundle)
    pipeline = policy.pipelines[0]
    stage = pipeline.stage("staging")
    assert stage.source is not None
    application = Application(pipeline, stage, stage.source, "staging")
    image = ImageRef.parse(str(IMAGE))
    return entered_before(application, policy, image, PLACE, [DirectorySource(root)], NOW)


def test_the_entry_is_that_of_the_key_before(tmp_path: Path) -> None:
    assert found(full_set(TWO_KEYS), tmp_path, receipt("alice")) == ENTERED


@pytest.mark.parametrize("by", ["ci", "stranger", "prod-eu"])
def test_a_key_that_does_not_sign_for_the_stage_says_nothing(tmp_path: Path, by: str) -> None:
    assert found(full_set(TWO_KEYS), tmp_path, receipt(by)) is None


def test_a_receipt_that_ended_says_nothing(tmp_path: Path) -> None:
    assert found(full_set(TWO_KEYS), tmp_path, receipt("alice", ends=-DAY)) is None


def test_a_key_that_was_taken_out_says_nothing(tmp_path: Path) -> None:
    assert found(full_set(), tmp_path, receipt("alice")) is None


def test_without_a_receipt_it_enters_now(tmp_path: Path) -> None:
    assert found(full_set(TWO_KEYS), tmp_path) is None
