"""Revocations: what is on the signed list counts nowhere, and the list itself is hard to forge."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stagepass import canonical
from stagepass.clock import format_time
from stagepass.decision import Answer, Code
from stagepass.digest import Digest
from stagepass.evidence import Deadline
from stagepass.policy.evaluate import wanted
from stagepass.policy.load import PolicyError
from stagepass.predicates.members import REVOCATION_LIST
from stagepass.predicates.revocation import Entry
from stagepass.stage import Place
from stagepass.statement import compose
from stagepass.verifier import Verifier
from tests.core.sources import MemorySource
from tests.policy.signed import (
    ARTIFACT,
    approval,
    emergency,
    full_evidence,
    key,
    policy,
    receipt,
    revocation_list,
    revocation_of,
    revoked,
    scan,
)
from tests.world import (
    DAY,
    DROP,
    HOUR,
    IMAGE,
    NOW,
    OTHER_DIGEST,
    OTHER_IMAGE,
    PROD_EU,
    SECOND,
    STAGING,
    TEST,
    codes,
    judged,
    signed,
    signed_pass,
    signer,
)

EVIDENCE = full_evidence()
LATER = NOW + 2 * DAY


def of_key(name: str) -> Entry:
    """An entry for somebody's key."""
    return Entry("key", signer(name).private.public.id, "stolen")


def errors(bundle: bytes, **how: Any) -> list[str]:
    """Why a set with this list does not load."""
    with pytest.raises(PolicyError) as caught:
        revoked(bundle, **how)
    return [str(error) for error in caught.value.errors]


@pytest.mark.parametrize("place", [TEST, STAGING, PROD_EU, Place("test", "other")])
def test_a_revoked_image_runs_nowhere_whatever_is_signed(place: Place) -> None:
    shop = revoked(revocation_list(ARTIFACT))
    decision = judged(shop, [*EVIDENCE, receipt(), emergency()], place)

    assert (decision.answer, codes(decision)) == (Answer.DENIED, ["REVOKED"])
    assert decision.violations[0].message == "the image is revoked: a backdoor"
    assert judged(shop, [], place, image=OTHER_IMAGE).violations[0].code is not Code.REVOKED


def test_an_empty_list_revokes_nothing() -> None:
    assert judged(revoked(revocation_list()), EVIDENCE).answer is Answer.ADMITTED


def test_a_revoked_image_is_denied_without_asking_anybody() -> None:
    """No evidence could change it, and no outage of a registry turns it into *could not find out*."""
    shop = revoked(revocation_list(ARTIFACT))
    source = MemorySource([], failure=Code.REGISTRY_UNAVAILABLE)
    decision = Verifier(shop, [source]).decide(IMAGE, PROD_EU, now=NOW, deadline=Deadline.after(60))

    assert (decision.answer, codes(decision), source.calls) == (Answer.DENIED, ["REVOKED"], 0)
    assert wanted(shop, IMAGE, PROD_EU) == frozenset()
    assert wanted(shop, OTHER_IMAGE, PROD_EU)


@pytest.mark.parametrize("index", range(6))
def test_a_revoked_attestation_does_not_count_and_the_denial_says_why(index: int) -> None:
    entry = revocation_of(EVIDENCE[index])
    decision = judged(revoked(revocation_list(entry)), EVIDENCE)

    if index == 0:  # provenance is asked for in the stage test
        decision = judged(revoked(revocation_list(entry)), EVIDENCE, TEST)
    assert decision.answer is Answer.DENIED
    assert "REVOKED" in codes(decision)
    said = {v.message for v in decision.violations if v.code is Code.REVOKED}
    assert all(text.endswith("is revoked: signed in error") for text in said)


@pytest.mark.parametrize("name", ["test-cluster", "staging-cluster", "scanner", "alice", "bob"])
def test_a_revoked_key_kills_everything_it_signed(name: str) -> None:
    shop = revoked(revocation_list(of_key(name)))
    decision = judged(shop, EVIDENCE)

    assert (decision.answer, "REVOKED" in codes(decision)) == (Answer.DENIED, True)
    assert judged(shop, [*EVIDENCE, receipt()], now=NOW + HOUR).answer is Answer.DENIED


