"""Which passes count: predicates.md, stage-passed/v1, row by row, and DESIGN's no-jump law."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from stagepass.decision import Answer
from stagepass.stage import Place
from tests.world import (
    DAY,
    DIGEST,
    DROP,
    HOUR,
    NOW,
    OTHER_DIGEST,
    PROD_EU,
    PROD_US,
    SECOND,
    STAGING,
    VULNERABILITIES,
    codes,
    good_evidence,
    judged,
    policy_set,
    signed_claim,
    signed_pass,
)

POLICY = policy_set()


def staging(bundle: bytes) -> tuple[Answer, list[str]]:
    """Whether one pass of test opens staging, and why not."""
    decision = judged(POLICY, [bundle], STAGING)
    return decision.answer, codes(decision)


def production(test: bytes | None, staging_pass: bytes | None) -> list[str]:
    """What production misses with these passes beside a good scan."""
    bundles = [b for b in (test, staging_pass) if b is not None]
    return codes(judged(POLICY, [signed_claim(VULNERABILITIES, "scanner"), *bundles]))


def test_a_pass_of_the_stage_before_opens_the_next() -> None:
    assert staging(signed_pass("test")) == (Answer.ADMITTED, [])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"pipeline": "other"}, None),
        ({"pipeline": "Shop"}, None),
        ({"pipeline": DROP}, "STATEMENT_INVALID"),
        ({"stage": "staging"}, None),
        ({"stage": "test "}, None),
        ({"stage": DROP}, "STATEMENT_INVALID"),
        ({"environment.clusterName": "staging"}, None),
        ({"environment.clusterName": DROP}, "STATEMENT_INVALID"),
        ({"verificationResult": "FAILED"}, None),
        ({"verificationResult": "passed"}, None),
        ({"verificationResult": DROP}, "STATEMENT_INVALID"),
        ({"timeVerified": "2026-11-26"}, "STATEMENT_INVALID"),
        ({"expires": DROP}, "STATEMENT_INVALID"),
        ({"critical": ["unheard"]}, "STATEMENT_INVALID"),
        ({"^.predicateType": "https://stagepass.dev/attestation/stage-passed/v1/"}, None),
        ({"^.predicateType": "https://stagepass.dev/attestation/stage-passed/v2"}, None),
        ({"^.predicateType": "https://stagepass.dev/attestation/stage-entered/v1"}, None),
        ({"^.predicateType": "https://stagepass.dev/attestation/Stage-Passed/v1"}, None),
        ({"^._type": "https://in-toto.io/Statement/v2"}, "STATEMENT_INVALID"),
        ({"^.subject": []}, "STATEMENT_INVALID"),
        ({"^.subject.0.digest.sha256": OTHER_DIGEST.hex}, "SUBJECT_MISMATCH"),
    ],
)
def test_a_checked_field_that_is_wrong_makes_the_pass_not_count(
    changes: dict[str, Any], code: str | None
) -> None:
    expected = ["PASS_MISSING", code] if code else ["PASS_MISSING"]

    assert staging(signed_pass("test", changes=changes)) == (Answer.DENIED, expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"^._type": "https://in-toto.io/Statement/v0.1"},
        {"^.subject.0.name": "elsewhere.example.com/copy"},
        {"^.subject.1": {"digest": {"sha256": OTHER_DIGEST.hex}}},
        {"environment.namespace": "another"},
        {"resourceUri": "oci://elsewhere.example.com/copy"},
        {"verifier": DROP},
        {"unknown": {"member": 1}},
        {"critical": DROP},
        {"observed": DROP},
    ],
)
def test_what_is_only_recorded_never_keeps_a_pass_from_counting(changes: dict[str, Any]) -> None:
    assert staging(signed_pass("test", changes=changes)) == (Answer.ADMITTED, [])


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (NOW, None),
        (NOW + 5 * timedelta(minutes=1), None),
        (NOW + 5 * timedelta(minutes=1) + SECOND, "FUTURE"),
        (NOW + DAY, "FUTURE"),
    ],
)
def test_a_signers_clock_may_be_five_minutes_ahead_and_no_more(at: Any, code: str | None) -> None:
    expected = (Answer.DENIED, [code]) if code else (Answer.ADMITTED, [])

    assert staging(signed_pass("test", at=at)) == expected


@pytest.mark.parametrize(
    ("expires", "code"),
    [(NOW + SECOND, None), (NOW, "EXPIRED"), (NOW - SECOND, "EXPIRED")],
)
def test_a_pass_has_expired_at_the_second_it_names(expires: Any, code: str | None) -> None:
    bundle = signed_pass("test", at=NOW - HOUR, valid_for=expires - (NOW - HOUR))
    decision = judged(POLICY, [bundle], STAGING)

    assert codes(decision) == ([code] if code else [])
    assert decision.valid_until == (None if code else expires)


@pytest.mark.parametrize(
    ("age", "code"),
    [(30 * DAY - SECOND, None), (30 * DAY, "STALE"), (31 * DAY, "STALE")],
)
def test_a_pass_is_stale_when_it_is_as_old_as_max_age(age: timedelta, code: str | None) -> None:
    at = NOW - age
    bundle = signed_pass("staging", at=at, valid_for=90 * DAY)

    assert production(signed_pass("test", valid_for=90 * DAY), bundle) == ([code] if code else [])


@pytest.mark.parametrize(
    ("watched", "code"),
    [
        (DAY, None),
        (DAY + SECOND, None),
        (DAY - SECOND, "SOAKING"),
        (timedelta(), "SOAKING"),
        (None, "SOAKING"),
    ],
)
def test_a_pass_soaked_when_it_was_watched_for_the_whole_span(
    watched: timedelta | None, code: str | None
) -> None:
    bundles = [*good_evidence()[:3], signed_pass("staging", watched=watched)]
    decision = judged(POLICY, bundles)

    assert codes(decision) == ([code] if code else [])
    assert all(v.fix.endswith("--observed-to TIME") for v in decision.violations)


@pytest.mark.parametrize(
    "observed",
    [
        {"from": "2026-11-24T00:00:00Z", "to": "2026-11-26T11:00:01Z"},
        {"from": "2026-11-26T11:00:00Z", "to": "2026-11-24T11:00:00Z"},
        {"from": "2026-11-25T11:00:01Z", "to": "2026-11-26T11:00:00Z", "soakSeconds": 999999},
    ],
)
def test_a_watch_that_ends_after_the_signature_or_runs_backwards_is_no_soak(
    observed: dict[str, Any],
) -> None:
    bundle = signed_pass("staging", changes={"observed": observed})

    assert production(signed_pass("test"), bundle) == ["SOAKING"]


def test_soak_and_max_age_bind_the_edge_of_the_asking_stage_alone() -> None:
    """Production asks staging to soak; the pass of test, two levels up, was watched for no time."""
    old = signed_pass("test", at=NOW - 89 * DAY, valid_for=90 * DAY, watched=None)

    assert production(old, signed_pass("staging")) == []


def test_every_ancestor_must_have_passed_not_only_the_nearest() -> None:
    """No jump: a stolen staging key opens nothing by itself."""
    decision = judged(POLICY, [signed_claim(VULNERABILITIES, "scanner"), signed_pass("staging")])

    assert decision.answer is Answer.DENIED
    assert [v.requirement for v in decision.violations] == ["passed test@test"]
    assert production(signed_pass("test"), None) == ["PASS_MISSING"]


@pytest.mark.parametrize("by", ["ci", "staging-cluster", "prod-eu", "scanner"])
def test_a_pass_counts_only_by_the_signers_of_its_own_stage(by: str) -> None:
    answer = staging(signed_pass("test", by=by))

    assert answer == (Answer.DENIED, ["PASS_MISSING", "SIGNER_UNKNOWN"])


def test_a_pass_by_a_key_of_nobody_has_an_unknown_signer() -> None:
    answer = staging(signed_pass("test", by="stranger"))

    assert answer == (Answer.DENIED, ["PASS_MISSING", "SIGNER_UNKNOWN"])


AFTER_PRODUCTION = policy_set(
    {
        "pipeline.stages.3": {
            "name": "archive",
            "clusters": ["archive"],
            "namespaces": ["shop"],
            "after": ["production"],
        }
    }
)
ARCHIVE = Place("archive", "shop")


@pytest.mark.parametrize(
    ("passes", "missing"),
    [
        ([("prod-eu", "prod-eu"), ("prod-us", "prod-us")], []),
        ([("prod-eu", "prod-eu")], ["passed production@prod-us"]),
        ([], ["passed production@prod-eu", "passed production@prod-us"]),
        ([("prod-eu", "prod-eu"), ("prod-us", "prod-eu")], ["passed production@prod-us"]),
        ([("prod-eu", "prod-us"), ("prod-us", "prod-us")], ["passed production@prod-eu"]),
        ([("staging", "prod-eu"), ("prod-us", "prod-us")], ["passed production@prod-eu"]),
    ],
)
def test_every_cluster_of_an_ancestor_must_have_passed_by_a_key_that_counts_there(
    passes: list[tuple[str, str]], missing: list[str]
) -> None:
    bundles = [signed_pass("production", cluster, by) for cluster, by in passes]
    decision = judged(AFTER_PRODUCTION, [*good_evidence(), *bundles], ARCHIVE)

    assert sorted({v.requirement for v in decision.violations}) == missing


@pytest.mark.parametrize(
    ("window", "counts"),
    [
        ({"validFrom": "2026-11-26T12:00:00Z"}, True),
        ({"validFrom": "2026-11-26T12:00:01Z"}, False),
        ({"validUntil": "2026-11-26T12:00:01Z"}, True),
        ({"validUntil": "2026-11-26T12:00:00Z"}, False),
        ({"validFrom": "2026-11-01T00:00:00Z", "validUntil": "2026-12-01T00:00:00Z"}, True),
    ],
)
def test_a_key_counts_from_the_first_second_of_its_window_up_to_the_last(
    window: dict[str, str], counts: bool
) -> None:
    key = {"file": "keys/test-cluster.pub", "owner": "test-cluster", **window}
    decision = judged(
        policy_set({"attestors.test-cluster.keys": [key]}), [signed_pass("test")], STAGING
    )

    assert codes(decision) == ([] if counts else ["PASS_MISSING", "SIGNER_UNKNOWN"])


def test_rotation_is_an_overlap_any_key_of_an_attestor_signs() -> None:
    keys = [
        {"file": "keys/test-cluster.pub", "owner": "test-cluster"},
        {"file": "keys/stranger.pub", "owner": "test-cluster"},
    ]
    policy = policy_set({"attestors.test-cluster.keys": keys})

    for by in ("test-cluster", "stranger"):
        assert judged(policy, [signed_pass("test", by=by)], STAGING).answer is Answer.ADMITTED


def test_the_earliest_edge_of_all_that_was_met_bounds_the_decision() -> None:
    bundles = [
        signed_claim(VULNERABILITIES, "scanner"),
        signed_pass("test", valid_for=60 * DAY),
        signed_pass("staging", at=NOW - DAY, valid_for=60 * DAY),
    ]

    assert judged(POLICY, bundles).valid_until == NOW + 29 * DAY
    late = judged(POLICY, bundles, now=NOW + 20 * DAY)
    assert late.valid_until == NOW + 29 * DAY


def test_passes_of_one_production_cluster_say_nothing_about_the_entry_of_another() -> None:
    for place in (PROD_EU, PROD_US):
        assert judged(POLICY, good_evidence(), place).answer is Answer.ADMITTED


def test_what_is_met_names_the_statement_its_signer_and_its_own_time() -> None:
    bundle = signed_pass("test")
    decision = judged(POLICY, [bundle], STAGING)
    (met,) = decision.met

    assert (met.pipeline, met.stage, met.requirement) == ("shop", "staging", "passed test@test")
    assert (met.signer, met.time) == ("test-cluster", NOW - HOUR)
    assert met.payload_digest.startswith("sha256:")
    assert DIGEST.hex not in met.payload_digest
