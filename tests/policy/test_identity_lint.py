"""Lint and diff of identities and trust roots."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from stagepass.clock import format_time
from stagepass.policy.diff import diff
from stagepass.policy.lint import lint
from stagepass.policy.model import PolicySet
from tests.keyless.world import ENTRY, ISSUER, WORKFLOW, policy, root_of
from tests.simulators.sigstore import Windows
from tests.world import DAY, NOW

OLD_AND_NEW = {"old": root_of("old"), "new": root_of("new")}
NAMED = f"the identity of ci ({ISSUER} {WORKFLOW}@refs/heads/*)"


def found(rule: str, *identities: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    """Where, and what is said."""
    findings = lint(policy(*identities, **more), now=NOW)
    told = [(each.where, each.message) for each in findings if each.rule == rule]
    return [(where, message) for where, message in told if "the key of" not in message]


class TestWide:
    @pytest.mark.parametrize(
        "subject",
        [
            "**",
            "*",
            "https://**",
            "https://*/acme/shop",
            "https://github.com/**",
            "https://github.com/*/shop/.github/workflows/release.yml@refs/heads/main",
            "https://github.com/acme*/shop",
            "https://github.com/acme**",
            "https://*.example.com/acme/shop",
            "carol@*",
            "*@*.example.com",
            "spiffe://**",
            "ci-*",
            "https://circleci.com/api/v2/projects/**",
            "https://circleci.com/api/v2/projects/*/pipeline-definitions/1",
            "https://circleci.com/api/**",
            "https://g.codefresh.io/build/*",
            "https://kubernetes.io/namespaces/*/serviceaccounts/builder",
        ],
    )
    def test_a_subject_that_may_be_anybodys(self, subject: str) -> None:
        ((where, message),) = found("identity-wide", {"subject": subject})

        assert where == "attestor release"
        assert message.startswith(f"{subject!r} of 'ci' takes anybody's host or organisation;")

    @pytest.mark.parametrize(
        "subject",
        [
            f"{WORKFLOW}@refs/heads/main",
            f"{WORKFLOW}@**",
            "https://github.com/acme/**",
            "https://github.com/acme/*",
            "carol@example.com",
            "*@example.com",
            "spiffe://cluster.example/ns/*",
            "carol",
            "carol@gmail.com",
            "https://circleci.com/api/v2/projects/c9bdfb5e/pipeline-definitions/*",
            "https://kubernetes.io/namespaces/ci/serviceaccounts/*",
        ],
    )
    def test_a_subject_that_says_whose_it_is(self, subject: str) -> None:
        assert found("identity-wide", {"subject": subject}) == []

    @pytest.mark.parametrize("subject", ["**@gmail.com", "*@Outlook.com", "carol*@icloud.com"])
    def test_addresses_that_anybody_gets(self, subject: str) -> None:
        ((_, message),) = found("identity-wide", {"subject": subject})

        assert message.startswith(
            f"{subject!r} of 'ci' takes anybody's address at a mail provider;"
        )


CALLED = {"claims": {"repository": "https://github.com/acme/shop"}}
OTHER = {"issuer": "https://ci.example.com"}


class TestAnyRef:
    @pytest.mark.parametrize(
        "identity",
        [
            {"subject": f"{WORKFLOW}@refs/heads/*"},
            {"subject": f"{WORKFLOW}@refs/tags/v*"},
            {"subject": f"{WORKFLOW}@**"},
            {"subject": "https://github.com/acme/**"},
            {"subject": f"{WORKFLOW}@**", **OTHER},
            {"claims": {"ref": "refs/heads/*", "environment": "prod*"}},
        ],
    )
    def test_a_subject_of_any_branch_or_tag(self, identity: dict[str, Any]) -> None:
        ((where, message),) = found("identity-any-ref", identity)

        assert where == "attestor release"
        assert message.startswith(
            f"{identity.get('subject', f'{WORKFLOW}@refs/heads/*')!r} of 'ci'"
        )
        assert message.endswith(", or say why not with allowWide: REASON")

    @pytest.mark.parametrize(
        "identity",
        [
            {"subject": f"{WORKFLOW}@refs/heads/main"},
            {"subject": "https://github.com/acme/**@refs/heads/main"},
            {"claims": {"ref": "refs/heads/main"}},
            {"claims": {"environment": "production"}},
            {"subject": "*@example.com"},
            {"subject": "https://buildkite.com/acme/**", **OTHER},
            {"allowWide": "whoever may push here may release"},
        ],
    )
    def test_a_subject_of_one(self, identity: dict[str, Any]) -> None:
        assert found("identity-any-ref", identity) == []


class TestAnyCaller:
    @pytest.mark.parametrize(
        "identity",
        [
            {},
            {"subject": f"{WORKFLOW}@refs/heads/main"},
            {"claims": {"ref": "refs/heads/main", "owner": "https://github.com/acme"}},
            {"claims": {"repository": "**"}},
            {"claims": {"repository": "https://github.com/*/shop"}},
            {"claims": {"repositoryId": "1*"}},
        ],
    )
    def test_a_workflow_that_anybody_may_call(self, identity: dict[str, Any]) -> None:
        ((_, message),) = found("identity-any-caller", identity)

        assert "signs for whoever calls the workflow" in message

    @pytest.mark.parametrize(
        "identity",
        [
            CALLED,
            {"claims": {"repository": "https://github.com/acme/*"}},
            {"claims": {"repositoryId": "123"}},
            OTHER,
            {"allowWide": "our workflow has no workflow_call"},
        ],
    )
    def test_one_whose_caller_is_named(self, identity: dict[str, Any]) -> None:
        assert found("identity-any-caller", identity) == []


def test_a_reason_silences_what_is_wide_on_purpose() -> None:
    assert len(found("identity-wide", {"subject": "**"})) == 1
    assert found("identity-wide", {"subject": "**", "allowWide": "a sandbox"}) == []


BY_HEADS = {"subject": f"{WORKFLOW}@refs/heads/*", "owner": "t"}
BY_TAGS = {"subject": f"{WORKFLOW}@refs/tags/*", "owner": "s"}


class TestOnePlace:
    """Owners are names: one file, or one repository of GitHub, may stand behind two."""

    def said(
        self,
        one: dict[str, Any],
        other: dict[str, Any],
        changes: dict[str, Any] | None = None,
    ) -> list[str]:
        """Of the passes of test and staging, signed by these two."""
        signed = {
            "attestors.of-test": {"identities": [{**ENTRY, **one}]},
            "attestors.of-staging": {"identities": [{**ENTRY, **other}]},
            "pipeline.stages.0.signedBy": ["of-test"],
            "pipeline.stages.1.signedBy": ["of-staging"],
        }
        nobody = {"issuer": "https://nobody.example"}
        told = found("separation-of-duties", nobody, changes={**signed, **(changes or {})})
        return [message for _, message in told]

    def test_two_refs_of_one_workflow(self) -> None:
        (message,) = self.said(BY_HEADS, BY_TAGS)

        assert message.startswith(
            "'t' and 's', of https://github.com/acme/shop, both sign passes, the one of 'test',"
            " the other of 'staging'"
        )

    @pytest.mark.parametrize(
        ("one", "other", "is_one"),
        [
            ("https://github.com/acme/shop/a.yml@x", "https://github.com/acme/shop/b.yml@x", True),
            ("https://github.com/acme/*/a.yml@x", "https://github.com/acme/shop/b.yml@x", True),
            ("https://github.com/acme/**@y", "https://github.com/acme/shop/b.yml@x", True),
            ("https://github.com/acme/sh**@y", "https://github.com/acme/shop/b.yml@x", True),
            ("https://github.com/acme/shop**@y", "https://github.com/acme/shop/b.yml@x", True),
            ("https://github.com/**/a.yml@y", "https://github.com/acme/shop/b.yml@x", True),
            ("**/a.yml@refs/tags/pkg@*", "https://github.com/acme/shop/b.yml@x", False),
            ("https://github.com/ac**/a.yml@p@1", "https://github.com/acme/shop/b.yml@x", True),
            ("https://github.com/acme/t**@y", "https://github.com/acme/shop/b.yml@x", False),
            (
                "https://github.com/acme/shop/a.yml@x",
                "https://github.com/acme/shop2/a.yml@x",
                False,
            ),
        ],
    )
    def test_a_repository_of_github(self, one: str, other: str, is_one: bool) -> None:
        found_ = self.said({"subject": one, "owner": "t"}, {"subject": other, "owner": "s"})

        assert bool(found_) is is_one

    @pytest.mark.parametrize(
        ("one", "other", "is_one"),
        [
            ("https://gitlab.example/a/b//ci.yml@x", "https://gitlab.example/a/b//ci.yml@y", True),
            ("https://gitlab.example/a/b//ci.yml@x", "https://gitlab.example/a/b//cd.yml@x", False),
            ("https://gitlab.example/a/b//ci.yml@x", "https://gitlab.example/a/b//ci.ym**", True),
            ("https://gitlab.example/a/b//ci.yml@x", "https://gitlab.example/a/b//ci.yml**", True),
            ("https://gitlab.example/a/**@x", "https://gitlab.example/a/b//ci.yml@y", True),
            ("https://gitlab.example/b//c.yml@v@1", "https://gitlab.example/b//c.yml@y", True),
            ("bob@example.com", "bob@example.org", False),
        ],
    )
    def test_elsewhere_a_file(self, one: str, other: str, is_one: bool) -> None:
        push, schedule = ({"claims": {"trigger": name}, **OTHER} for name in ("push", "schedule"))
        found_ = self.said(
            {**push, "subject": one, "owner": "t"}, {**schedule, "subject": other, "owner": "s"}
        )

        assert bool(found_) is is_one

    @pytest.mark.parametrize(
        ("one", "other", "is_one"),
        [
            ("acme/shop/.github/workflows/a.yml@x", "acme/shop/.github/workflows/b.yml@x", True),
            ("acme/shop/.github/workflows/a.yml@x", "acme/sh**@y", True),
            ("acme/shop/.github/workflows/a.yml@x", "acme/web/.github/workflows/a.yml@x", False),
        ],
    )
    def test_a_repository_of_github_enterprise(self, one: str, other: str, is_one: bool) -> None:
        """Its issuer has a name of its own; what a workflow's file is called tells it."""
        ghe = {"issuer": "https://token.actions.acme.ghe.com"}
        one_, other_ = (f"https://acme.ghe.com/{path}" for path in (one, other))
        found_ = self.said(
            {**ghe, "subject": one_, "owner": "t"}, {**ghe, "subject": other_, "owner": "s"}
        )

        assert bool(found_) is is_one

    def test_environments_have_rules_of_their_own(self) -> None:
        test, staging = ({"claims": {"environment": name}} for name in ("test", "staging"))

        assert self.said({**BY_HEADS, **test}, {**BY_TAGS, **staging}) == []
        assert len(self.said({**BY_HEADS, **test}, BY_TAGS)) == 1

    def test_who_approves_and_who_passes(self) -> None:
        approval = {"approval": {"from": ["of-staging"]}}
        by_key = {
            "pipeline.stages.1.signedBy": ["staging-cluster"],
            "pipeline.stages.2.requires": [approval],
        }
        (message,) = self.said(BY_HEADS, BY_TAGS, by_key)

        assert "the one approvals for 'production', the other passes of 'test'" in message

    def test_a_reason_silences_it(self) -> None:
        shared = {"pipeline.stages.1.allowShared": "one team"}

        assert self.said(BY_HEADS, BY_TAGS, shared) == []


