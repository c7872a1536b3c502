"""Policy cases: described evidence is judged as signed evidence is, and every mistake is named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from stagepass.clock import format_time
from stagepass.decision import Answer, Code, Decision
from stagepass.policy.cases import CasesError, PolicyCase, codes_of, read_cases
from stagepass.policy.model import PolicySet
from stagepass.policy.revocations import Revocations, Revoked
from tests.core.objects import containers, pod
from tests.policy_tools.full import full_set
from tests.world import (
    DAY,
    DROP,
    HOUR,
    IMAGE,
    NOW,
    OTHER_DIGEST,
    PROD_EU,
    PROVENANCE,
    VULNERABILITIES,
    changed,
    good_evidence,
    judged,
    policy_set,
    signed_pass,
)

BUILT = {"attestation": {"type": PROVENANCE, "by": "ci", "predicate": {}}}
TESTED = {"pass": {"stage": "test", "cluster": "test", "uid": "6f1c", "by": "test-cluster"}}
STAGED = {
    "pass": {
        "stage": "staging",
        "cluster": "staging",
        "by": "staging-cluster",
        "at": "2026-11-26T11:00:00Z",
        "observed": "24h",
    }
}
SCANNED = {
    "attestation": {
        "type": VULNERABILITIES,
        "by": "scanner",
        "predicate": {"critical": [], "scanned": "2026-11-26T00:00:00Z"},
    }
}
ALICE = {"approval": {"stage": "production", "by": "alice"}}
BOB = {"approval": {"stage": "production", "by": "bob"}}
BROKEN = {"breakGlass": {"stage": "production", "by": "carol", "reason": "it burns"}}
EVERYTHING = [BUILT, TESTED, STAGED, SCANNED, ALICE, BOB]
CASE = {
    "name": "production takes it",
    "now": format_time(NOW),
    "cluster": "prod-eu",
    "namespace": "shop",
    "image": str(IMAGE),
    "evidence": EVERYTHING,
    "expect": {"decision": "admitted"},
}


def read(*cases: dict[str, Any], policy: PolicySet | None = None) -> list[PolicyCase]:
    return read_cases(json.dumps({"cases": cases}), "cases.yaml", policy or full_set())


def judge(evidence: list[Any], policy: PolicySet | None = None, **changes: Any) -> Decision:
    """The full set's answer on a case with that evidence."""
    policy = policy or full_set()
    (case,) = read({**CASE, "evidence": evidence, **changes}, policy=policy)
    return case.judge(policy)


def errors(*cases: dict[str, Any]) -> list[tuple[str, str, str]]:
    with pytest.raises(CasesError) as caught:
        read(*cases)
    assert str(caught.value).splitlines() == [str(error) for error in caught.value.errors]
    return [(error.where, error.message, error.hint) for error in caught.value.errors]


def test_what_a_stage_asks_for_can_be_described() -> None:
    decision = judge(EVERYTHING)

    assert decision.answer is Answer.ADMITTED
    assert len(decision.met) == decision.required == 6


@pytest.mark.parametrize(
    ("left_out", "code"),
    [
        (BUILT, Code.REQUIREMENT_MISSING),
        (TESTED, Code.PASS_MISSING),
        (STAGED, Code.PASS_MISSING),
        (SCANNED, Code.REQUIREMENT_MISSING),
        (ALICE, Code.APPROVALS_MISSING),
        (BOB, Code.APPROVALS_MISSING),
    ],
)
def test_each_piece_of_evidence_counts(left_out: dict[str, Any], code: Code) -> None:
    decision = judge([each for each in EVERYTHING if each != left_out])

    assert codes_of(decision) == {code}


@pytest.mark.parametrize(
    ("piece", "path", "value", "code"),
    [
        (STAGED, "pass.observed", "23h", Code.SOAKING),
        (STAGED, "pass.observed", DROP, Code.SOAKING),
        (STAGED, "pass.at", "2026-10-26T12:00:00Z", Code.EXPIRED),
        (STAGED, "pass.at", "2026-11-26T12:06:00Z", Code.FUTURE),
        (STAGED, "pass.by", "test-cluster", Code.PASS_MISSING),
        (TESTED, "pass.cluster", "staging", Code.PASS_MISSING),
        (TESTED, "pass.uid", DROP, Code.PASS_MISSING),
        (SCANNED, "attestation.predicate.critical", ["CVE-1"], Code.CONDITION_FALSE),
        (SCANNED, "attestation.predicate", {}, Code.REQUIREMENT_MISSING),
        (SCANNED, "attestation.by", "ci", Code.REQUIREMENT_MISSING),
        (ALICE, "approval.by", "carol", Code.APPROVALS_MISSING),
        (ALICE, "approval.by", "bob", Code.APPROVALS_MISSING),
        (ALICE, "approval.clusters", ["prod-us"], Code.APPROVALS_MISSING),
        (ALICE, "approval.namespaces", ["shop-2"], Code.APPROVALS_MISSING),
        (ALICE, "approval.at", "2026-11-20T12:00:00Z", Code.EXPIRED),
        (ALICE, "approval.stage", "staging", Code.APPROVALS_MISSING),
    ],
)
def test_every_word_of_a_description_counts(
    piece: dict[str, Any], path: str, value: Any, code: Code
) -> None:
    described = [changed(each, {path: value}) if each == piece else each for each in EVERYTHING]

    assert code in codes_of(judge(described))


