"""What a denial says of signers: how who could sign does, and why who did sign does not count."""

from __future__ import annotations

from typing import Any

import pytest

from stagepass.clock import format_time
from stagepass.decision import Decision
from stagepass.policy.model import PolicySet
from tests.keyless import world
from tests.keyless.keyed import proven, trusting
from tests.keyless.world import FROM, SIGNED_AT, keyless
from tests.policy.signed import APPROVED_BY_TWO, approval, key, policy, shop
from tests.world import (
    DAY,
    NOW,
    PROD_EU,
    PROVENANCE,
    SECOND,
    STAGING,
    TEST,
    judged,
    signed_claim,
    signed_pass,
)

STAGED = "pipeline.stages.0.signedBy"
OVER = {"validUntil": format_time(NOW)}
MINUTE = 60 * SECOND
BOTH = {**world.ENTRY, "subject": "https://github.com/acme/other/.github/workflows/x.yml@main"}
LAPTOP = "attestors.release-managers.keys"


def fixes(decision: Decision) -> set[str]:
    return {violation.fix for violation in decision.violations if violation.fix}


def signing(decision: Decision, command: str) -> str:
    """The option that the one such command signs with."""
    (fix,) = (each for each in fixes(decision) if f"stagepass {command} " in each)
    words = fix.split()
    (option,) = (word for word in words if word in ("--key", "--identity"))
    assert option == "--identity" or words[words.index("--key") + 1] == "KEY"
    return option


def keyed(name: str, **more: Any) -> dict[str, Any]:
    """An attestor of one key."""
    return {"keys": [key(name, **more)]}


class TestTheOption:
    @pytest.mark.parametrize(
        ("signers", "option"),
        [
            (["release"], "--identity"),
            (["ci"], "--key"),
            (["release", "ci"], "--key"),
            (["release", "gone"], "--identity"),
            (["gone"], "--key"),
        ],
    )
    def test_of_an_attestation(self, signers: list[str], option: str) -> None:
        found = world.policy(changes={FROM: signers}, gone=keyed("carol", **OVER))

        assert signing(judged(found, [], TEST), "attest") == option

    def test_of_an_attestor_with_both(self) -> None:
        both = world.policy(changes={FROM: ["both"]}, both={**keyed("carol"), "identities": [BOTH]})

        assert signing(judged(both, [], TEST), "attest") == "--key"

    def test_of_identities_that_have_all_ended(self) -> None:
        found = world.policy(OVER)

        assert signing(judged(found, [], TEST), "attest") == "--identity"

    def test_of_a_pass_by_who_may_sign_in_that_cluster(self) -> None:
        changes = {STAGED: ["test-cluster", "release"]}
        elsewhere = {"attestors.test-cluster.keys.0.clusters": ["staging"]}
        free = world.policy(changes=changes)
        bound = world.policy(changes={**changes, **elsewhere})

        assert signing(judged(free, [], STAGING), "attest") == "--key"
        assert signing(judged(bound, [], STAGING), "attest") == "--identity"

    def test_of_an_approval_by_who_is_not_barred(self) -> None:
        need = {**APPROVED_BY_TWO["approval"], "from": ["release", "ci"], "threshold": 1}
        requires = "pipeline.stages.2.requires"
        identity = {"owner": "carol"}
        barred = world.policy(identity, changes={requires: [{"approval": need}]})
        free = world.policy(
            identity, changes={requires: [{"approval": {**need, "notBy": ["scanner"]}}]}
        )

        assert signing(judged(barred, [], PROD_EU), "approve") == "--identity"
        assert signing(judged(free, [], PROD_EU), "approve") == "--key"


def why(decision: Decision) -> str:
    """The one text about a signer."""
    (text,) = {v.message for v in decision.violations if v.code == "SIGNER_UNKNOWN"}
    return text


