from __future__ import annotations

import re
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from stagepass.policy.lint import lint
from stagepass.policy.lint_finding import Finding
from stagepass.policy.revocations import Revocations
from tests.policy.signed import revocation_list, revoked
from tests.policy_tools.full import full_set
from tests.repository.sources import ROOT
from tests.world import DAY, DROP, NOW, SECOND, policy_set

FREE = {"file": "keys/prod-eu.pub", "owner": "prod-eu"}
BOTH = {**FREE, "clusters": ["prod-eu", "prod-us"]}
SHARED = "pipeline.stages.0.allowShared"
REQUIRES = "pipeline.stages.2.requires"
STAGING_KEY = "attestors.staging-cluster.keys"


def findings(changes: dict[str, Any], now: datetime = NOW) -> list[tuple[str, str]]:
    return [(finding.rule, finding.where) for finding in lint(policy_set(changes), now=now)]


def of_full(changes: dict[str, Any], now: datetime = NOW) -> list[tuple[str, str]]:
    return [(finding.rule, finding.where) for finding in lint(full_set(changes), now=now)]


def test_the_examples_are_clean() -> None:
    assert lint(policy_set(), now=NOW) == []
    assert lint(full_set(), now=NOW) == []


class TestKeyNotBound:
    @pytest.mark.parametrize("key", [FREE, BOTH])
    def test_a_key_of_a_stage_with_several_clusters_is_bound_to_one(
        self, key: dict[str, Any]
    ) -> None:
        (finding,) = lint(policy_set({"attestors.prod-clusters.keys.0": key}), now=NOW)

        assert finding == Finding(
            "shop: production",
            "key-not-bound",
            "the key of 'prod-eu' in 'prod-clusters' counts for several of the stage's clusters;"
            " bind it with clusters: [ONE]",
        )

    @pytest.mark.parametrize(
        "changes",
        [
            {"attestors.prod-clusters.keys.0": {**FREE, "clusters": ["prod-eu", "elsewhere"]}},
            {"attestors.prod-clusters.keys.0": FREE, "pipeline.stages.2.clusters": ["prod-eu"]},
        ],
    )
    def test_a_key_that_counts_in_one_cluster_of_the_stage_is_bound(
        self, changes: dict[str, Any]
    ) -> None:
        assert findings(changes) == []


class TestSeparationOfDuties:
    def test_no_owner_signs_for_two_stages_of_a_pipeline(self) -> None:
        """One stolen key must never open more than its own step."""
        shared = {"pipeline.stages.1.signedBy": ["staging-cluster", "test-cluster"]}

        assert findings(shared) == [("separation-of-duties", "shop: test, staging")]
        (finding,) = lint(policy_set(shared), now=NOW)
        assert finding.message.startswith("test-cluster may sign passes of both stages;")

    def test_the_same_person_under_two_keys_is_one_owner(self) -> None:
        changes = {"attestors.staging-cluster.keys.0.owner": "test-cluster"}

        assert findings(changes) == [("separation-of-duties", "shop: test, staging")]

    def test_one_key_behind_two_names_is_named_as_such(self) -> None:
        key = {"file": "keys/test-cluster.pub", "owner": "test-cluster"}
        (finding,) = lint(policy_set({"attestors.staging-cluster.keys.1": key}), now=NOW)

        assert (finding.rule, finding.where) == ("separation-of-duties", "shop: test, staging")
        assert finding.message.startswith(
            "test-cluster may sign passes of both stages,"
            " with one key that stands in 'test-cluster' and in 'staging-cluster';"
        )

    @pytest.mark.parametrize("stage", [0, 1])
    def test_a_stated_reason_silences_it(self, stage: int) -> None:
        changes = {
            "attestors.staging-cluster.keys.0.owner": "test-cluster",
            f"pipeline.stages.{stage}.allowShared": "one person runs both until May",
        }

        assert findings(changes) == []

    def test_who_approves_does_not_break_the_glass(self) -> None:
        """One person would be approval and emergency in one."""
        both = {"pipeline.stages.2.breakGlass.from": ["commanders", "managers"]}
        (finding,) = lint(full_set(both), now=NOW)

        assert (finding.rule, finding.where) == ("separation-of-duties", "shop: production")
        assert finding.message.startswith(
            "alice, bob may approve for 'production' and break the glass of 'production';"
        )
        assert of_full({**both, "pipeline.stages.2.allowShared": "a company of two"}) == []

    def test_nor_of_another_stage_of_the_pipeline(self) -> None:
        changes = {
            "pipeline.stages.1.breakGlass": {"from": ["managers"], "maxDuration": "1h"},
        }

        assert of_full(changes) == [("separation-of-duties", "shop: production, staging")]
        assert of_full({**changes, "pipeline.stages.1.allowShared": "until May"}) == []


