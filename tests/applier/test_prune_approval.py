"""What it takes to delete what is protected: people's signatures over exactly these objects."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applier.prune_approval import Prune, objection
from stagepass import canonical
from stagepass.digest import Digest
from stagepass.manifest import ObjectId
from stagepass.policy.model import PolicySet
from tests.applier.approvals import CLAIM, DIGEST, SET, SOURCE, application, by, policy, prune
from tests.applier.samples import LAW
from tests.policy.signed import CLEAN_SCAN, key, revocation_list, revocation_of, revoked
from tests.world import DAY, DROP, HOUR, NOW, signer

NEED = "pipeline.stages.2.requires.0.approval"


def refusal(
    bundles: list[bytes], found: PolicySet | None = None, asked: Prune | None = None
) -> str | None:
    found = found or policy()
    asked = asked or prune(found=found)
    return objection(found, asked, b"\n".join(bundles), NOW)


def test_the_digest_is_of_the_canonical_set_and_of_nothing_else() -> None:
    document = {
        "pipeline": "shop",
        "stage": "production",
        "cluster": "prod-eu",
        "objects": ["apps/StatefulSet/shop/db", "core/PersistentVolumeClaim/shop/data"],
    }
    assert Digest.of(canonical.dumps(document)) == DIGEST
    assert prune(SET, CLAIM).digest == prune(CLAIM, SET).digest


IDS = st.sets(
    st.builds(ObjectId, st.sampled_from(["", "apps"]), *[st.sampled_from(["a", "b", "c"])] * 3)
)
HERE = application(policy())


@LAW
@given(IDS, IDS)
def test_no_two_sets_have_one_digest(one: set[ObjectId], other: set[ObjectId]) -> None:
    assert (Prune(HERE, frozenset(one)).digest == Prune(HERE, frozenset(other)).digest) == (
        one == other
    )


def test_two_owners_may_let_it_happen() -> None:
    assert refusal([by("alice"), by("bob")]) is None
    assert refusal([by("alice"), b"", by("ci"), by("bob"), b"no bundle"]) is None


ELSEWHERE = {"scope.stage": "staging"}
_REFUSED: dict[str, tuple[list[bytes], str]] = {
    "nobody": ([], "0 of 2 approvals by release-managers"),
    "one owner": ([by("alice")], "1 of 2"),
    "one owner twice": ([by("alice"), by("alice-laptop")], "1 of 2"),
    "one bundle twice": ([by("alice"), by("alice")], "1 of 2"),
    "a known key of another role": ([by("alice"), by("carol")], "signed by carol, who may not"),
    "an unknown key": ([by("alice"), by("stranger-2")], "no key of the policy set"),
    "another digest": (
        [by("alice"), by("bob", digest=prune(CLAIM).digest)],
        "signed for another digest",
    ),
    "another stage": ([by("alice"), by("bob", changes=ELSEWHERE)], "1 of 2"),
    "another pipeline": ([by("alice"), by("bob", changes={"scope.pipeline": "x"})], "1 of 2"),
    "another cluster": (
        [by("alice"), by("bob", changes={"scope.clusters": ["prod-us"]})],
        "1 of 2",
    ),
    "another namespace": (
        [by("alice"), by("bob", changes={"scope.namespaces": ["shop-blue"]})],
        "1 of 2",
    ),
    "a rejection": ([by("alice"), by("bob", changes={"decision": "REJECTED"})], "1 of 2"),
    "an expired one": ([by("alice"), by("bob", at=NOW - 3 * DAY)], "expired"),
    "one from the future": ([by("alice"), by("bob", at=NOW + HOUR)], "ahead of now"),
    "one without an end": ([by("alice"), by("bob", changes={"expires": DROP})], "expires"),
    "one too old for policy": (
        [by("alice"), by("bob", at=NOW - 40 * DAY, valid_for=90 * DAY)],
        "older than",
    ),
    "junk": ([by("alice"), b"{}"], "line 2"),
    "more than can be read": ([b"{}"] * 49 + [by("alice"), by("bob")], "over 50 lines"),
}


@pytest.mark.parametrize("what", _REFUSED)
def test_what_does_not_count_lets_nothing_happen(what: str) -> None:
    bundles, message = _REFUSED[what]

    said = refusal(bundles)

    assert said is not None
    assert message in said


def test_a_forged_signature_does_not_count() -> None:
    document = json.loads(by("alice"))
    document["verificationMaterial"]["publicKey"]["hint"] = signer("bob").private.public.id
    document["dsseEnvelope"]["signatures"][0]["sig"] = json.loads(by("mallory"))["dsseEnvelope"][
        "signatures"
    ][0]["sig"]

    said = refusal([by("alice"), json.dumps(document).encode()])

    assert said is not None
    assert "do not verify" in said


@pytest.mark.parametrize(
    "asked",
    [
        prune(CLAIM, SET, ObjectId("", "ConfigMap", "shop", "one-more")),
        prune(CLAIM),
        prune(cluster="prod-us"),
        prune(ObjectId("", "PersistentVolumeClaim", "shop-blue", "data"), SET),
    ],
    ids=["one object more", "one less", "another cluster", "another namespace"],
)
def test_an_approval_is_of_one_set_only(asked: Prune) -> None:
    assert refusal([by("alice"), by("bob")], asked=asked) is not None


def test_an_approval_for_a_namespace_is_not_for_what_is_in_none() -> None:
    asked = prune(CLAIM, ObjectId("", "Namespace", "", "shop"))
    narrow = {"digest": asked.digest, "changes": {"scope.namespaces": ["shop"]}}
    wide = {"digest": asked.digest}

    assert refusal([by("alice", **wide), by("bob", **wide)], asked=asked) is None
    assert refusal([by("alice", **wide), by("bob", **narrow)], asked=asked) is not None


def test_who_is_barred_from_approving_images_is_barred_here() -> None:
    attestors = {"attestors.builders": {"keys": [key("bob")]}, f"{NEED}.notBy": ["builders"]}

    said = refusal([by("alice"), by("bob")], policy(attestors))

    assert said is not None
    assert "signed by bob, whom notBy bars" in said


def test_all_approvals_that_the_stage_asks_for_are_needed() -> None:
    more = {"approval": {"from": ["incident-commanders"]}}
    found = policy({"pipeline.stages.2.requires.2": more})

    assert "incident-commanders" in str(refusal([by("alice"), by("bob")], found))
    assert refusal([by("alice"), by("bob"), by("carol")], found) is None


def test_where_nobody_approves_images_nobody_approves_a_prune() -> None:
    said = refusal([by("alice"), by("bob")], policy({"pipeline.stages.2.requires": [CLEAN_SCAN]}))

    assert said is not None
    assert "no approval at the stage 'production'" in said


def test_a_revoked_approval_does_not_count() -> None:
    listed = revocation_list(revocation_of(by("bob")))

    said = refusal([by("alice"), by("bob")], revoked(listed, changes=SOURCE))

    assert said is not None
    assert "is revoked" in said
    assert refusal([by("alice"), by("bob")], revoked(revocation_list(), changes=SOURCE)) is None


def test_after_the_revocation_list_has_ended_nothing_counts() -> None:
    listed = revocation_list(expires=NOW - HOUR)

    assert "expired" in str(refusal([by("alice"), by("bob")], revoked(listed, changes=SOURCE)))