class TestUnbound:
    def test_with_several_roots_an_identity_names_one(self) -> None:
        assert found("trust-root-not-bound", roots=OLD_AND_NEW) == [
            (
                "attestor release",
                (
                    "the identity of 'ci' counts under any of the trust roots new, old; name those that"
                    " issue to it with trustRoots"
                ),
            )
        ]

    def test_one_that_names_some_is_bound(self) -> None:
        bound = {"trustRoots": ["old", "new"]}

        assert found("trust-root-not-bound", bound, roots=OLD_AND_NEW) == []

    def test_with_one_root_there_is_nothing_to_choose(self) -> None:
        assert found("trust-root-not-bound") == []


class TestAsForKeys:
    def test_an_identity_that_is_over(self) -> None:
        ended = {"validUntil": format_time(NOW - DAY)}
        ((where, message),) = found("expired-key", ended)

        assert where == "attestor release"
        assert message.startswith("the identity of 'ci' ended at 2026-11-25T12:00:00Z")

    def test_an_identity_that_is_over_soon_and_has_no_successor(self) -> None:
        ending = {"validUntil": format_time(NOW + timedelta(days=3))}

        assert len(found("expiring-key", ending)) == 1
        assert found("expiring-key", ending, {"subject": f"{WORKFLOW}@refs/tags/*"}) == []

    def test_an_identity_that_speaks_for_several_clusters(self) -> None:
        by_release = {"pipeline.stages.2.signedBy": ["release"]}
        messages = [message for _, message in found("key-not-bound", changes=by_release)]

        assert messages == [
            (
                "the identity of 'ci' in 'release' counts for several of the stage's clusters;"
                " bind it with clusters: [ONE]"
            )
        ]

    def test_an_owner_who_signs_two_stages_by_key_and_by_identity(self) -> None:
        shared = {
            "pipeline.stages.0.signedBy": ["ci"],
            "pipeline.stages.1.signedBy": ["release"],
        }
        ((_, message),) = found("separation-of-duties", changes=shared)

        assert message.startswith("ci may sign passes of both stages")