class TestFinalStageAsksNothing:
    def test_the_last_stage_asks_for_something_of_its_own(self) -> None:
        changes = {REQUIRES: DROP, "pipeline.stages.0.signedBy": ["test-cluster", "scanner"]}
        (finding,) = lint(policy_set(changes), now=NOW)

        assert (finding.rule, finding.where) == ("final-stage-asks-nothing", "shop: production")
        assert "nothing but the passes of the stages before" in finding.message

    def test_what_a_signer_of_the_passes_says_is_nothing_of_its_own(self) -> None:
        """Whoever has stolen that key has the requirement as well."""
        changes = {f"{REQUIRES}.0.attestation.from": ["scanner", "test-cluster"]}

        assert findings(changes) == [("final-stage-asks-nothing", "shop: production")]

    def test_approvals_that_the_signers_of_the_passes_cannot_give_alone_are(self) -> None:
        approval = {"from": ["test-cluster", "scanner"], "threshold": 2}

        assert findings({f"{REQUIRES}.0": {"approval": approval}}) == []
        assert findings({f"{REQUIRES}.0": {"approval": {**approval, "threshold": 1}}}) == [
            ("final-stage-asks-nothing", "shop: production")
        ]

    def test_a_pipeline_of_one_stage_that_asks_for_nothing_admits_every_image(self) -> None:
        changes = {"pipeline.stages": [{"name": "run", "clusters": ["a"], "namespaces": ["b"]}]}
        (finding,) = [
            f for f in lint(policy_set(changes), now=NOW) if f.rule == "final-stage-asks-nothing"
        ]

        assert "asks for nothing but an image that matches" in finding.message

    @pytest.mark.parametrize(
        ("floor", "expected"),
        [
            ({}, []),
            ({"images": ["**"], "clusters": DROP}, []),
            ({"namespaces": ["shop", "shop-*"], "clusters": ["prod-eu", "prod-us"]}, []),
            ({"namespaces": ["shop", "shop-*", "more"]}, []),
            ({"namespaces": ["shop"]}, ["final-stage-asks-nothing"]),
            ({"clusters": ["prod-eu"]}, ["final-stage-asks-nothing"]),
            ({"images": ["registry.example.com/shop/cart"]}, ["final-stage-asks-nothing"]),
        ],
    )
    def test_a_floor_under_all_of_the_stage_counts(
        self, floor: dict[str, Any], expected: list[str]
    ) -> None:
        changes = {
            "pipeline.stages.2.requires": DROP,
            "pipeline.stages.2.manifests": "warn",
            "baseline.images": ["registry.example.com/shop/**"],
            "defaults.exempt": DROP,
            **{f"baseline.{name}": value for name, value in floor.items()},
        }
        rules_found = [rule for rule, _ in of_full(changes) if rule != "unused-attestor"]

        assert rules_found == expected


