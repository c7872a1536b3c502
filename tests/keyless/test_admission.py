"""Certificates through the whole gate: admitted, counted by owner, bound to clusters, in their window."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stagepass.bundle import Bundle
from stagepass.clock import format_time
from stagepass.decision import Answer
from stagepass.evidence import Deadline, DirectorySource
from stagepass.predicates.members import APPROVAL
from stagepass.verifier import Verifier
from tests.keyless.world import ENTRY, ISSUER, keyless, policy
from tests.policy.signed import APPROVED_BY_TWO, approval, key
from tests.world import (
    DAY,
    HOUR,
    IMAGE,
    NOW,
    PROVENANCE,
    STAGING,
    TEST,
    codes,
    judged,
    signed_claim,
    signed_pass,
    statement,
    stored,
)

POLICY = policy()
ALICE = {"issuer": "https://accounts.example.com", "subject": "alice@example.com", "owner": "alice"}


@pytest.mark.parametrize("by", [{}, {"log": "v2", "tsa": True}], ids=["v1", "v2 and stamp"])
def test_a_certificate_admits_what_its_holder_signed(by: dict[str, Any], tmp_path: Path) -> None:
    bundle = keyless(**by)
    source = DirectorySource(stored(tmp_path, [bundle]))
    gate = Verifier(POLICY, [source]).decide(IMAGE, TEST, now=NOW, deadline=Deadline.after(60))

    assert judged(POLICY, [bundle], TEST).answer is Answer.ADMITTED
    assert gate.answer is Answer.ADMITTED
    assert [met.signer for met in gate.met] == ["ci"]


def test_it_still_admits_long_after_the_certificate_has_ended() -> None:
    assert judged(POLICY, [keyless()], TEST, now=NOW + 300 * DAY).answer is Answer.ADMITTED


def test_a_key_that_the_attestor_does_not_list_does_not() -> None:
    decision = judged(POLICY, [signed_claim(PROVENANCE, "ci")], TEST)

    assert codes(decision) == ["REQUIREMENT_MISSING", "SIGNER_UNKNOWN"]


def test_a_certificate_does_nothing_for_an_attestor_of_keys() -> None:
    keys_alone = policy(changes={"pipeline.stages.0.requires.0.attestation.from": ["ci"]})

    assert codes(judged(keys_alone, [keyless()], TEST)) == ["REQUIREMENT_MISSING", "SIGNER_UNKNOWN"]
    assert judged(keys_alone, [signed_claim(PROVENANCE, "ci")], TEST).answer is Answer.ADMITTED


def test_a_refused_certificate_is_told_among_the_reasons() -> None:
    found = judged(POLICY, [keyless(issuer="https://evil.example")], TEST).violations
    (why,) = [violation.message for violation in found if violation.code == "SIGNER_UNKNOWN"]

    assert "of issuer 'https://evil.example'" in why
    assert f"the nearest wants issuer {ISSUER!r}" in why


def test_what_would_mend_it_is_a_command_that_the_signer_can_give() -> None:
    """A workflow has no key to name; whoever may use a key is told so."""
    by_workflow = judged(POLICY, [], TEST).violations[0].fix
    both = {"attestors.ci.identities": [{**ENTRY}]}
    either = policy(
        {"subject": "https://example.com/other", "owner": "other"},
        changes={**both, "pipeline.stages.0.requires.0.attestation.from": ["ci", "release"]},
    )
    passes = policy(changes={"pipeline.stages.0.signedBy": ["release"]})

    assert by_workflow.startswith(f"stagepass attest {IMAGE} --identity --type {PROVENANCE}")
    assert f"{IMAGE} --key KEY --type" in judged(either, [], TEST).violations[0].fix
    assert f"stagepass attest {IMAGE} --identity --stage test" in " ".join(
        violation.fix for violation in judged(passes, [], STAGING).violations
    )


class TestOwners:
    """Distinct owners are counted, and never signatures, keys or identities."""

    PEOPLE = policy(
        changes={
            "attestors.release-managers": {
                "keys": [key("alice"), key("bob")],
                "identities": [ALICE],
            },
            "pipeline.stages.1.requires": [APPROVED_BY_TWO],
        }
    )

    def approved(self, *bundles: bytes) -> list[str]:
        before = [keyless(), signed_pass("test")]
        return codes(judged(self.PEOPLE, [*before, *bundles], STAGING))

    def by_alice(self, name: str = "alice") -> bytes:
        predicate = {
            "decision": "APPROVED",
            "scope": {"pipeline": "shop", "stage": "staging"},
            "timeApproved": format_time(NOW - HOUR),
            "expires": format_time(NOW + HOUR),
        }
        payload = statement(APPROVAL, json.dumps(predicate).encode())
        return keyless(payload, subject=f"{name}@example.com", issuer=ALICE["issuer"], kind="email")

    def with_key(self, name: str) -> bytes:
        return approval(name, changes={"scope.stage": "staging"})

    def test_a_key_and_an_identity_of_two_owners_are_two(self) -> None:
        assert self.approved(self.by_alice(), self.with_key("bob")) == []

    def test_a_key_and_an_identity_of_one_owner_are_one(self) -> None:
        assert self.approved(self.by_alice(), self.with_key("alice")) == ["APPROVALS_MISSING"]

    def test_two_certificates_of_one_identity_are_one(self) -> None:
        assert self.approved(self.by_alice(), self.by_alice()) == ["APPROVALS_MISSING"]

    def test_a_stranger_is_none(self) -> None:
        assert self.approved(self.by_alice("mallory"), self.with_key("bob")) == [
            "APPROVALS_MISSING",
            "SIGNER_UNKNOWN",
        ]


class TestEntries:
    """What an entry may say beside whom it names is as for keys."""

    def passed(self, **entry: Any) -> list[str]:
        stage = policy(entry, changes={"pipeline.stages.0.signedBy": ["release"]})
        bundle = keyless(Bundle.parse(signed_pass("test")).envelope.payload)
        return codes(judged(stage, [keyless(), bundle], STAGING))

    def test_a_pass_by_an_identity_counts(self) -> None:
        assert self.passed() == []

    def test_an_identity_that_is_bound_to_another_cluster(self) -> None:
        assert self.passed(clusters=["test"]) == []
        assert self.passed(clusters=["staging"]) == ["PASS_MISSING", "SIGNER_UNKNOWN"]

    def test_an_identity_whose_time_is_over_or_to_come(self) -> None:
        assert self.passed(validUntil=format_time(NOW + DAY)) == []
        assert self.passed(validUntil=format_time(NOW - DAY)) == ["PASS_MISSING", "SIGNER_UNKNOWN"]
        assert self.passed(validFrom=format_time(NOW + DAY)) == ["PASS_MISSING", "SIGNER_UNKNOWN"]
