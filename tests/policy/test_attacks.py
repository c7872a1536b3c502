"""What a thief of one key, a writer of the registry and the author of a merged commit would try."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from stagepass.bundle import Bundle
from stagepass.clock import format_time
from stagepass.decision import Answer
from stagepass.envelope import Envelope
from stagepass.policy.load import PolicyError
from stagepass.policy.store import load_directory, sign_directory
from stagepass.policy.watermark import HighWater
from stagepass.stage import Place
from tests.policy.signed import (
    ARTIFACT,
    ATTESTORS,
    FLOOR,
    approval,
    beside,
    emergency,
    full_evidence,
    key,
    policy,
    receipt,
    revocation_list,
    revoked,
    scan,
    shop,
)
from tests.world import (
    DAY,
    HOUR,
    NOW,
    OTHER_DIGEST,
    PROD_EU,
    PROD_US,
    STAGING,
    codes,
    judged,
    signed_pass,
    signer,
    write_policy,
)

SHOP = shop()
EVIDENCE = full_evidence()
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def loot(by: str) -> list[bytes]:
    """Everything that a thief of this one key would sign."""
    places = [("test", "test"), ("staging", "staging")]
    places += [("production", "prod-eu"), ("production", "prod-us")]
    passes = [signed_pass(stage, cluster, by) for stage, cluster in places]
    old = [
        receipt(by, entered=entered, changes={"stage": stage, "environment.clusterName": cluster})
        for stage, cluster in places
        for entered in (NOW, NOW - 900 * DAY)
    ]
    return [*passes, *old, approval(by), emergency(by), scan(by)]


@pytest.mark.parametrize(
    ("by", "opens"),
    [
        ("test-cluster", {STAGING}),
        ("staging-cluster", set()),
        ("prod-eu", set()),
        ("prod-us", set()),
        ("ci", set()),
        ("scanner", set()),
        ("alice", set()),
        ("carol", {PROD_EU, PROD_US}),
        ("security", set()),
        ("stranger", set()),
    ],
)
def test_one_stolen_key_opens_its_own_step_and_no_other(by: str, opens: set[Place]) -> None:
    """B53. That of an incident commander opens what break-glass opens, loudly and for hours."""
    found = {p for p in (STAGING, PROD_EU, PROD_US) if judged(SHOP, loot(by), p).allowed}

    assert found == opens
    if by == "carol":
        assert judged(SHOP, loot(by)).notices


@pytest.mark.parametrize("missing", range(1, 6))
@pytest.mark.parametrize("by", ["prod-eu", "prod-us", "staging-cluster", "scanner", "alice", "ci"])
def test_a_thief_cannot_supply_what_another_signs(missing: int, by: str) -> None:
    """Everything else is there; the thief's own part of it may be the missing one."""
    own = {"staging-cluster": 2, "alice": 3, "scanner": 5}
    rest = [b for index, b in enumerate(EVIDENCE) if index != missing]

    assert judged(SHOP, [*rest, *loot(by)]).allowed is (own.get(by) == missing)


def test_a_receipt_dated_back_revives_what_once_had_everything_and_no_more() -> None:
    """B52: the stage's own key opens the stage's own step to an old version, until it is revoked."""
    later = NOW + 90 * DAY
    back = receipt(entered=NOW)

    assert judged(SHOP, [*EVIDENCE, back], now=later).answer is Answer.ADMITTED
    for without in (EVIDENCE[2:], [*EVIDENCE[:2], *EVIDENCE[3:]], EVIDENCE[:5]):
        assert judged(SHOP, [*without, back], now=later).answer is Answer.DENIED
    assert judged(SHOP, [*EVIDENCE, back], PROD_US, now=later).answer is Answer.DENIED
    assert judged(shop({}, FLOOR), [*EVIDENCE, back], now=later).answer is Answer.DENIED
    listed = revoked(revocation_list(ARTIFACT, expires=later + DAY))
    assert codes(judged(listed, [*EVIDENCE, back], now=later)) == ["REVOKED"]