class TestUnreachableStage:
    def test_a_cluster_whose_passes_nobody_can_sign(self) -> None:
        archive = {"name": "archive", "clusters": ["a"], "namespaces": ["a"], "after": ["test"]}
        need = {"attestation": {"name": "x", "from": ["scanner"], "predicateType": "x"}}
        last = {**archive, "after": ["production"], "requires": [need]}
        changes = {"pipeline.stages.3": last, "attestors.prod-clusters.keys.1.clusters": ["prod-2"]}
        (finding,) = lint(policy_set(changes), now=NOW)

        assert (finding.rule, finding.where) == ("unreachable-stage", "shop: archive")
        assert finding.message == (
            "nobody can sign that 'production' was passed in prod-us; add a valid key to"
            " prod-clusters"
        )
        any_cluster = [{"stage": "production", "clusters": "any"}]
        assert findings({**changes, "pipeline.stages.3.after": any_cluster}) == []

    def test_a_stage_after_one_whose_signers_have_only_expired_keys(self) -> None:
        changes = {"attestors.test-cluster.keys.0.validUntil": "2026-11-26T12:00:00Z"}

        assert of_full(changes, NOW) == [
            ("expired-key", "attestor test-cluster"),
            ("unreachable-stage", "shop: staging"),
        ]
        assert ("unreachable-stage", "shop: staging") not in of_full(changes, NOW - SECOND)

    def test_a_key_that_is_not_valid_yet_will_be(self) -> None:
        assert of_full({"attestors.test-cluster.keys.0.validFrom": "2027-01-01T00:00:00Z"}) == []

    def test_only_the_first_of_several_stages_is_reported(self) -> None:
        changes = {"attestors.test-cluster.keys.0.validUntil": "2026-01-01T00:00:00Z"}

        assert ("unreachable-stage", "shop: production") not in of_full(changes)

    def test_a_requirement_that_nobody_can_sign(self) -> None:
        changes = {"attestors.scanner.keys.0.validUntil": "2026-01-01T00:00:00Z"}
        found = {f.rule: f for f in lint(full_set(changes), now=NOW)}

        assert found["unreachable-stage"].message == (
            "nobody can sign the attestation 'vulnerabilities'; add a valid key to scanner"
        )

    @pytest.mark.parametrize(
        ("change", "able"),
        [
            ({"threshold": 3}, 2),
            ({"notBy": ["managers"]}, 0),
        ],
    )
    def test_more_approvals_than_there_are_owners(self, change: dict[str, Any], able: int) -> None:
        changes = {f"{REQUIRES}.1.approval.{name}": value for name, value in change.items()}
        (finding,) = lint(full_set(changes), now=NOW)

        assert (finding.rule, finding.where) == ("unreachable-stage", "shop: production")
        assert f"are wanted, and {able} owners can give one" in finding.message

    def test_glass_that_too_few_can_break(self) -> None:
        changes = {"pipeline.stages.2.breakGlass.threshold": 2}

        assert of_full(changes) == [("break-glass-out-of-reach", "shop: production")]


class TestUnusedAttestor:
    def test_something_names_every_attestor(self) -> None:
        idle = {"keys": [{"file": "keys/stranger.pub", "owner": "stranger"}]}

        assert findings({"attestors.idle": idle}) == [("unused-attestor", "attestor idle")]

    @pytest.mark.parametrize(
        "change",
        [
            {"pipeline.stages.2.requires.1.approval.notBy": ["idle"]},
            {"pipeline.stages.2.requires.1.approval.from": ["managers", "idle"]},
            {"pipeline.stages.2.breakGlass.from": ["commanders", "idle"]},
            {"pipeline.stages.2.requires.0.attestation.from": ["scanner", "idle"]},
            {"pipeline.stages.2.signedBy": ["prod-clusters", "idle"]},
            {"baseline.requires.0.attestation.from": ["ci", "idle"]},
        ],
    )
    def test_wherever_that_is(self, change: dict[str, Any]) -> None:
        key = {"file": "keys/stranger.pub", "owner": "stranger", "clusters": ["prod-eu"]}
        idle = {"attestors.idle": {"keys": [key]}}

        assert of_full(idle) == [("unused-attestor", "attestor idle")]
        assert of_full({**idle, **change}) == []