@pytest.mark.parametrize("left_out", range(5))
def test_the_answer_is_that_on_signed_evidence(left_out: int) -> None:
    """Described or signed, the same code decides, and says the same."""
    policy, described = policy_set(), [BUILT, SCANNED, TESTED, STAGED, {}]
    bundles = [*good_evidence()[:3], signed_pass("staging"), b""]
    some = [each for i, each in enumerate(described) if each and i != left_out]
    signed = [each for i, each in enumerate(bundles) if each and i != left_out]
    by_words, by_keys = judge(some, policy), judged(policy, signed, PROD_EU)

    assert (by_words.answer, by_words.violations) == (by_keys.answer, by_keys.violations)
    assert [m.requirement for m in by_words.met] == [m.requirement for m in by_keys.met]


def test_a_receipt_lets_stay_what_entered() -> None:
    """Saturday: the window is closed, and the pass of staging is too old by now."""
    saturday = {"now": "2027-01-02T12:00:00Z"}
    entered = {
        "entered": {
            "stage": "production",
            "cluster": "prod-eu",
            "by": "prod-clusters",
            "namespace": "shop",
            "at": format_time(NOW),
            "validFor": "60d",
        }
    }
    dated = [changed(TESTED, {"pass.at": format_time(NOW - DAY)}), BUILT, STAGED, SCANNED]
    dated += [changed(each, {"approval.at": format_time(NOW - DAY)}) for each in (ALICE, BOB)]

    assert Code.WINDOW_CLOSED in codes_of(judge(dated, **saturday))
    assert judge([*dated, entered], **saturday).answer is Answer.ADMITTED
    elsewhere = changed(entered, {"entered.cluster": "prod-us"})
    assert judge([*dated, elsewhere], **saturday).answer is Answer.DENIED


def test_an_emergency_is_told() -> None:
    decision = judge([BUILT, BROKEN])

    assert codes_of(decision) == {Code.BREAK_GLASS}
    assert "it burns" in decision.notices[0]
    assert judge([BUILT, changed(BROKEN, {"breakGlass.by": "alice"})]).answer is Answer.DENIED
    assert judge([BUILT, changed(BROKEN, {"breakGlass.validFor": "5h"})]).answer is Answer.DENIED


def test_there_may_be_no_evidence_at_all() -> None:
    without = {name: value for name, value in CASE.items() if name != "evidence"}
    (case,) = read(without)

    assert case.judge(full_set()) == judge([])


def test_evidence_about_one_image_says_nothing_of_another() -> None:
    """Without an image it is about every image of the case, so that an object is quickly described."""
    other = f"registry.example.com/shop/cart@{OTHER_DIGEST}"
    both = {"object": pod({"containers": containers(str(IMAGE), other)}), "image": None}
    about_one = [changed(each, {f"{next(iter(each))}.image": str(IMAGE)}) for each in EVERYTHING]
    case = {k: v for k, v in (CASE | both).items() if v is not None}
    (of_both,), (of_one,) = read(case), read({**case, "evidence": about_one})

    assert of_both.judge(full_set()).answer is Answer.ADMITTED
    decision = of_one.judge(full_set())
    assert {violation.image for violation in decision.violations} == {other}


def test_an_object_is_judged_in_its_own_namespace() -> None:
    spec = {"containers": containers(str(IMAGE))}
    case = {name: value for name, value in CASE.items() if name != "image"}
    manifest = pod(spec)
    elsewhere = changed(manifest, {"metadata.namespace": "elsewhere"})
    (here,), (there,) = read({**case, "object": manifest}), read({**case, "object": elsewhere})

    assert here.judge(full_set()).answer is Answer.ADMITTED
    assert codes_of(there.judge(full_set())) == {Code.UNLISTED}


def test_an_object_that_cannot_be_read_is_undetermined() -> None:
    case = {name: value for name, value in CASE.items() if name != "image"}
    (broken,) = read({**case, "object": pod({"containers": []})})
    decision = broken.judge(full_set())

    assert (decision.answer, codes_of(decision)) == (Answer.UNDETERMINED, {Code.OBJECT_INVALID})