class TestDiff:
    def lines(self, old: PolicySet, new: PolicySet) -> list[tuple[str, str, str]]:
        return [(str(each.effect), each.where, each.message) for each in diff(old, new)]

    def test_an_identity_more_or_less(self) -> None:
        one, two = policy(), policy({}, {"subject": f"{WORKFLOW}@refs/tags/*"})
        tags = NAMED.replace("heads", "tags")

        assert self.lines(one, two) == [("looser", "attestor release", f"{tags} is added")]
        assert self.lines(two, one) == [("stricter", "attestor release", f"{tags} is gone")]

    def test_an_identity_whose_bounds_change(self) -> None:
        bound = policy({"clusters": ["test"]})

        assert self.lines(policy(), bound)[0][:2] == (
            "stricter",
            f"attestor release, {NAMED}",
        )

    def test_a_new_attestor_of_identities(self) -> None:
        more = {"deploy": {"identities": [{**ENTRY, "subject": "x", "owner": "x"}]}}

        assert self.lines(policy(), policy(**more)) == [
            ("changed", "attestor deploy", "is new, with identities of x")
        ]

    def test_trust_roots(self) -> None:
        one, both = policy(roots={"old": root_of("old")}), policy(roots=OLD_AND_NEW)
        other = policy(roots={"old": root_of("old", Windows(without=frozenset({"tsa"})))})

        assert self.lines(one, both) == [("looser", "trust root new", "is new")]
        assert self.lines(both, one) == [("stricter", "trust root new", "is gone")]
        ((effect, where, what),) = self.lines(one, other)
        assert (effect, where) == ("changed", "trust root old")
        assert what.startswith("is another file, ")
