"""Whose certificate counts: exactly whom an identity names, and nobody who looks alike (B68)."""

from __future__ import annotations

from typing import Any

import pytest

from stagepass.evidence import Attestation
from tests.keyless.world import ISSUER, SUBJECT, WORKFLOW, keyless, policy, refusal, verdict
from tests.simulators.sigstore import Lies

POLICY = policy()
REPOSITORY = "https://github.com/acme/shop"
CLAIMS = {"source-repository-uri": REPOSITORY, "deployment-environment": "production"}
"""By Fulcio's names."""


def counts(policy_: Any, **signed: Any) -> bool:
    return isinstance(verdict(policy_, keyless(**signed)), Attestation)


@pytest.mark.parametrize("branch", ["main", "release-2026"])
def test_whoever_it_names_counts(branch: str) -> None:
    found = verdict(POLICY, keyless(subject=f"{WORKFLOW}@refs/heads/{branch}"))

    assert isinstance(found, Attestation)
    assert found.owner == "ci"
    assert found.key_id == f"{ISSUER} {WORKFLOW}@refs/heads/{branch}"
    assert found.certified is not None
    assert found.certified.roots == {"public-good"}


@pytest.mark.parametrize(
    "subject",
    [
        SUBJECT.replace("/acme/", "/acme.evil/"),
        SUBJECT.replace("/acme/", "/acme-evil/"),
        SUBJECT.replace("/acme/", "/evil/acme/"),
        SUBJECT.replace("/shop/", "/shop-fork/"),
        SUBJECT.replace("/acme/", "/ACME/"),
        SUBJECT.replace("github.com", "github.com.evil.example"),
        SUBJECT.replace("https:", "http:"),
        SUBJECT.replace("release.yml", "releaseXyml"),
        SUBJECT.replace("release.yml", "other.yml"),
        f"{WORKFLOW}@refs/pull/1/merge",
        f"{WORKFLOW}@refs/tags/v1",
        f"{WORKFLOW}@refs/heads/",
        f"{WORKFLOW}@refs/heads/feature/x",
        f"{WORKFLOW}@refs/heads/a@refs/heads/main",
        f"x{SUBJECT}",
        f"https://evil.example/?{SUBJECT}",
        f"{SUBJECT}/x",
        f" {SUBJECT}",
    ],
)
def test_what_looks_alike_does_not(subject: str) -> None:
    code, message = refusal(POLICY, keyless(subject=subject))

    assert code == "SIGNER_UNKNOWN"
    assert message.startswith(f"no identity matches {subject!r}"[:200])
    assert message.endswith(f"; the nearest wants subject {WORKFLOW + '@refs/heads/*'!r}")


@pytest.mark.parametrize(
    "issuer",
    [
        f"{ISSUER}.evil.example",
        f"{ISSUER}/",
        ISSUER.upper(),
        "https://accounts.google.com",
        f"x{ISSUER}",
    ],
)
def test_the_same_subject_by_another_issuer_does_not(issuer: str) -> None:
    code, message = refusal(POLICY, keyless(issuer=issuer))

    assert code == "SIGNER_UNKNOWN"
    assert message.endswith(f"of issuer {issuer!r}; the nearest wants issuer {ISSUER!r}")


@pytest.mark.parametrize(
    ("signed", "reason"),
    [
        ({"subject": ""}, "the certificate's subject is empty"),
        ({"issuer": ""}, "the certificate names no issuer"),
        (
            {"subject": f"{WORKFLOW}@refs/heads/{'a' * 2000}"},
            "the certificate's subject has 2070 characters, over 2048",
        ),
        ({"lies": Lies(two_subjects=True)}, "the certificate names 2 subjects; exactly one counts"),
        (
            {"lies": Lies(other_issuer="https://evil.example")},
            f"the certificate names two issuers, {ISSUER!r} and 'https://evil.example'",
        ),
    ],
    ids=["empty subject", "empty issuer", "endless subject", "two subjects", "two issuers"],
)
def test_a_certificate_that_names_not_exactly_one_counts_for_nobody(
    signed: dict[str, Any], reason: str
) -> None:
    assert refusal(policy({"subject": "**"}), keyless(**signed)) == ("SIGNER_UNKNOWN", reason)


def test_a_certificate_without_any_subject() -> None:
    code, message = refusal(policy({"subject": "**"}), keyless(lies=Lies(no_subject=True)))

    assert code == "SIGNATURE_INVALID"
    assert "missing required extension" in message


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        ("carol@example.com", "email"),
        ("carol", "other"),
        ("carol!example.com", "other"),
        ("https://example.com/carol", "uri"),
    ],
)
def test_every_kind_of_subject_that_fulcio_writes(subject: str, kind: str) -> None:
    named = policy({"subject": subject, "owner": "carol"})

    assert counts(named, subject=subject, kind=kind)
    assert not counts(named, subject=f"{subject}x", kind=kind)