def test_a_revoked_key_counts_for_nothing_here_as_well() -> None:
    policy = full_set()
    key_id = policy.attestors["ci"].keys[0].public.id
    listed = Revocations(1, NOW + DAY, deny_when_expired=True, keys={key_id: Revoked("stolen")})
    (case,) = read(CASE)

    assert Code.REVOKED in codes_of(case.judge(replace(policy, revocations=listed)))


class TestWhoSigns:
    def test_an_attestor_signs_with_its_key_for_the_cluster(self) -> None:
        policy, archive = archived()
        passes = [
            {"pass": {"stage": "production", "cluster": c, "by": "prod-clusters"}}
            for c in ("prod-eu", "prod-us")
        ]
        evidence = [TESTED, STAGED, *passes]

        assert judge(evidence, policy, **archive).answer is Answer.ADMITTED
        stolen = changed(passes[1], {"pass.by": "prod-eu"})
        decision = judge([*evidence[:3], stolen], policy, **archive)
        assert codes_of(decision) == {Code.PASS_MISSING, Code.SIGNER_UNKNOWN}

    def test_a_key_that_is_over_is_used_only_where_there_is_no_other(self) -> None:
        old = {"file": "keys/ci.pub", "owner": "ci", "validUntil": "2026-01-01T00:00:00Z"}
        new = {"file": "keys/stranger.pub", "owner": "ci"}

        assert judge(EVERYTHING, full_set({"attestors.ci.keys": [old, new]})).answer is (
            Answer.ADMITTED
        )
        alone = full_set({"attestors.ci.keys": [old]})
        assert Code.REQUIREMENT_MISSING in codes_of(judge(EVERYTHING, alone))

    def test_of_several_owners_one_is_named(self) -> None:
        several = changed(ALICE, {"approval.by": "managers"})

        assert errors({**CASE, "evidence": [several]}) == [
            (
                "cases.yaml: cases[0].evidence[0].approval.by",
                "'managers' has the keys of alice, bob",
                "name the owner",
            )
        ]


def archived() -> tuple[PolicySet, dict[str, Any]]:
    """A stage after production, and what a case about it says."""
    stage = {"name": "archive", "clusters": ["a"], "namespaces": ["a"], "after": ["production"]}
    policy = full_set({"pipeline.stages.3": stage})
    return policy, {"cluster": "a", "namespace": "a"}


class TestExpectations:
    @pytest.mark.parametrize(
        ("expect", "unlike"),
        [
            ({"decision": "admitted"}, []),
            ({"decision": "admitted", "codes": [], "allowed": True}, []),
            ({"decision": "denied"}, ["decision: wanted denied, got admitted"]),
            (
                {"decision": "admitted", "codes": ["EXEMPT"]},
                ["codes: wanted [EXEMPT], got []"],
            ),
            (
                {"decision": "admitted", "allowed": False},
                ["allowed: wanted false, got true"],
            ),
        ],
    )
    def test_of_an_admission(self, expect: dict[str, Any], unlike: list[str]) -> None:
        (case,) = read({**CASE, "expect": expect})

        assert case.expected.unlike(case.judge(full_set())) == unlike

    @pytest.mark.parametrize(
        ("wanted", "unlike"),
        [
            (["REQUIREMENT_MISSING", "APPROVALS_MISSING"], []),
            (
                ["REQUIREMENT_MISSING"],
                [
                    "codes: wanted [REQUIREMENT_MISSING], got [APPROVALS_MISSING, REQUIREMENT_MISSING]"
                ],
            ),
            (
                [],
                ["codes: wanted [], got [APPROVALS_MISSING, REQUIREMENT_MISSING]"],
            ),
        ],
    )
    def test_codes_are_all_of_them(self, wanted: list[str], unlike: list[str]) -> None:
        """A denial for one more reason than expected is another answer."""
        expect = {"decision": "denied", "codes": wanted, "allowed": False}
        (case,) = read({**CASE, "evidence": [BUILT, TESTED, STAGED, ALICE], "expect": expect})

        assert case.expected.unlike(case.judge(full_set())) == unlike

    def test_what_is_denied_may_be_allowed(self) -> None:
        policy = full_set({"pipeline.stages.2.enforcement": "warn"})
        expect = {"decision": "denied", "allowed": True}
        (case,) = read({**CASE, "evidence": [BUILT], "expect": expect}, policy=policy)

        assert case.expected.unlike(case.judge(policy)) == []


