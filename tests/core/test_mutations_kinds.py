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
SET = SetSignature(1, NOW, NOW + DAY, {"shop": "0" * 64})
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
    """The path of every member below `node`, leaves and branches alike."""
    if not isinstance(node, (dict, list)):
        return
    for name, value in node.items() if isinstance(node, dict) else enumerate(node):
        here = f"{path}.{name}" if path else str(name)
        yield here
        yield from members(value, here)


def with_payload(bundle: Any, payload: Any) -> Any:
    """Under the signature of another."""
    text = json.dumps(payload, separators=(",", ":")).encode()
    return changed(bundle, {"dsseEnvelope.payload": base64.b64encode(text).decode()})


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
    assert counts(with_payload(good, payload))  # written again it is the same: only changes count

    for path in paths:
        for value in VALUES:
            mutant = changed(payload, {path: value})
            if repr(mutant) != repr(payload):  # 1 == True
                assert not counts(with_payload(good, mutant)), (path, value)


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
