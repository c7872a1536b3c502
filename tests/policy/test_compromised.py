"""`compromisedSince`: of a revoked signer only what is proven to be earlier lives on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from stagepass.clock import format_time
from stagepass.decision import Answer, Code
from stagepass.evidence import Attestation, Evidence
from stagepass.identity import Certified, Kind, Span
from stagepass.policy.load import PolicyError
from stagepass.policy.revocations import Revocations, Revoked, signers_of
from stagepass.predicates.revocation import Entry
from tests.keyless.keyed import proven, trusting
from tests.policy.signed import key, revocation_list
from tests.policy.test_revocations import errors
from tests.world import (
    DAY,
    DROP,
    HOUR,
    NOW,
    SECOND,
    STAGING,
    codes,
    judged,
    signed_pass,
    signer,
    verified,
)

PASS = signed_pass("test", at=NOW - 3 * DAY)
BY = "test-cluster"
SINCE = NOW - DAY
ISSUER, SUBJECT = "https://ci.example.com", "https://ci.example.com/acme/shop@main"


def stolen(since: datetime | None, reason: str = "stolen") -> Entry:
    """An entry for the key that signs passes of test."""
    key_id = signer(BY).private.public.id
    return Entry("key", key_id, reason, compromised_since=since)


@pytest.mark.parametrize("log", [None, "v1"])
@pytest.mark.parametrize(
    ("at", "counts"), [(SINCE - SECOND, True), (SINCE, False), (SINCE + SECOND, False)]
)
def test_what_a_key_provably_signed_before_counts(
    log: str | None, at: datetime, counts: bool
) -> None:
    shop = trusting(revoked=revocation_list(stolen(SINCE)))
    decision = judged(shop, [proven(PASS, BY, at, log=log)], STAGING)

    assert (decision.answer is Answer.ADMITTED) is counts
    if not counts:
        assert codes(decision) == ["PASS_MISSING", "REVOKED"]
        (said,) = (v.message for v in decision.violations if v.code is Code.REVOKED)
        assert said == (
            "the key of test-cluster is revoked: stolen, "
            "and nothing proves that this is from before 2026-11-25T12:00:00Z"
        )


def test_what_proves_no_time_is_dead() -> None:
    """A thief dates what he signs as he likes; so does Rekor v2 let him."""
    shop = trusting(revoked=revocation_list(stolen(SINCE)))
    early = SINCE - DAY
    for bundle in (
        PASS,
        proven(PASS, BY, early, log="v2"),
        proven(PASS, BY, early, instance="stranger"),
    ):
        assert codes(judged(shop, [bundle], STAGING)) == ["PASS_MISSING", "REVOKED"]


def test_the_latest_of_several_times_must_be_earlier() -> None:
    shop = trusting(revoked=revocation_list(stolen(SINCE)))
    early = proven(PASS, BY, SINCE - 2 * HOUR)

    assert judged(shop, [proven(early, BY, SINCE - HOUR)], STAGING).answer is Answer.ADMITTED
    assert judged(shop, [proven(early, BY, SINCE + HOUR)], STAGING).answer is Answer.DENIED


@pytest.mark.parametrize("at", [SINCE - DAY, SINCE + HOUR])
def test_without_compromised_since_nothing_lives_on(at: datetime) -> None:
    shop = trusting(revoked=revocation_list(stolen(None)))

    assert judged(shop, [proven(PASS, BY, at)], STAGING).answer is Answer.DENIED


@pytest.mark.parametrize(
    ("sinces", "counts"),
    [
        ((SINCE, SINCE + DAY), True),
        ((SINCE + DAY, SINCE), True),
        ((SINCE, SINCE - DAY), False),
        ((SINCE - DAY, SINCE), False),
        ((SINCE, None), False),
        ((None, SINCE), False),
    ],
)
def test_of_several_entries_for_one_key_the_strictest_counts(
    sinces: tuple[datetime | None, ...], counts: bool
) -> None:
    entries = [stolen(since, f"for reason {n}") for n, since in enumerate(sinces)]
    shop = trusting(revoked=revocation_list(*entries))
    decision = judged(shop, [proven(PASS, BY, SINCE - HOUR)], STAGING)

    assert (decision.answer is Answer.ADMITTED) is counts


def test_a_revoked_attestation_is_dead_whenever_it_was_signed() -> None:
    (found,) = verified(trusting(), [PASS]).attestations
    entry = Entry("attestation", found.statement.payload_digest.hex, "in error")
    shop = trusting(revoked=revocation_list(entry))

    assert judged(shop, [proven(PASS, BY, NOW - 2 * DAY)], STAGING).answer is Answer.DENIED


class TestIdentities:
    """By the whole subject, and the issuer where the entry names one."""

    LIFE = Span(NOW - DAY, NOW - DAY + HOUR)

    def lives(
        self,
        *entries: Entry,
        issuer: str = ISSUER,
        subject: str = SUBJECT,
        signed: Span | None = LIFE,
    ) -> bool:
        """Whether what such a certificate signed then still counts."""
        (keyed,) = verified(trusting(), [PASS]).attestations
        certified = Certified(issuer, subject, {}, frozenset({"miniature"}), Kind.URI)
        by = Attestation(keyed.statement, certified.id, "ci", certified, signed)
        keys, identities = signers_of(entries)
        listed = Revocations(1, NOW + DAY, True, keys=keys, identities=identities)
        return listed.keep(Evidence((by,))).attestations == (by,)

    @pytest.mark.parametrize(
        ("subject", "issuer", "lives"),
        [
            (SUBJECT, "", False),
            (SUBJECT, ISSUER, False),
            (SUBJECT, "https://other.example.com", True),
            (SUBJECT[:-1], "", True),
            (f"{SUBJECT}x", "", True),
            ("https://ci.example.com/**", "", False),
            ("https://ci.example.com/**", ISSUER, False),
            ("https://ci.example.com/**", "https://other.example.com", True),
            ("https://ci.example.com/acme/*@main", "", False),
            ("https://ci.example.com/*", "", True),
        ],
    )
    def test_an_entry_is_of_one_subject_or_of_a_pattern(
        self, subject: str, issuer: str, lives: bool
    ) -> None:
        assert self.lives(Entry("identity", subject, "gone", issuer)) is lives

    @pytest.mark.parametrize(
        ("subject", "issuer"),
        [
            (SUBJECT.upper(), ""),
            (SUBJECT, f"{ISSUER}/"),
            (SUBJECT, ISSUER.upper()),
            ("https://CI.example.com/**", f"{ISSUER}//"),
        ],
    )
    def test_another_spelling_misses_nobody(self, subject: str, issuer: str) -> None:
        """An entry is written by hand, in a hurry; and mail comes to `Alice@` as well."""
        assert not self.lives(Entry("identity", subject, "gone", issuer))
        assert not self.lives(
            Entry("identity", SUBJECT, "gone", ISSUER),
            subject=subject.replace("**", "acme/shop@main"),
        )

    @pytest.mark.parametrize(
        ("since", "lives"),
        [(LIFE.latest + SECOND, True), (LIFE.latest, False), (LIFE.earliest, False)],
    )
    def test_its_certificates_whole_life_must_be_earlier(
        self, since: datetime, lives: bool
    ) -> None:
        assert self.lives(Entry("identity", SUBJECT, "gone", "", since)) is lives

    def test_of_an_entry_with_and_one_without_an_issuer_the_stricter_counts(self) -> None:
        late = Entry("identity", SUBJECT, "gone", "", NOW)
        for other in (None, self.LIFE.latest):
            assert not self.lives(late, Entry("identity", SUBJECT, "gone", ISSUER, other))
        assert self.lives(late, Entry("identity", SUBJECT, "gone", "https://other", None))

    def test_an_entry_for_a_key_is_none_for_an_identity_and_the_reverse(self) -> None:
        (keyed,) = verified(trusting(), [PASS]).attestations
        listed = Revocations(1, NOW, True, identities={(keyed.key_id, ""): Revoked("gone")})

        assert listed.keep(Evidence((keyed,))).attestations == (keyed,)
        assert self.lives(Entry("key", signer(BY).private.public.id, "gone"))


def test_a_list_is_read_as_it_was_written() -> None:
    for entry in (
        stolen(SINCE),
        Entry("identity", SUBJECT, "gone"),
        Entry("identity", SUBJECT, "gone", ISSUER, SINCE),
        Entry("identity", "https://ci.example.com/**", "gone"),
    ):
        assert Entry.parse(entry.to_json()) == entry
    written = Entry("identity", SUBJECT, "gone", ISSUER, SINCE).to_json()
    assert written["compromisedSince"] == format_time(SINCE)


def test_what_was_written_before_there_was_such_a_member_is_written_so_still() -> None:
    """The digest of a list, its statement's subject, is over these very members."""
    assert stolen(None).to_json().keys() == {"kind", "value", "reason"}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"compromisedSince": "yesterday"}, "entries.compromisedSince: 'yesterday' is not an RFC"),
        ({"compromisedSince": None}, "entries.compromisedSince: None is not an RFC 3339 time"),
        ({"issuer": ISSUER}, "issuer is of no key, but of identity"),
        ({"kind": "identity", "value": SUBJECT, "issuer": ""}, "entries.issuer is missing"),
        ({"kind": "identity", "value": ""}, "entries.value is missing"),
        (
            {"kind": "identity", "value": "https://ci.example.com/***"},
            "has three stars in a row",
        ),
        (
            {"kind": "artifact", "value": "ab" * 32, "compromisedSince": format_time(SINCE)},
            "compromisedSince is of no artifact, but of key or identity",
        ),
        (
            {"kind": "attestation", "value": "ab" * 32, "issuer": ISSUER},
            "issuer is of no attestation, but of identity",
        ),
        ({"reason": DROP}, "entries.reason is missing"),
    ],
)
def test_an_entry_that_says_more_than_its_kind_refuses_the_set(
    changes: dict[str, Any], why: str
) -> None:
    member = {**stolen(None).to_json(), **changes}
    entry = {name: value for name, value in member.items() if value is not DROP}
    (error,) = errors(revocation_list(changes={"entries": [entry]}))

    assert why in error


@pytest.mark.parametrize(
    ("at", "until"), [(NOW - HOUR, NOW + 2 * DAY), (None, NOW + HOUR), (NOW + HOUR, None)]
)
def test_a_list_of_a_proven_time_does_not_end_with_its_key(
    at: datetime | None, until: datetime | None
) -> None:
    bare = revocation_list(expires=NOW + 2 * DAY)
    ends = {"attestors.security": {"keys": [key("security", validUntil=format_time(NOW + HOUR))]}}
    written = bare if at is None else proven(bare, "security", at)
    if until is None:
        with pytest.raises(PolicyError, match="signed by security, who may not revoke"):
            trusting(ends, revoked=written)
    else:
        listed = trusting(ends, revoked=written).revocations
        assert listed is not None
        assert listed.expires == until