class TestMistakes:
    @pytest.mark.parametrize(
        ("path", "value", "where", "message"),
        [
            ("name", DROP, "", "the key 'name' is missing"),
            ("nmae", "x", ".nmae", "unknown key"),
            ("now", "monday", ".now", "'monday' is not an RFC 3339 time in UTC"),
            ("image", "UPPER", ".image", "'UPPER': 'UPPER' is not a repository name"),
            ("image", DROP, "", "exactly one of image and object is wanted"),
            ("object", {"kind": "Pod"}, "", "exactly one of image and object is wanted"),
            ("expect", DROP, "", "the key 'expect' is missing"),
            ("expect.decision", "admited", ".expect.decision", "'admited' is none of"),
            ("expect.codes", ["SOAK"], ".expect.codes[0]", "'SOAK' is none of"),
            ("evidence.0", {"passed": {}}, ".evidence[0]", "wants exactly one of pass, entered"),
            ("evidence.1.pass.by", "tst", ".evidence[1].pass.by", "no attestor and no owner"),
            ("evidence.1.pass.stage", "tst", ".evidence[1].pass.stage", "no stage is called 'tst'"),
            ("evidence.1.pass.cluster", "tst", ".evidence[1].pass.cluster", "no stage names 'tst'"),
            ("evidence.1.pass.pipeline", "x", ".evidence[1].pass.pipeline", "no pipeline is"),
            (
                "evidence.1.pass.observed",
                "1 day",
                ".evidence[1].pass.observed",
                "is not a duration",
            ),
            (
                "evidence.0.attestation.predicate",
                [],
                ".evidence[0].attestation.predicate",
                "a mapping is wanted",
            ),
        ],
    )
    def test_each_is_named_with_its_place(
        self, path: str, value: Any, where: str, message: str
    ) -> None:
        (found,) = errors(changed(CASE, {path: value}))

        assert found[0] == f"cases.yaml: cases[0]{where}"
        assert message in found[1]

    def test_a_number_that_json_cannot_hold(self) -> None:
        text = json.dumps({"cases": [CASE]}).replace('"critical": []', '"n": -9999999999999999999')
        with pytest.raises(CasesError, match="predicate: cannot be written as JSON"):
            read_cases(text, "cases.yaml", full_set())

    def test_all_of_them_at_once(self) -> None:
        """First those of shape, then those of names; of every case."""
        first = changed(
            CASE, {"evidence.1.pass.stage": "tst", "evidence.2.pass.by": "stagin-cluster"}
        )
        found = errors(first, {**first, "name": "another"})

        assert [hint for _, _, hint in found] == [
            "did you mean 'test'?",
            "did you mean 'staging-cluster'?",
        ] * 2

    def test_two_pipelines_with_the_stage(self) -> None:
        """`pipeline` then says which."""
        second = {
            "apiVersion": "stagepass.dev/v1",
            "kind": "Pipeline",
            "metadata": {"name": "cart"},
            "images": ["registry.example.com/cart/**"],
            "stages": [{"name": "test", "clusters": ["test"], "namespaces": ["cart"]}],
        }
        policy = full_set({}, second)
        with pytest.raises(CasesError, match="cart, shop have a stage 'test'"):
            read(CASE, policy=policy)
        named = changed(CASE, {"evidence.1.pass.pipeline": "shop"})

        (case,) = read(named, policy=policy)
        assert case.judge(policy).answer is Answer.ADMITTED

    def test_two_cases_of_one_name(self) -> None:
        assert errors(CASE, CASE) == [
            ("cases.yaml", "two cases are called 'production takes it'", "")
        ]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "no cases"),
            ("cases: []", "the list is empty"),
            ("cases: [a, a", "not YAML"),
            ("- a", "is not a mapping"),
            ("case: []", "the key 'cases' is missing"),
        ],
    )
    def test_a_file_without_cases(self, text: str, message: str) -> None:
        with pytest.raises(CasesError, match=message):
            read_cases(text, "cases.yaml", full_set())

    def test_an_object_that_is_none(self) -> None:
        case = {name: value for name, value in CASE.items() if name != "image"}
        (found,) = errors({**case, "object": {"kind": "Pod"}})

        assert found[:2] == (
            "cases.yaml: cases[0].object",
            "not a Kubernetes object: apiVersion or kind is missing",
        )


def test_a_pass_holds_for_30_days_unless_said_otherwise() -> None:
    old = changed(STAGED, {"pass.at": format_time(NOW - 30 * DAY + HOUR)})
    longer = changed(old, {"pass.validFor": "90d"})
    evidence = [each for each in EVERYTHING if each != STAGED]
    later = {"now": format_time(NOW + HOUR)}

    assert judge([*evidence, old]).answer is Answer.ADMITTED
    assert codes_of(judge([*evidence, old], **later)) == {Code.EXPIRED}
    assert codes_of(judge([*evidence, longer], **later)) == {Code.STALE}