class TestEnds:
    END = datetime(2027, 1, 1, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("now", "rule"),
        [
            (END - 14 * DAY - SECOND, None),
            (END - 14 * DAY, "expiring-key"),
            (END - SECOND, "expiring-key"),
            (END, "expired-key"),
        ],
    )
    def test_a_key_is_reported_14_days_before_its_end(
        self, now: datetime, rule: str | None
    ) -> None:
        found = [(r, where) for r, where in findings({}, now=now) if r != "unreachable-stage"]

        assert found == ([(rule, "attestor staging-cluster")] if rule else [])

    @pytest.mark.parametrize(
        ("successor", "reported"),
        [
            ({}, 0),
            ({"validFrom": "2027-01-04T00:00:00Z"}, 0),
            ({"validFrom": "2027-01-05T00:00:00Z"}, 1),
            ({"validUntil": "2027-01-05T00:00:00Z"}, 0),
            ({"validUntil": "2027-01-04T00:00:00Z"}, 2),
            ({"owner": "somebody else"}, 1),
            ({"clusters": ["staging"]}, 1),
        ],
    )
    def test_unless_another_key_of_its_owner_takes_over(
        self, successor: dict[str, Any], reported: int
    ) -> None:
        """By the end of those 14 days, and for longer than them."""
        key = {"file": "keys/stranger.pub", "owner": "staging-cluster", **successor}
        now = datetime(2026, 12, 21, 0, 0, 0, tzinfo=UTC)
        found = findings({f"{STAGING_KEY}.1": key}, now=now)

        assert found == [("expiring-key", "attestor staging-cluster")] * reported

    def test_a_successor_speaks_for_all_clusters_of_the_key(self) -> None:
        bound = {"clusters": ["staging"], "owner": "staging-cluster"}
        old = {**bound, "file": "keys/staging-cluster.pub", "validUntil": "2027-01-01T00:00:00Z"}
        new = {**bound, "file": "keys/stranger.pub"}
        now = self.END - DAY

        assert findings({STAGING_KEY: [old, new]}, now=now) == []
        elsewhere = {**new, "clusters": ["elsewhere"]}
        assert findings({STAGING_KEY: [old, elsewhere]}, now=now) == [
            ("expiring-key", "attestor staging-cluster")
        ]

    def test_an_exemption_is_reported_once_it_is_over(self) -> None:
        later = {"attestors.staging-cluster.keys.0.validUntil": "2029-01-01T00:00:00Z"}

        assert of_full(later, self.END - SECOND) == []
        assert of_full(later, self.END) == [("expired-exemption", "exempt")]


class TestRevocations:
    LIST = Revocations(1, NOW + DAY, deny_when_expired=True)

    def found(self, listed: Revocations, now: datetime = NOW) -> list[Finding]:
        return lint(replace(policy_set(), revocations=listed), now=now)

    @pytest.mark.parametrize(
        ("denies", "effect"), [(True, "every image is denied"), (False, "every answer warns of it")]
    )
    def test_a_list_that_is_over_is_reported_with_what_follows(
        self, denies: bool, effect: str
    ) -> None:
        listed = replace(self.LIST, deny_when_expired=denies)
        (finding,) = self.found(listed, NOW + DAY)

        assert (finding.rule, finding.where) == ("expired-revocation-list", "revocations")
        assert effect in finding.message
        assert self.found(listed, NOW + DAY - SECOND) == []

    def test_a_revoked_key_signs_no_pass(self) -> None:
        key_id = policy_set().attestors["test-cluster"].keys[0].public.id
        (finding,) = self.found(replace(self.LIST, keys={key_id: "stolen"}))

        assert (finding.rule, finding.where) == ("unreachable-stage", "shop: staging")

    def test_beside_a_list_only_who_may_sign_it_is_used(self) -> None:
        idle = {"keys": [{"file": "keys/stranger.pub", "owner": "stranger"}]}
        policy = replace(policy_set({"attestors.idle": idle}), revocations=self.LIST)
        used = replace(policy, revocations=replace(self.LIST, signers=("idle",)))

        assert [f.where for f in lint(policy, now=NOW)] == ["attestor idle"]
        assert lint(used, now=NOW) == []

    def test_a_set_that_loads_says_who_may_sign_its_list(self) -> None:
        assert [f.rule for f in lint(revoked(revocation_list()), now=NOW)] == []


def test_every_rule_is_listed_with_its_meaning() -> None:
    """The names are an interface: what is listed is what the rules give, and no other."""
    sources = "".join(
        path.read_text() for path in (ROOT / "stagepass" / "policy").glob("lint_*.py")
    )
    listed = re.findall(
        r"^    ([a-z-]+)  ", str(sys.modules["stagepass.policy.lint"].__doc__), re.M
    )

    assert set(listed) == set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', sources))


def test_findings_of_all_pipelines_come_sorted() -> None:
    changes = {
        "attestors.prod-clusters.keys.0": FREE,
        "attestors.prod-clusters.keys.1.clusters": DROP,
        "pipeline.stages.0.signedBy": ["test-cluster", "staging-cluster"],
    }
    found = lint(policy_set(changes), now=NOW)

    assert found == sorted(found)
    assert [finding.rule for finding in found] == [
        "key-not-bound",
        "key-not-bound",
        "separation-of-duties",
    ]
