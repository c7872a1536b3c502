"""A denial keeps the reason for every piece of evidence that was looked at in vain (rule R17)."""

from __future__ import annotations

from stagepass.decision import Answer
from tests.world import (
    OTHER_DIGEST,
    STAGING,
    STRANGER,
    judged,
    policy_set,
    signed_pass,
    verified,
)

PASS = signed_pass("test")
REJECTED = {
    "STATEMENT_INVALID": [
        b"junk",
        PASS.replace(b"v0.3", b"v0.2"),
        PASS.replace(b'"sig"', b'"sig2"'),
    ],
    "SIGNER_UNKNOWN": [signed_pass("test", by=STRANGER)],
    "SUBJECT_MISMATCH": [signed_pass("test", digest=OTHER_DIGEST)],
}


def test_every_rejected_piece_has_its_reason_in_the_denial() -> None:
    policy = policy_set()
    pieces = [piece for group in REJECTED.values() for piece in group]
    rejections = verified(policy, pieces).rejections
    decision = judged(policy, pieces, STAGING)

    assert [r.code for r in rejections] == [c for c, group in REJECTED.items() for _ in group]
    assert len({r.message for r in rejections}) == len(pieces)
    assert decision.answer is Answer.DENIED
    told = {(violation.code, violation.message) for violation in decision.violations}
    assert {(r.code, r.message) for r in rejections} <= told


def test_and_none_where_another_piece_suffices() -> None:
    pieces = [piece for group in REJECTED.values() for piece in group]

    assert judged(policy_set(), [*pieces, PASS], STAGING).violations == ()
