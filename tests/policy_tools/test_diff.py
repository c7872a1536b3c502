"""`policy diff` in words: each thing that can change, what is said of it, and its effect."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from stagepass.policy import diff as sets
from stagepass.policy import diff_pipelines as parts
from stagepass.policy.attestors import Attestor, Key
from stagepass.policy.diff import diff
from stagepass.policy.diff_rules import Effect, Table
from stagepass.policy.diff_source import SOURCE
from stagepass.policy.model import (
    ApprovalRequirement,
    AttestationRequirement,
    Baseline,
    BreakGlassRule,
    Edge,
    Exemption,
    Pipeline,
    PolicySet,
    Stage,
)
from stagepass.policy.revocations import Revocations, Revoked
from stagepass.policy.source import Source
from tests.policy_tools.changes import NEED, STAGE, STRANGER, TABLE, Line
from tests.policy_tools.full import full_set
from tests.world import DAY, DROP, NOW

MORE = {"pipeline.images.1": "registry.example.com/cart"}


def lines(old: PolicySet, new: PolicySet) -> list[Line]:
    return [(str(change.effect), change.where, change.message) for change in diff(old, new)]


def key_line(effect: str, attestor: str, owner: str, what: str, policy: PolicySet) -> Line:
    key_id = next(k.public.id for _, k in policy.all_keys() if k.owner == owner)
    return effect, f"attestor {attestor}", f"the key of {owner} ({key_id[:8]}...) {what}"


@pytest.mark.parametrize(("changes", "expected"), TABLE)
def test_each_change_is_told_with_its_effect(changes: dict[str, Any], expected: list[Line]) -> None:
    assert sorted(lines(full_set(), full_set(changes))) == sorted(expected)


@pytest.mark.parametrize("changes", [changes for changes, _ in TABLE])
def test_the_way_back_has_the_opposite_effect(changes: dict[str, Any]) -> None:
    old, new = full_set(), full_set(changes)
    there, back = diff(old, new), diff(new, old)

    assert there
    assert sorted((c.where, c.effect.opposite) for c in back) == sorted(
        (c.where, c.effect) for c in there
    )


def test_a_set_decides_like_itself_however_it_is_written() -> None:
    """Order of stages, names and keys is nothing that a decision could see."""
    documents = {
        f"{STAGE}.clusters": ["prod-us", "prod-eu"],
        f"{STAGE}.namespaces": ["shop-*", "shop"],
        f"{STAGE}.requires": [
            {"approval": {"from": ["managers"], "threshold": 2, "notBy": ["ci"], "maxAge": "240h"}},
            {
                "attestation": {
                    "name": "vulnerabilities",
                    "from": ["scanner"],
                    "predicateType": "https://cosign.sigstore.dev/attestation/vuln/v1",
                    "where": "size(predicate.critical) == 0",
                    "time": "predicate.scanned",
                    "maxAge": "168h",
                }
            },
        ],
        "attestors.managers.keys": [
            {"file": "keys/bob.pub", "owner": "bob"},
            {"file": "keys/alice.pub", "owner": "alice"},
        ],
    }

    assert diff(full_set(), full_set()) == []
    assert diff(full_set(), full_set(documents)) == []


class TestKeys:
    def test_one_more_is_looser_and_one_less_stricter(self) -> None:
        old, new = full_set(), full_set({"attestors.scanner.keys.1": STRANGER})

        assert lines(old, new) == [key_line("looser", "scanner", "stranger", "is added", new)]
        assert lines(new, old) == [key_line("stricter", "scanner", "stranger", "is gone", new)]

    def test_where_its_owner_is_barred_it_is_both(self) -> None:
        """`notBy: [ci]`: who gets a key of ci may no longer approve."""
        old, new = full_set(), full_set({"attestors.ci.keys.1": STRANGER})
        same_owner = full_set({"attestors.ci.keys.1": {**STRANGER, "owner": "ci"}})

        assert lines(old, new) == [key_line("changed", "ci", "stranger", "is added", new)]
        assert [effect for effect, _, _ in lines(old, same_owner)] == ["looser"]

    @pytest.mark.parametrize(
        ("path", "value", "effect", "message"),
        [
            ("validUntil", DROP, "looser", "validUntil is none, was 2027-06-01T00:00:00Z"),
            ("validFrom", DROP, "looser", "validFrom is none, was 2026-01-01T00:00:00Z"),
            ("clusters", DROP, "looser", "clusters: all, was staging"),
            ("clusters", ["staging", "s2"], "looser", "clusters: s2 is added"),
            ("owner", "other", "changed", "owner is other, was staging-cluster"),
        ],
    )
    def test_of_a_key_everything_is_compared(
        self, path: str, value: Any, effect: str, message: str
    ) -> None:
        changes = {f"attestors.staging-cluster.keys.0.{path}": value}
        ((got, where, told),) = lines(full_set(), full_set(changes))

        assert (got, told) == (effect, message)
        assert where.startswith("attestor staging-cluster, the key of staging-cluster (")

    def test_an_attestor_alone_changes_nothing_that_is_let_in(self) -> None:
        new = full_set({"attestors.idle": {"keys": [STRANGER]}})

        assert lines(full_set(), new) == [
            ("changed", "attestor idle", "is new, with keys of stranger")
        ]
        assert lines(new, full_set())[0][2] == "is gone, with keys of stranger"

    def test_the_same_keys_under_another_name_are_no_more_and_no_less(self) -> None:
        new = full_set(
            {
                "attestors.scan": {"keys": [{"file": "keys/scanner.pub", "owner": "scanner"}]},
                f"{NEED}.from": ["scan"],
            }
        )

        assert {effect for effect, _, _ in lines(full_set(), new)} == {"changed"}


class TestRevocations:
    LIST = Revocations(7, NOW + DAY, deny_when_expired=True)

    def effects(self, old: Revocations | None, new: Revocations | None) -> list[Line]:
        policy = full_set()
        return lines(replace(policy, revocations=old), replace(policy, revocations=new))

    def test_a_list_is_stricter_than_none(self) -> None:
        assert self.effects(None, self.LIST) == [("stricter", "revocations", "are in force")]
        assert self.effects(self.LIST, None) == [
            ("looser", "revocations", "are no longer in force")
        ]

    @pytest.mark.parametrize(
        ("since", "earlier", "effect"),
        [(NOW, NOW - DAY, "stricter"), (NOW, None, "stricter"), (None, NOW, "looser")],
    )
    def test_since_when_a_signer_is_not_believed_is_a_change(
        self, since: datetime | None, earlier: datetime | None, effect: str
    ) -> None:
        for member, signer, name in (
            ("keys", "abc", "abc"),
            ("identities", ("me", "https://x"), "me of https://x"),
        ):
            lists: list[dict[str, Any]] = [
                {member: {signer: Revoked("stolen", at)}} for at in (since, earlier)
            ]
            one, two = (replace(self.LIST, **listed) for listed in lists)
            ((found, where, message),) = self.effects(one, two)

            assert (found, where) == (effect, "revocations")
            assert message.startswith(f"revoked {member}: {name}: compromisedSince is ")
            assert self.effects(one, replace(self.LIST)) == [
                ("looser", "revocations", f"revoked {member}: {name} is gone")
            ]

    @pytest.mark.parametrize("member", ["artifacts", "attestations", "keys"])
    def test_one_more_entry_is_stricter(self, member: str) -> None:
        added: dict[str, Any] = {member: {"abc": "stolen"}}
        more = replace(self.LIST, sequence=8, **added)
        ((effect, where, message),) = self.effects(self.LIST, more)

        assert (effect, where) == ("stricter", "revocations")
        assert message.endswith(": abc is added")

    def test_who_may_sign_the_next_list_is_a_change(self) -> None:
        one = replace(self.LIST, signers=("security",))
        two = replace(self.LIST, signers=("security", "release-managers"))

        assert self.effects(one, two) == [
            ("changed", "revocations", "from is security, release-managers, was security")
        ]

    def test_a_later_end_is_looser_only_where_the_end_denies(self) -> None:
        later = replace(self.LIST, expires=NOW + 2 * DAY)
        warning = replace(self.LIST, deny_when_expired=False)

        assert [e for e, _, _ in self.effects(self.LIST, later)] == ["looser"]
        assert [
            e for e, _, _ in self.effects(warning, replace(later, deny_when_expired=False))
        ] == ["changed"]
        assert self.effects(self.LIST, warning) == [
            ("looser", "revocations", "onExpired is warn, was deny")
        ]
        assert [e for e, _, _ in self.effects(warning, later)] == ["changed", "stricter"]


class TestCoverage:
    """More images or places of a pipeline are looser only where nothing else is there already."""

    def effect(self, *more: dict[str, Any], **defaults: Any) -> list[str]:
        changes = {f"defaults.{name}": value for name, value in defaults.items()}
        old, new = full_set(changes, *more), full_set({**changes, **MORE}, *more)
        return [effect for effect, _, _ in lines(old, new)]

    def test_what_was_refused_may_be_let_in(self) -> None:
        assert self.effect() == ["looser"]

    def test_what_was_unlisted_and_ran_may_be_refused(self) -> None:
        assert self.effect(unlisted="audit") == ["changed"]

    @pytest.mark.parametrize(("old", "new"), [("audit", "deny"), ("deny", "audit")])
    def test_in_either_of_the_sets(self, old: str, new: str) -> None:
        before = full_set({"defaults.unlisted": old})
        after = full_set({**MORE, "defaults.unlisted": new})

        assert ("changed", "pipeline shop") in {(e, where) for e, where, _ in lines(before, after)}

    def test_what_was_exempt_may_be_refused(self) -> None:
        exempt = {
            "namespaces": ["shop"],
            "images": ["registry.example.com/cart"],
            "reason": "x",
            "expires": "2027-01-01T00:00:00Z",
        }

        assert self.effect(exempt=[exempt]) == ["changed"]

    @pytest.mark.parametrize(
        ("cluster", "namespace", "effect"),
        [
            ("prod-eu", "shop-*", "changed"),
            ("prod-eu", "cart", "looser"),
            ("elsewhere", "shop", "looser"),
        ],
    )
    def test_what_another_pipeline_let_in_may_be_refused(
        self, cluster: str, namespace: str, effect: str
    ) -> None:
        other = {
            "apiVersion": "stagepass.dev/v1",
            "kind": "Pipeline",
            "metadata": {"name": "other"},
            "images": ["registry.example.com/**"],
            "stages": [{"name": "run", "clusters": [cluster], "namespaces": [namespace]}],
        }

        assert self.effect(other) == [effect]


RULES: list[tuple[type[Any], Table]] = [
    (PolicySet, sets.POLICY_SET),
    (Attestor, sets.attestor_table(barring=False)),
    (Key, sets.KEY),
    (Baseline, sets.BASELINE),
    (Exemption, sets.EXEMPTION),
    (Revocations, sets.revocation_table(denying=True)),
    (Pipeline, parts.pipeline_table(Effect.LOOSER)),
    (Stage, parts.stage_table(Effect.LOOSER, followed=False)),
    (Edge, parts.EDGE),
    (AttestationRequirement, parts.ATTESTATION),
    (ApprovalRequirement, parts.APPROVAL),
    (BreakGlassRule, parts.BREAK_GLASS),
    (Source, SOURCE),
]


@pytest.mark.parametrize(
    ("model", "table"), RULES, ids=lambda value: getattr(value, "__name__", "")
)
def test_every_field_of_the_model_has_a_rule(model: type[Any], table: Table) -> None:
    """A field that is new in the model must not change without a word."""
    assert {field.name for field in fields(model)} == set(table)


def test_the_end_of_a_signed_set_is_compared() -> None:
    policy = full_set()
    ending = replace(policy, expires=datetime(2027, 1, 1, tzinfo=UTC), sequence=3)

    assert lines(policy, ending) == [
        ("stricter", "set", "expires is 2027-01-01T00:00:00Z, was none")
    ]
