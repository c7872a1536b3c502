"""Under which trust roots a certificate counts, and until when."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stagepass.evidence import Attestation
from tests.keyless.world import (
    SIGNED_AT,
    keyless,
    policy,
    refusal,
    root_of,
    verdict,
)
from tests.simulators.sigstore import Identity, Sigstore, Windows
from tests.world import DAY, NOW

OLD_AND_NEW = {"old": root_of("old"), "new": root_of("new")}
DURING_ROTATION = policy(roots=OLD_AND_NEW)
BEFORE, AFTER = SIGNED_AT - DAY, SIGNED_AT + DAY


@pytest.mark.parametrize("instance", ["old", "new"])
@pytest.mark.parametrize("log", ["v1", "v2"])
def test_during_a_rotation_both_count(instance: str, log: str) -> None:
    found = verdict(DURING_ROTATION, keyless(instance=instance, log=log, tsa=log == "v2"))

    assert isinstance(found, Attestation)
    assert found.certified is not None
    assert found.certified.roots == {instance}


def test_a_certificate_of_neither() -> None:
    assert refusal(DURING_ROTATION, keyless(instance="other")) == (
        "SIGNATURE_INVALID",
        "its certificate is by 'CN=other intermediate,O=other', of none of the trust roots: old, new",
    )


def test_an_authority_that_two_roots_name_counts_under_both() -> None:
    """A root that is renewed mostly holds what the last one held."""
    grown = {"last": root_of("old"), "this": root_of("old", Windows(v2=(BEFORE, None)))}
    found = verdict(policy({"trustRoots": ["this"]}, roots=grown), keyless(instance="old"))

    assert isinstance(found, Attestation)
    assert found.certified is not None
    assert found.certified.roots == {"last", "this"}


class TestBoundIdentities:
    BOUND = policy({"trustRoots": ["new"]}, roots=OLD_AND_NEW)

    def test_it_counts_under_the_root_it_names(self) -> None:
        assert isinstance(verdict(self.BOUND, keyless(instance="new")), Attestation)

    def test_it_does_not_count_under_the_other(self) -> None:
        code, message = refusal(self.BOUND, keyless(instance="old"))

        assert code == "SIGNER_UNKNOWN"
        assert message.endswith("; the nearest wants trust root new and not old")

    def test_one_subject_of_two_private_instances_has_an_owner_under_each(self) -> None:
        """`https://kubernetes.default.svc` is the issuer of every cluster."""
        both = policy(
            {"trustRoots": ["old"], "owner": "blue"},
            {"trustRoots": ["new"], "owner": "green"},
            roots=OLD_AND_NEW,
        )
        found = [verdict(both, keyless(instance=name)) for name in ("old", "new")]

        assert [a.owner for a in found if isinstance(a, Attestation)] == ["blue", "green"]


class TestValidity:
    """What a root says it relied on for a while counts for what was signed in that while."""

    @pytest.mark.parametrize("part", ["ca", "ct", "v1"])
    @pytest.mark.parametrize("window", [(None, BEFORE), (AFTER, None)], ids=["over", "to come"])
    def test_a_part_that_was_not_relied_on_when_the_certificate_lived(
        self, part: str, window: tuple[None, None]
    ) -> None:
        root = root_of(windows=Windows(**{part: window}))
        code, message = refusal(policy(roots={"public-good": root}), keyless())
        named = {"ca": "authority", "ct": "transparency log", "v1": "transparency log"}[part]
        kind = {"ca": "certificate ", "ct": "certificate ", "v1": ""}[part]

        assert code == "SIGNATURE_INVALID"
        assert message == (
            f"trust root 'public-good' does not rely on its {kind}{named} for a certificate that lived"
            " from 2026-11-26T11:00:00Z to 2026-11-26T11:10:00Z"
        )

    @pytest.mark.parametrize("part", ["ca", "ct", "v1"])
    def test_a_part_that_has_ended_since_still_counts_for_what_was_signed_before(
        self, part: str
    ) -> None:
        root = root_of(windows=Windows(**{part: (BEFORE, SIGNED_AT + timedelta(minutes=1))}))

        assert isinstance(verdict(policy(roots={"public-good": root}), keyless()), Attestation)

    @pytest.mark.parametrize("window", [(None, BEFORE), (AFTER, None)], ids=["over", "to come"])
    def test_a_stamp_by_an_authority_that_was_not_relied_on_then(
        self, window: tuple[None, None]
    ) -> None:
        root = root_of(windows=Windows(tsa=window))
        code, message = refusal(policy(roots={"public-good": root}), keyless(log="v2", tsa=True))

        assert code == "SIGNATURE_INVALID"
        assert "not enough sources of verified time" in message

    def test_what_begins_after_the_clock_of_this_machine_counts_for_what_was_signed_then(
        self,
    ) -> None:
        """B58: a clock that is wrong changes no verdict about a certificate."""
        begin = NOW + 1000 * DAY
        root = root_of(windows=Windows(*[(begin, None)] * 4))
        later = keyless(at=begin + DAY)

        assert isinstance(verdict(policy(roots={"public-good": root}), later), Attestation)
        assert refusal(policy(roots={"public-good": root}), keyless())[0] == "SIGNATURE_INVALID"

    def test_certificate_authorities_that_had_expired_when_it_was_signed(self) -> None:
        """CVE-2026-24122: the whole chain is looked at, and not the leaf alone."""
        ended = Sigstore("ended", now=NOW - 3651 * DAY)
        identity = Identity("https://example.com", "https://example.com/job")
        bundle = ended.bundle(b"{}", identity, at=SIGNED_AT)
        code, message = refusal(policy(roots={"ended": ended.trusted_root()}), bundle)

        assert code == "SIGNATURE_INVALID"
        assert "not valid at validation time" in message

    def test_a_root_without_time_stamps_is_enough_for_the_first_log(self) -> None:
        root = root_of(windows=Windows(without=frozenset({"tsa"})))
        trusting = policy(roots={"public-good": root})

        assert isinstance(verdict(trusting, keyless()), Attestation)
        assert refusal(trusting, keyless(log="v2", tsa=True))[0] == "SIGNATURE_INVALID"
