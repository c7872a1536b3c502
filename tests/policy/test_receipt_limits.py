"""What a receipt never does: it makes no pass, no soak and no floor, and it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stagepass.clock import format_time
from stagepass.decision import Answer
from stagepass.policy.evaluate import wanted
from stagepass.predicates.members import STAGE_ENTERED
from stagepass.stage import Place
from tests.policy.signed import full_evidence, key, receipt, scan, shop
from tests.world import (
    DAY,
    DROP,
    HOUR,
    IMAGE,
    NOW,
    PROD_EU,
    PROVENANCE,
    STAGING,
    codes,
    judged,
    signed_claim,
    signed_pass,
)

SHOP = shop()
EVIDENCE = full_evidence()
SATURDAY = NOW + timedelta(days=2, hours=11)
"""Within the window of production; NOW is a Thursday noon."""


def test_soak_is_what_was_watched_however_long_it_has_been_there_since() -> None:
    short = [*EVIDENCE[:2], signed_pass("staging", watched=HOUR), *EVIDENCE[3:]]

    for entered in (NOW, NOW - 90 * DAY):
        assert codes(judged(SHOP, [*short, receipt(entered=entered)])) == ["SOAKING"]


def test_a_missing_pass_is_missing_at_every_time() -> None:
    """A receipt never makes a pass: not of its own stage either."""
    for without in ([*EVIDENCE[:1], *EVIDENCE[2:]], [*EVIDENCE[:2], *EVIDENCE[3:]]):
        assert codes(judged(SHOP, [*without, receipt()])) == ["PASS_MISSING"]
    archive = {"name": "archive", "clusters": ["archive"], "namespaces": ["shop"]}
    policy = shop({"pipeline.stages.3": {**archive, "after": ["production"]}})
    receipts = [receipt(), receipt("prod-us", changes={"environment.clusterName": "prod-us"})]
    decision = judged(policy, [*EVIDENCE, *receipts], Place("archive", "shop"))
    assert codes(decision) == ["PASS_MISSING"]


@pytest.mark.parametrize("age", ["1h", "2h"])
def test_a_baseline_is_judged_at_the_real_now(age: str) -> None:
    dated = {"name": "built", "from": ["scanner"], "time": "predicate.metadata.scanFinishedOn"}
    kind = "https://cosign.sigstore.dev/attestation/vuln/v1"
    floor = {
        "kind": "Baseline",
        "metadata": {"name": "fresh"},
        "images": ["**"],
        "namespaces": ["*"],
        "requires": [{"attestation": {**dated, "predicateType": kind, "maxAge": age}}],
    }
    policy = shop({}, floor)

    assert judged(policy, [*EVIDENCE, receipt()], now=NOW + 2 * HOUR).answer is Answer.DENIED
    assert codes(judged(policy, [*EVIDENCE, receipt()], now=SATURDAY)) == ["STALE"]
    again = [*EVIDENCE, scan(at=SATURDAY), receipt()]
    assert judged(policy, again, now=SATURDAY).answer is Answer.ADMITTED


def test_an_admission_by_receipt_ends_with_the_receipt_or_its_key_and_not_before() -> None:
    ends = SATURDAY + DAY
    by_receipt = judged(SHOP, [*EVIDENCE, receipt(expires=ends)], now=SATURDAY)
    policy = shop({"attestors.prod-clusters.keys": [key("prod-eu", validUntil=format_time(ends))]})
    by_key = judged(policy, [*EVIDENCE, receipt(expires=ends + HOUR)], now=SATURDAY)

    assert by_receipt.valid_until == by_key.valid_until == ends
    assert judged(SHOP, [*EVIDENCE, receipt()], now=SATURDAY).valid_until is None


def test_any_of_several_receipts_may_admit() -> None:
    bad = [
        receipt(entered=SATURDAY),
        receipt("stranger"),
        receipt(entered=NOW - 900 * DAY, expires=NOW),
        receipt(changes={"critical": 7}),
    ]

    for bundles, admits in ((bad, False), ([*bad, receipt()], True), ([receipt(), *bad], True)):
        decision = judged(SHOP, [*EVIDENCE, *bundles], now=SATURDAY)
        assert (decision.answer is Answer.ADMITTED) is admits


def test_each_pipeline_over_a_place_has_its_own_receipts() -> None:
    second = {
        "kind": "Pipeline",
        "metadata": {"name": "second"},
        "images": ["registry.example.com/**"],
        "stages": [
            {
                "name": "production",
                "clusters": ["prod-eu"],
                "namespaces": ["shop"],
                "signedBy": ["staging-cluster"],
                "windows": [{"deny": "Sat 00:00 - Sun 00:00", "timezone": "UTC"}],
            }
        ],
    }
    policy = shop({}, second)
    mine, other = receipt(), receipt("staging-cluster", changes={"pipeline": "second"})

    for bundles, admits in (([mine], False), ([other], False), ([mine, other], True)):
        decision = judged(policy, [*EVIDENCE, *bundles], now=SATURDAY)
        assert (decision.answer is Answer.ADMITTED) is admits


def test_receipts_are_looked_for_wherever_somebody_may_sign_them() -> None:
    assert STAGE_ENTERED in wanted(SHOP, IMAGE, PROD_EU)
    assert STAGE_ENTERED not in wanted(shop({"pipeline.stages.2.signedBy": DROP}), IMAGE, PROD_EU)


def test_a_first_stage_has_receipts_too() -> None:
    policy = shop(
        {
            "pipeline.stages.0.windows": [{"deny": "12:00 - 13:00", "timezone": "UTC"}],
            "pipeline.stages.1.windows": [{"deny": "12:00 - 13:00", "timezone": "UTC"}],
        }
    )
    here = {"stage": "staging", "environment.clusterName": "staging"}
    earlier = receipt("staging-cluster", entered=NOW - 2 * HOUR, changes=here)

    assert judged(policy, [signed_pass("test"), earlier], STAGING).answer is Answer.ADMITTED
    assert codes(judged(policy, [signed_pass("test")], STAGING)) == ["WINDOW_CLOSED"]
    first = {"stage": "test", "environment.clusterName": "test"}
    stays = receipt("test-cluster", entered=NOW - HOUR, changes=first)
    here_too = judged(policy, [signed_claim(PROVENANCE, "ci"), stays], Place("test", "shop"))
    assert here_too.answer is Answer.ADMITTED
