"""Every kind of statement that is signed here, with each leaf of its bundle and payload altered."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from stagepass.attestor import KeyRing
from stagepass.evidence import Attestation, Candidate
from stagepass.policy.trust import SetSignature
from stagepass.predicates.members import POLICY_SET
from stagepass.predicates.revocation import Entry
from tests.policy.signed import PEOPLE, approval, emergency, receipt, revocation_list, scan
from tests.world import DAY, DROP, NOW, changed, signed, signed_pass, signer, statement

SIGNERS = (*PEOPLE, "test-cluster", "scanner", "prod-eu")
RING = KeyRing.of([(signer(name).private.public, name) for name in SIGNERS])
SET = SetSignature(1, NOW, NOW + DAY, {"shop.yaml": "0" * 64})
KINDS = {
    "stage-passed": signed_pass("test"),
    "stage-entered": receipt(expires=NOW + DAY),
    "approval": approval("alice"),
    "break-glass": emergency(),
    "revocations": revocation_list(Entry("artifact", "0" * 64, "leaked")),
    "policy-set": signed(statement(POLICY_SET, SET.compose(), digest=SET.digest), "root"),
    "foreign": scan(critical=("CVE-1",)),
}
VALUES: list[Any] = [None, True, 0, -1, 1.5, "", "x", [], {}, DROP]
HINT = {"verificationMaterial.publicKey", "verificationMaterial.publicKey.hint"}


def members(node: Any, path: str = "") -> Iterator[str]:
    named = node.items() if isinstance(node, dict) else enumerate(node)
    for name, value in named if isinstance(node, (dict, list)) else ():
        # A path names a member by dots, which a file name has too; its neighbours are altered.
        if "." not in str(name):
            here = f"{path}.{name}" if path else str(name)
            yield here
            yield from members(value, here)


def counts(document: Any) -> bool:
    found = RING.read(Candidate(json.dumps(document).encode(), "mutant"))
    return isinstance(found, Attestation)


@pytest.mark.parametrize("kind", KINDS)
def test_no_leaf_of_a_bundle_can_be_replaced_or_taken_out_but_the_hint(kind: str) -> None:
    good = json.loads(KINDS[kind])
    assert counts(good)

    accepted = {
        path for path in members(good) for value in VALUES if counts(changed(good, {path: value}))
    }
    assert accepted <= HINT


@pytest.mark.parametrize("kind", KINDS)
def test_no_leaf_of_what_is_signed_can_be_replaced_or_taken_out(kind: str) -> None:
    good = json.loads(KINDS[kind])
    payload = json.loads(base64.b64decode(good["dsseEnvelope"]["payload"]))
    paths = list(members(payload))
    assert len(paths) > 8

    for path in paths:
        for value in VALUES:
            text = json.dumps(changed(payload, {path: value})).encode()
            mutant = {"dsseEnvelope.payload": base64.b64encode(text).decode()}
            assert not counts(changed(good, mutant)), (path, value)


@pytest.mark.parametrize("kind", KINDS)
def test_no_signature_fits_a_statement_of_another_kind(kind: str) -> None:
    good = json.loads(KINDS[kind])
    for other, bundle in KINDS.items():
        payload = json.loads(bundle)["dsseEnvelope"]["payload"]
        swapped = changed(good, {"dsseEnvelope.payload": payload})
        assert counts(swapped) is (other == kind), other


def test_every_kind_is_there() -> None:
    types = set()
    for bundle in KINDS.values():
        found = RING.read(Candidate(bundle, "good"))
        assert isinstance(found, Attestation)
        types.add(found.statement.predicate_type)
    assert len(types) == len(KINDS)