@pytest.mark.parametrize("expires", ["9999-12-31T23:59:59Z", "2036-01-01T00:00:00Z"])
def test_a_signer_cannot_outlive_the_age_that_the_policy_gives(expires: str) -> None:
    for_ever = signed_pass("staging", changes={"expires": expires})
    rest = [*EVIDENCE[:2], *EVIDENCE[3:]]
    decision = judged(SHOP, [*rest, for_ever], now=NOW + 31 * DAY)

    assert "STALE" in codes(decision)


def test_dates_at_the_ends_of_the_calendar_break_nothing() -> None:
    first, last = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
    strange: list[bytes] = []
    for start, end in ((first, last), (last, first), (first, first), (last, last)):
        observed = {"observed": {"from": start, "to": end}}
        dated = {"timeVerified": start, "expires": end}
        strange += [
            signed_pass("staging", changes={**dated, **observed}),
            signed_pass(changes=dated),
        ]
        strange.append(approval("alice", changes={"timeApproved": start, "expires": end}))
        strange.append(emergency(changes={"issued": start, "expires": end}))
        strange.append(receipt(changes={"entered": start, "expires": end}))

    assert judged(SHOP, strange).answer is Answer.DENIED
    assert judged(SHOP, [*strange, *EVIDENCE]).answer is Answer.ADMITTED
    assert judged(SHOP, [*strange, *EVIDENCE], now=NOW + 2 * DAY).answer is Answer.ADMITTED


def _malleated(bundle: bytes) -> bytes:
    """The same statement under the other signature that ECDSA takes for it."""
    found = Bundle.parse(bundle)
    r, s = decode_dss_signature(found.envelope.signature)
    other = encode_dss_signature(r, P256_ORDER - s)
    envelope = Envelope(found.envelope.payload_type, found.envelope.payload, other)
    return Bundle(envelope, found.hint).to_bytes()


def test_one_approval_under_two_signatures_is_one() -> None:
    """A registry writer can make the second without any key."""
    rest = [*EVIDENCE[:3], EVIDENCE[5]]
    alice = approval("alice")

    twice = judged(SHOP, [*rest, alice, _malleated(alice)])
    assert codes(twice) == ["APPROVALS_MISSING"]
    assert twice == judged(SHOP, [*rest, alice])


@pytest.mark.parametrize("count", [1, 200])
def test_no_flood_of_strangers_statements_hides_or_makes_anything(count: int) -> None:
    """B55, B56: up to the caps of the sources, which answer *could not find out*."""
    junk = [b for _ in range(count) for b in (b"junk", EVIDENCE[1][:-40], b"{}")]
    replayed = [signed_pass("test", digest=OTHER_DIGEST), approval("alice", digest=OTHER_DIGEST)]

    assert judged(SHOP, [*junk, *replayed]).answer is Answer.DENIED
    assert judged(SHOP, [*junk, *replayed, *EVIDENCE]).answer is Answer.ADMITTED


def test_hiding_evidence_never_admits() -> None:
    """Nothing in a registry says *no*, so that nothing is gained by taking it away."""
    for hidden in range(2**6 - 1):
        shown = [b for index, b in enumerate(EVIDENCE) if hidden >> index & 1]
        needed = all(hidden >> index & 1 for index in range(1, 6))
        assert (judged(SHOP, shown).answer is Answer.ADMITTED) is needed


ATTACKER = {
    "kind": "Attestors",
    "attestors": {"mine": {"keys": [key("stranger"), key("ci"), key("alice")]}},
}
LAX_PIPELINE = {
    "kind": "Pipeline",
    "metadata": {"name": "a-lax-one"},
    "images": ["registry.example.com/**"],
    "stages": [{"name": "x", "clusters": ["prod-eu"], "namespaces": ["*"]}],
}