class TestAnAttestation:
    def told(self, found: PolicySet, bundle: bytes) -> str:
        return why(judged(found, [bundle], TEST))

    def test_by_nobody_of_the_attestors(self) -> None:
        text = self.told(policy(), signed_claim(PROVENANCE, "scanner"))

        assert text == "provenance is signed by scanner, who may not"

    def test_by_another_key_of_a_listed_owner(self) -> None:
        other = policy({"attestors.scanner.keys.0.owner": "ci"})

        text = self.told(other, signed_claim(PROVENANCE, "scanner"))
        assert text == "provenance is signed by ci, with a key that may not"

    @pytest.mark.parametrize("window", [OVER, {"validFrom": format_time(NOW + SECOND)}])
    def test_by_a_key_that_is_not_valid_now(self, window: dict[str, str]) -> None:
        found = policy({"attestors.ci.keys.0": key("ci", **window)})

        text = self.told(found, signed_claim(PROVENANCE, "ci"))
        assert text == "provenance is signed by ci, with a key that is not valid now"

    @pytest.mark.parametrize("word", ["validUntil", "validFrom"])
    def test_by_a_key_that_was_not_valid_when_it_signed(self, word: str) -> None:
        at = NOW - 2 * DAY
        bound = at if word == "validUntil" else at + SECOND
        found = trusting({"attestors.ci.keys.0": key("ci", **{word: format_time(bound)})})

        text = self.told(found, proven(signed_claim(PROVENANCE, "ci"), "ci", at))
        assert text == (
            "provenance is signed by ci, with a key that was not valid"
            f" at {format_time(at)}, when it signed"
        )

    def test_by_an_identity_that_was_not_valid_when_it_signed(self) -> None:
        ended = world.policy({"validUntil": format_time(SIGNED_AT)})
        begun = world.policy({"validFrom": format_time(NOW)})
        bundle = keyless()

        for found, at in ((ended, SIGNED_AT + 10 * MINUTE), (begun, SIGNED_AT)):
            assert self.told(found, bundle) == (
                "provenance is signed by ci, with an identity that was not valid"
                f" at {format_time(at)}, when it signed"
            )

    def test_by_an_identity_of_another_attestor(self) -> None:
        found = world.policy(changes={FROM: ["ci"]})

        text = self.told(found, keyless())
        assert text == "provenance is signed by ci, with an identity that may not"


class TestAPass:
    def told(self, changes: dict[str, Any], by: str = "test-cluster") -> str:
        return why(judged(policy(changes), [signed_pass("test", by=by)], STAGING))

    def test_each_reason_is_another(self) -> None:
        place = "attestors.test-cluster.keys.0"
        name = "a pass of 'test' in 'test' is signed by"
        mine = f"{name} test-cluster"

        assert self.told({}, "scanner") == f"{name} scanner, who may not"
        assert self.told({place: key("test-cluster", **OVER)}) == (
            f"{mine}, with a key that is not valid now"
        )
        assert self.told({place: key("test-cluster", clusters=["staging"])}) == (
            f"{mine}, with a key that is not for 'test'"
        )
        other = {"attestors.scanner.keys.0.owner": "test-cluster"}
        assert self.told(other, "scanner") == f"{mine}, with a key that may not"


class TestAnApproval:
    def told(self, changes: dict[str, Any], by: str) -> str:
        return why(judged(shop(changes), [approval(by)], PROD_EU))

    def test_each_reason_is_another(self) -> None:
        name = "the approval is signed by"
        entries = [key("alice"), key("alice-laptop", "alice", **OVER), key("bob"), key("ci")]

        assert self.told({}, "carol") == f"{name} carol, who may not"
        assert self.told({LAPTOP: entries}, "alice-laptop") == (
            f"{name} alice, with a key that is not valid now"
        )
        assert self.told({LAPTOP: entries}, "ci") == f"{name} ci, whom notBy bars"
        assert self.told({"attestors.security.keys.0.owner": "alice"}, "security") == (
            f"{name} alice, with a key that may not"
        )