def test_a_revoked_key_gives_no_receipt_and_breaks_no_glass() -> None:
    saturday = NOW + 2 * DAY
    keys = revoked(revocation_list(of_key("prod-eu"), of_key("carol"), expires=LATER + DAY))
    bundles = [*EVIDENCE, receipt(), emergency(issued=saturday)]

    assert judged(revoked(revocation_list(expires=LATER + DAY)), bundles, now=saturday).allowed
    assert not judged(keys, bundles, now=saturday).allowed


def test_the_same_claim_by_a_key_that_is_not_revoked_counts_again() -> None:
    """How a clean-up ends: whoever still may signs anew."""
    shop = revoked(revocation_list(of_key("alice"), revocation_of(EVIDENCE[5])))

    assert judged(shop, EVIDENCE).answer is Answer.DENIED
    again = [*EVIDENCE, approval("alice-laptop"), scan(at=NOW - 2 * HOUR)]
    assert judged(shop, again).answer is Answer.ADMITTED


@pytest.mark.parametrize("on_expired", ["deny", "warn"])
def test_a_list_that_expired_denies_everything_or_warns(on_expired: str) -> None:
    shop = revoked(revocation_list(expires=NOW + HOUR), on_expired=on_expired)
    before = judged(shop, EVIDENCE)
    after = judged(shop, EVIDENCE, now=NOW + HOUR)
    text = "the revocation list expired at 2026-11-26T13:00:00Z"

    assert (before.answer, before.warnings) == (Answer.ADMITTED, ())
    assert before.valid_until == NOW + HOUR
    if on_expired == "warn":
        assert (after.answer, after.warnings) == (Answer.ADMITTED, (text,))
        assert after.valid_until is not None
        assert after.valid_until <= NOW + HOUR
    else:
        assert codes(after) == ["REVOKED"]
        assert {v.message for v in after.violations} == {text}


def test_a_list_that_expired_and_only_warns_still_revokes() -> None:
    shop = revoked(revocation_list(ARTIFACT, of_key("ci"), expires=NOW), on_expired="warn")

    assert codes(judged(shop, EVIDENCE)) == ["REVOKED"]


def test_a_list_ends_with_the_key_that_signed_it() -> None:
    """A retired key, less well guarded, must not speak for the set for ever."""
    ends = {"attestors.security": {"keys": [key("security", validUntil=format_time(NOW))]}}
    shop = revoked(revocation_list(expires=LATER), changes=ends)

    assert codes(judged(shop, EVIDENCE)) == ["REVOKED"]
    assert judged(shop, EVIDENCE, now=NOW - SECOND).answer is Answer.ADMITTED


@pytest.mark.parametrize("by", ["alice", "ci", "carol", "prod-eu"])
def test_a_list_by_somebody_else_refuses_the_set(by: str) -> None:
    (error,) = errors(revocation_list(ARTIFACT, by=by))

    assert error.startswith("list.yaml: file: signed by ")
    assert error.endswith(", who may not revoke")


