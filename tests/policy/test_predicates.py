"""What people, gates and the security team sign, as it is written and as it is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stagepass import __version__
from stagepass.clock import parse_time
from stagepass.errors import AttestationError
from stagepass.predicates.entered import StageEntered
from stagepass.predicates.environment import Environment
from stagepass.predicates.members import Scope
from stagepass.predicates.named_release import NamedRelease
from stagepass.predicates.passed import PassDetails, StagePassed
from stagepass.predicates.people import Approval, BreakGlass
from stagepass.predicates.revocation import Entry, RevocationList
from stagepass.stage import Place
from tests.policy.signed import ARTIFACT, NAME
from tests.world import DAY, DIGEST, DROP, HOUR, NOW, OTHER_DIGEST, changed, signer

EVERYWHERE = Scope("shop", "production", None, None)
NARROW = Scope("shop", "production", frozenset({"b", "a"}), frozenset({"shop"}))
HERE = Environment("prod-eu", "uid", "shop")
NAMED = NamedRelease(OTHER_DIGEST, DIGEST)
KEY = Entry("key", signer("ci").private.public.id, "stolen")

WRITTEN: dict[str, tuple[Any, dict[str, Any]]] = {
    "approval": (
        Approval("APPROVED", EVERYWHERE, NOW, NOW + DAY, "release 45").compose(),
        {
            "decision": "APPROVED",
            "scope": {"pipeline": "shop", "stage": "production"},
            "reason": "release 45",
            "timeApproved": "2026-11-26T12:00:00Z",
            "expires": "2026-11-27T12:00:00Z",
            "critical": [],
        },
    ),
    "approval without a reason, of some places": (
        Approval("APPROVED", NARROW, NOW, NOW + DAY).compose(),
        {
            "decision": "APPROVED",
            "scope": {
                "pipeline": "shop",
                "stage": "production",
                "clusters": ["a", "b"],
                "namespaces": ["shop"],
            },
            "timeApproved": "2026-11-26T12:00:00Z",
            "expires": "2026-11-27T12:00:00Z",
            "critical": [],
        },
    ),
    "approval of a release": (
        Approval("APPROVED", EVERYWHERE, NOW, NOW + DAY, release=OTHER_DIGEST).compose(),
        {
            "decision": "APPROVED",
            "scope": {"pipeline": "shop", "stage": "production"},
            "release": {"digest": {"sha256": OTHER_DIGEST.hex}},
            "timeApproved": "2026-11-26T12:00:00Z",
            "expires": "2026-11-27T12:00:00Z",
            "critical": [],
        },
    ),
    "break-glass": (
        BreakGlass(EVERYWHERE, "down", NOW, NOW + HOUR, "https://example.com/7").compose(),
        {
            "scope": {"pipeline": "shop", "stage": "production"},
            "reason": "down",
            "issued": "2026-11-26T12:00:00Z",
            "expires": "2026-11-26T13:00:00Z",
            "incident": "https://example.com/7",
            "critical": [],
        },
    ),
    "receipt": (
        StageEntered("shop", "production", HERE, NOW, NOW + DAY).compose("ab", ("cd",)),
        {
            "pipeline": "shop",
            "stage": "production",
            "environment": {"cluster": "uid", "clusterName": "prod-eu", "namespace": "shop"},
            "entered": "2026-11-26T12:00:00Z",
            "expires": "2026-11-27T12:00:00Z",
            "policy": {"digest": {"sha256": "ab"}},
            "inputAttestations": [
                {
                    "uri": "https://stagepass.dev/attestation/stage-passed/v1",
                    "digest": {"sha256": "cd"},
                }
            ],
            "critical": [],
        },
    ),
    "receipt of a release": (
        StageEntered("shop", "production", HERE, NOW, None, OTHER_DIGEST).compose(None, ()),
        {
            "pipeline": "shop",
            "stage": "production",
            "environment": {"cluster": "uid", "clusterName": "prod-eu", "namespace": "shop"},
            "entered": "2026-11-26T12:00:00Z",
            "release": {"digest": {"sha256": OTHER_DIGEST.hex}},
            "critical": [],
        },
    ),
    "pass of a release": (
        PassDetails("shop", "test", Environment("test"), release=NAMED).compose(
            image=NAME, now=NOW, valid_for=DAY
        ),
        {
            "verifier": {
                "id": "https://stagepass.dev/cli",
                "version": {"stagepass": __version__},
            },
            "pipeline": "shop",
            "stage": "test",
            "environment": {"clusterName": "test"},
            "release": {
                "digest": {"sha256": OTHER_DIGEST.hex},
                "imageSet": {"sha256": DIGEST.hex},
            },
            "resourceUri": f"oci://{NAME}",
            "verificationResult": "PASSED",
            "timeVerified": "2026-11-26T12:00:00Z",
            "expires": "2026-11-27T12:00:00Z",
            "critical": [],
        },
    ),
    "receipt without an end": (
        StageEntered("shop", "production", HERE, NOW, None).compose(None, ()),
        {
            "pipeline": "shop",
            "stage": "production",
            "environment": {"cluster": "uid", "clusterName": "prod-eu", "namespace": "shop"},
            "entered": "2026-11-26T12:00:00Z",
            "critical": [],
        },
    ),
    "revocation list": (
        RevocationList.of(3, NOW, NOW + DAY, (ARTIFACT, KEY)).compose(),
        {
            "sequence": 3,
            "issued": "2026-11-26T12:00:00Z",
            "expires": "2026-11-27T12:00:00Z",
            "entries": [ARTIFACT.to_json(), KEY.to_json()],
            "critical": [],
        },
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_statement_is_written_as_it_is_documented(name: str) -> None:
    text, expected = WRITTEN[name]

    assert json.loads(text) == expected


@pytest.mark.parametrize(
    "value",
    [
        Approval("APPROVED", NARROW, NOW, NOW + DAY),
        Approval("APPROVED", NARROW, NOW, NOW + DAY, release=OTHER_DIGEST),
        BreakGlass(NARROW, "down", NOW, NOW + HOUR, "https://example.com/7"),
        BreakGlass(EVERYWHERE, "down", NOW, NOW + HOUR),
        RevocationList.of(3, NOW, NOW + DAY, (ARTIFACT, KEY, Entry("identity", "x@y", "left"))),
        RevocationList.of(0, NOW, NOW + DAY, ()),
    ],
)
def test_what_was_written_reads_back(value: Any) -> None:
    assert type(value).parse(json.loads(value.compose())) == value


@pytest.mark.parametrize("expires", [NOW + DAY, None])
@pytest.mark.parametrize("release", [OTHER_DIGEST, None])
def test_a_receipt_reads_back(expires: Any, release: Any) -> None:
    value = StageEntered("shop", "production", HERE, NOW, expires, release)

    assert StageEntered.parse(json.loads(value.compose("ab", ("cd",)))) == value


def test_the_release_of_a_pass_reads_back() -> None:
    assert StagePassed.parse(WRITTEN["pass of a release"][1]).release == NAMED
    assert StagePassed.parse(READ["pass"][1]).release is None


READ = {
    "pass": (
        StagePassed,
        json.loads(PassDetails("shop", "test", HERE).compose(image=NAME, now=NOW, valid_for=DAY)),
    ),
    "approval": (Approval, WRITTEN["approval"][1]),
    "break-glass": (BreakGlass, WRITTEN["break-glass"][1]),
    "receipt": (StageEntered, WRITTEN["receipt"][1]),
    "revocation list": (RevocationList, WRITTEN["revocation list"][1]),
}
DOCUMENTED = {
    "pass": (
        "verifier pipeline stage environment observed source release resourceUri policy"
        " inputAttestations verificationResult timeVerified expires serial critical"
    ),
    "receipt": "pipeline stage environment entered policy release inputAttestations expires critical",
    "approval": "decision scope reviewed release request reason timeApproved expires nonce critical",
    "break-glass": "scope reason issued expires incident critical",
    "revocation list": "sequence previous issued expires entries critical",
}


@pytest.mark.parametrize("name", READ)
def test_every_member_that_is_documented_is_understood_and_no_other(name: str) -> None:
    kind, predicate = READ[name]
    documented = DOCUMENTED[name].split()

    assert kind.parse({**predicate, "critical": documented})
    for member in ("unheard", "Scope", "", "compromisedSince"):
        with pytest.raises(AttestationError, match="does not understand"):
            kind.parse({**predicate, "critical": [*documented, member]})


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("critical", ["expires", None, {}, [7], [None]])
def test_critical_is_a_list_of_names(name: str, critical: Any) -> None:
    kind, predicate = READ[name]

    with pytest.raises(AttestationError, match="critical is not a list of member names"):
        kind.parse({**predicate, "critical": critical})


@pytest.mark.parametrize("name", READ)
def test_members_that_nobody_knows_are_ignored(name: str) -> None:
    kind, predicate = READ[name]

    assert kind.parse({**predicate, "x": 1, "critical": []}) == kind.parse(
        changed(predicate, {"critical": DROP})
    )


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize(
    "value", ["2026-11-26", "2026-11-26T12:00:00", "2026-11-26T12:00:00+00:00", 0, None]
)
def test_a_time_is_rfc_3339_in_utc_and_nothing_else(name: str, value: Any) -> None:
    kind, predicate = READ[name]
    times = [m for m, v in predicate.items() if isinstance(v, str) and v.startswith("2026")]

    assert times
    for member in times:
        with pytest.raises(AttestationError, match=f"^{member}: "):
            kind.parse({**predicate, member: value})


@pytest.mark.parametrize(
    ("clusters", "namespaces", "place", "covered"),
    [
        (None, None, Place("a", "x"), True),
        (frozenset({"a"}), None, Place("a", "x"), True),
        (frozenset({"a"}), None, Place("b", "x"), False),
        (None, frozenset({"x"}), Place("b", "x"), True),
        (None, frozenset({"x"}), Place("b", "y"), False),
        (frozenset({"a"}), frozenset({"x"}), Place("a", "y"), False),
        (frozenset(), None, Place("a", "x"), False),
        (None, frozenset(), Place("a", "x"), False),
        (frozenset({"*"}), frozenset({"*"}), Place("a", "x"), False),
    ],
)
def test_a_scope_is_compared_name_by_name(
    clusters: Any, namespaces: Any, place: Place, covered: bool
) -> None:
    scope = Scope("shop", "production", clusters, namespaces)

    assert scope.covers("shop", "production", place) is covered
    assert not scope.covers("shop", "staging", place)
    assert not scope.covers("other", "production", place)


def test_a_uid_or_namespace_that_is_no_text_is_none() -> None:
    """Only recorded, unless the policy gives a UID: then no UID is another UID."""
    found = Environment.parse({"environment": {"clusterName": "a", "cluster": 7, "namespace": []}})

    assert found == Environment("a")
    assert found.to_json() == {"clusterName": "a"}


def test_the_digest_of_a_list_is_of_its_entries_in_their_order() -> None:
    other = Entry("artifact", OTHER_DIGEST.hex, "x")
    one, two = (RevocationList.of(1, NOW, NOW, e) for e in ((ARTIFACT, other), (other, ARTIFACT)))

    assert one.digest != two.digest
    later = RevocationList.of(2, parse_time("2030-01-01T00:00:00Z"), NOW, (ARTIFACT, other))
    assert later.digest == one.digest