@pytest.mark.parametrize(
    "document", [ATTACKER, LAX_PIPELINE, {**LAX_PIPELINE, "metadata": {"name": "z"}}, FLOOR]
)
def test_a_further_document_never_loosens_what_is_there(document: dict[str, Any]) -> None:
    wider = policy({}, document)

    for some in ([], loot("stranger"), EVIDENCE[:2]):
        assert not judged(wider, some).allowed


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "Defaults", "unlisted": "audit"},
        {"kind": "Attestors", "attestors": {"ci": {"keys": [key("stranger")]}}},
        {
            "kind": "Attestors",
            "attestors": {"mine": {"keys": [key("stranger", "x"), key("ci", "x")]}},
        },
        {"kind": "Pipeline", "metadata": {"name": "shop"}, "images": ["a.io/**"], "stages": []},
        {"kind": "Exempt", "exempt": []},
    ],
)
def test_a_further_document_cannot_redefine_what_is_there(document: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        shop({}, document)


def test_a_merged_commit_without_the_root_key_changes_nothing_that_is_in_force(
    tmp_path: Path,
) -> None:
    """B59, B67: altered, unsigned, signed by another, older, or revived with an older list."""
    folder, state = tmp_path / "policy", tmp_path / "state"
    state.mkdir()
    root = signer("root").private
    revocations = {"kind": "Revocations", "file": "list.json", "from": ["security"]}

    def publish(bundle: bytes) -> dict[str, bytes]:
        files = {**beside(revocations), "list.json": bundle.decode()}
        write_policy(folder, ATTESTORS, extra=files)
        sign_directory(folder, root, issued=NOW, expires=NOW + DAY)
        HighWater(state).pass_on(load_directory(folder, root.public))
        return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}

    def refused(files: dict[str, bytes]) -> bool:
        for name, data in files.items():
            (folder / name).write_bytes(data)
        try:
            HighWater(state).pass_on(load_directory(folder, root.public))
        except PolicyError:
            return True
        return False

    first = publish(revocation_list(sequence=1))
    second = publish(revocation_list(ARTIFACT, sequence=2))

    assert not refused(second)
    assert refused(first)
    assert refused({**second, "list.json": first["list.json"]})
    assert refused({**second, "policy.yaml": second["policy.yaml"] + b"\n"})
    assert refused({**second, "policy-set.sigstore.json": b"{}"})
    sign_directory_by_stranger = {**second, "policy-set.sigstore.json": signed_pass(by="root")}
    assert refused(sign_directory_by_stranger)
    assert not refused(second)


def test_a_condition_cannot_be_satisfied_by_its_own_failure() -> None:
    """CEL answers errors as values, and `||` swallows one: only `true` itself is a yes."""
    hostile: list[Any] = [None, "true", 1, [], {}, {"critical": None}, {"critical": "[]"}]
    for result in hostile:
        predicate = {
            "scanner": {"result": result},
            "metadata": {"scanFinishedOn": format_time(NOW)},
        }
        bundle = scan()
        payload = json.loads(Bundle.parse(bundle).envelope.payload)
        payload["predicate"] = predicate
        forged = signer("scanner").private.sign(json.dumps(payload).encode()).to_bytes()
        assert judged(SHOP, [*EVIDENCE[:5], forged]).answer is Answer.DENIED


def test_a_thief_cannot_lengthen_a_break_glass_by_dating_it_ahead_or_back() -> None:
    """`expires - issued` is what the policy bounds; the skew adds five minutes and no more."""
    ahead = emergency(issued=NOW + timedelta(minutes=5), valid_for=4 * HOUR)
    ends = NOW + timedelta(minutes=5) + 4 * HOUR

    assert judged(SHOP, [ahead]).allowed
    assert not judged(SHOP, [ahead], now=ends).allowed
    back = emergency(issued=NOW - DAY, valid_for=DAY + HOUR)
    assert not judged(SHOP, [back]).allowed