@pytest.mark.parametrize(
    ("bundle", "reason"),
    [
        (revocation_list(by="stranger"), "SIGNER_UNKNOWN: no key of the policy set verifies it"),
        (signed_pass("test", by="security"), "a statement of type"),
        (b"junk", "STATEMENT_INVALID: the bundle is not JSON"),
        (revocation_list(changes={"entries": [ARTIFACT.to_json()]}), "is not its list of entries"),
        (revocation_list(ARTIFACT, changes={"entries": []}), "is not its list of entries"),
        (revocation_list(changes={"entries": DROP}), "entries is not a list"),
        (revocation_list(changes={"sequence": DROP}), "sequence is not a count"),
        (revocation_list(changes={"sequence": -1}), "sequence is not a count"),
        (revocation_list(changes={"sequence": True}), "sequence is not a count"),
        (revocation_list(changes={"sequence": 1.0}), "sequence is not a count"),
        (revocation_list(changes={"issued": DROP}), "issued: None is not an RFC 3339 time"),
        (revocation_list(changes={"expires": "never"}), "expires: 'never' is not an RFC 3339"),
        (revocation_list(changes={"critical": ["unheard"]}), "does not understand"),
        (revocation_list(Entry("image", "x", "y")), "an entry's kind is none of artifact"),
        (revocation_list(Entry("artifact", "sha1:00", "y")), "is not 'sha256:'"),
        (revocation_list(Entry("artifact", OTHER_DIGEST.hex[1:], "y")), "is not 'sha256:'"),
        (revocation_list(Entry("artifact", OTHER_DIGEST.hex.upper(), "y")), "is not 'sha256:'"),
        (revocation_list(Entry("attestation", "x", "y")), "is not 'sha256:'"),
        (revocation_list(Entry("key", "SHA256:abc", "y")), "is not the id of a key"),
        (revocation_list(Entry("key", "AAAA", "y")), "is not the id of a key"),
        (revocation_list(Entry("artifact", OTHER_DIGEST.hex, "")), "entries.reason is missing"),
    ],
)
def test_a_list_that_is_not_one_refuses_the_set(bundle: bytes, reason: str) -> None:
    """An entry that could match nothing is a typing error, and must not pass for a revocation."""
    (error,) = errors(bundle)

    assert reason in error


def test_an_entry_may_be_written_with_its_algorithm_and_with_members_we_do_not_know() -> None:
    """The subject is of the entries as they are written: RFC 8785, whatever wrote them."""
    entry = {**ARTIFACT.to_json(), "value": f"sha256:{ARTIFACT.value}", "from": "2026-01-01"}
    predicate = {
        "sequence": 7,
        "issued": format_time(NOW),
        "expires": format_time(LATER),
        "entries": [entry],
    }
    text = compose(
        name="revocations",
        digest=Digest.of(canonical.dumps([entry])),
        predicate_type=REVOCATION_LIST,
        predicate=json.dumps(predicate).encode(),
    )
    shop = revoked(signed(text, "security"))

    assert codes(judged(shop, EVIDENCE)) == ["REVOKED"]
    assert shop.revocations is not None
    assert shop.revocations.sequence == 7


def test_two_documents_of_revocations_refuse_the_set() -> None:
    one = {"kind": "Revocations", "file": "revoked.json", "from": ["security"]}
    with pytest.raises(PolicyError) as caught:
        policy({}, one, {**one, "from": ["nobody"]})

    assert "2 documents of kind Revocations; exactly one is wanted" in str(caught.value)


def test_a_list_in_a_registry_is_no_list() -> None:
    """Negative facts live in the policy set: evidence of that type changes nothing (B55)."""
    shop = revoked(revocation_list())

    assert judged(shop, [*EVIDENCE, revocation_list(ARTIFACT)]) == judged(shop, EVIDENCE)


@pytest.mark.parametrize("enforcement", ["enforce", "warn", "audit"])
def test_a_revocation_is_enforced_as_its_stage_is(enforcement: str) -> None:
    """The answer is the same everywhere; where nothing is enforced, a revocation is not either."""
    changes = {"pipeline.stages.2.enforcement": enforcement}
    decision = judged(revoked(revocation_list(ARTIFACT), changes=changes), EVIDENCE)

    assert (decision.answer, codes(decision)) == (Answer.DENIED, ["REVOKED"])
    assert decision.allowed is (enforcement != "enforce")
    assert ("REVOKED" in " ".join(decision.warnings)) is (enforcement == "warn")


def test_what_no_stage_names_is_enforced_as_unlisted_says() -> None:
    listed = revocation_list(ARTIFACT)
    nowhere = Place("prod-eu", "nowhere")
    for unlisted, allowed in (("deny", False), ("audit", True)):
        policy = revoked(listed, changes={"defaults.unlisted": unlisted})
        assert judged(policy, EVIDENCE, place=nowhere).allowed is allowed
    unknown = revoked(listed, changes={"defaults.unlisted": "audit"})
    assert not judged(unknown, EVIDENCE, place=Place("unknown", "shop")).allowed