@pytest.mark.parametrize(
    ("pattern", "subject", "kind", "reason"),
    [
        ("**@example.com", "https://evil/x@example.com", "uri", "e-mail address and not as URL"),
        ("**@example.com", "eve!x@example.com", "other", "e-mail address and not as user name"),
        ("*://**", "https://example.com/x", "other", "URL and not as user name"),
        ("https://**", "https://x@example.com", "email", "URL and not as e-mail address"),
        ("carol!**", "carol!x@evil.example", "email", "user name and not as e-mail address"),
    ],
)
def test_a_subject_of_another_kind_does_not_count(
    pattern: str, subject: str, kind: str, reason: str
) -> None:
    """Of one issuer: which part of the name is somebody's own choice depends on what it is."""
    code, message = refusal(policy({"subject": pattern}), keyless(subject=subject, kind=kind))

    assert code == "SIGNER_UNKNOWN"
    assert message.endswith(f"; the nearest wants {pattern!r} as {reason}")


class TestText:
    """What a policy shows and a person compares is one line, in the order it is read in."""

    @pytest.mark.parametrize("text", ["\n", "\x00", "\u202e", "\u2028", "\xa0", "\u200b", "\x7f"])
    @pytest.mark.parametrize("what", ["subject", "issuer", "claim"])
    def test_what_is_not_printable_counts_for_nobody(self, what: str, text: str) -> None:
        shop = policy({"subject": "**"})
        signed: dict[str, Any] = {"subject": f"carol{text}x", "kind": "other"}
        if what == "issuer":
            signed = {"issuer": f"{ISSUER}{text}"}
        if what == "claim":
            signed = {"claims": {"source-repository-uri": f"{REPOSITORY}{text}"}}
        code, message = refusal(shop, keyless(**signed))

        assert code == "SIGNER_UNKNOWN"
        assert "is not printable: " in message
        assert message.isprintable()

    def test_letters_of_any_script_are(self) -> None:
        shop = policy({"subject": "https://example.com/*"})

        assert counts(shop, subject="https://example.com/größe", kind="other") is False
        assert counts(policy({"subject": "*"}), subject="größe 漢字", kind="other")

    def test_an_endless_old_issuer(self) -> None:
        endless = ISSUER + "x" * 4000
        bundle = keyless(lies=Lies(other_issuer=endless))

        assert refusal(POLICY, bundle) == (
            "SIGNER_UNKNOWN",
            f"the certificate's issuer has {len(endless)} characters, over 2048",
        )


class TestClaims:
    WANTED = policy({"claims": {"repository": REPOSITORY, "environment": "prod*"}})

    def test_all_of_them_must_be_there_and_match(self) -> None:
        assert counts(self.WANTED, claims=CLAIMS)

    @pytest.mark.parametrize(
        ("claims", "reason"),
        [
            ({**CLAIMS, "deployment-environment": "test"}, "environment 'prod*' and not 'test'"),
            ({**CLAIMS, "deployment-environment": "prod"}, "environment 'prod*' and not 'prod'"),
            (
                {**CLAIMS, "source-repository-uri": f"{REPOSITORY}-fork"},
                f"repository {REPOSITORY!r} and not '{REPOSITORY}-fork'",
            ),
            ({"source-repository-uri": REPOSITORY}, "environment 'prod*' and it has none"),
        ],
    )
    def test_one_that_is_wrong_or_missing_is_told(
        self, claims: dict[str, str], reason: str
    ) -> None:
        code, message = refusal(self.WANTED, keyless(claims=claims))

        assert code == "SIGNER_UNKNOWN"
        assert message.endswith(f"; the nearest wants {reason}")

    @pytest.mark.parametrize(
        ("name", "extension"),
        [
            ("repository", "source-repository-uri"),
            ("ref", "source-repository-ref"),
            ("commit", "source-repository-digest"),
            ("workflow", "build-config-uri"),
            ("builder", "build-signer-uri"),
            ("environment", "deployment-environment"),
            ("repositoryId", "source-repository-identifier"),
            ("ownerId", "source-repository-owner-identifier"),
            ("owner", "source-repository-owner-uri"),
            ("trigger", "build-trigger"),
            ("runner", "runner-environment"),
        ],
    )
    def test_each_is_the_extension_that_fulcio_documents(self, name: str, extension: str) -> None:
        wanted = policy({"claims": {name: "x"}})

        assert counts(wanted, claims={extension: "x"})
        assert not counts(wanted, claims={extension: "y"})


def test_the_nearest_of_several_is_told() -> None:
    several = policy(
        {"subject": "https://example.com/a", "issuer": "https://example.com"},
        {"claims": {"ref": "refs/heads/main"}},
    )
    _, message = refusal(several, keyless())

    assert message.endswith("; the nearest wants ref 'refs/heads/main' and it has none")
