from __future__ import annotations

from typing import Any

import pytest

from stagepass import __version__, strictjson
from stagepass.clock import parse_time
from stagepass.errors import AttestationError
from stagepass.predicates.environment import Environment
from stagepass.predicates.passed import PassDetails, StagePassed
from tests.world import DAY, DROP, IMAGE, NOW, changed

HEX = "ab" * 32
DETAILS = PassDetails(
    pipeline="shop",
    stage="staging",
    environment=Environment("staging", "6f1c", "shop"),
    observed=(NOW - DAY, NOW),
    source=("git+https://git.example.com/shop", "c0ffee"),
    policy_revision="ab" * 32,
    inputs=("cd" * 32,),
)
TEXT = DETAILS.compose(image=str(IMAGE), now=NOW, valid_for=30 * DAY)
GOOD: dict[str, Any] = strictjson.loads_object(TEXT, max_bytes=1 << 16, max_depth=9)


def test_a_pass_is_written_as_it_is_documented() -> None:
    assert {
        "verifier": {
            "id": "https://stagepass.dev/cli",
            "version": {"stagepass": __version__},
        },
        "pipeline": "shop",
        "stage": "staging",
        "environment": {"cluster": "6f1c", "clusterName": "staging", "namespace": "shop"},
        "observed": {
            "from": "2026-11-25T12:00:00Z",
            "to": "2026-11-26T12:00:00Z",
            "soakSeconds": 86400,
        },
        "source": {
            "uri": "git+https://git.example.com/shop",
            "digest": {"gitCommit": "c0ffee"},
        },
        "resourceUri": f"oci://{IMAGE}",
        "policy": {"digest": {"sha256": "ab" * 32}},
        "inputAttestations": [
            {
                "uri": "https://stagepass.dev/attestation/stage-passed/v1",
                "digest": {"sha256": "cd" * 32},
            }
        ],
        "verificationResult": "PASSED",
        "timeVerified": "2026-11-26T12:00:00Z",
        "expires": "2026-12-26T12:00:00Z",
        "critical": [],
    } == GOOD


def test_what_the_signer_does_not_know_is_left_out() -> None:
    bare = PassDetails("shop", "test", Environment("test"))
    text = bare.compose(image=str(IMAGE), now=NOW, valid_for=DAY)
    found = strictjson.loads_object(text, max_bytes=1 << 16, max_depth=9)

    assert found["environment"] == {"clusterName": "test"}
    assert not found.keys() & {"observed", "source", "policy", "inputAttestations"}
    assert StagePassed.parse(found).observed is None


def test_the_checked_fields_read_back() -> None:
    assert StagePassed.parse(GOOD) == StagePassed(
        pipeline="shop",
        stage="staging",
        environment=Environment("staging", "6f1c", "shop"),
        result="PASSED",
        time_verified=NOW,
        expires=NOW + 30 * DAY,
        observed=(NOW - DAY, NOW),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {name: DROP}
        for name in (
            *("verifier", "source", "resourceUri", "policy", "inputAttestations", "critical"),
            "observed.soakSeconds",
        )
    ]
    + [
        {"verifier": 7},
        {"source": None},
        {"policy.digest": "x"},
        {"resourceUri": "oci://elsewhere"},
        {"observed.soakSeconds": -1},
        {"serial": "01JC"},
        {"anything": {"at": "all"}},
        {"critical": ["pipeline", "expires", "release", "serial", "critical"]},
    ],
)
def test_recorded_and_unknown_members_are_never_compared(changes: dict[str, Any]) -> None:
    assert StagePassed.parse(changed(GOOD, changes)) == StagePassed.parse(GOOD)


@pytest.mark.parametrize("name", ["cluster", "namespace"])
@pytest.mark.parametrize("value", [DROP, 7, None, {"at": "all"}])
def test_a_strange_uid_or_namespace_is_read_as_none(name: str, value: object) -> None:
    """Recorded fields; where a policy asks for the UID, none is a mismatch."""
    environment = StagePassed.parse(changed(GOOD, {f"environment.{name}": value})).environment

    assert (environment.uid if name == "cluster" else environment.namespace) is None
    assert environment.cluster == "staging"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"pipeline": DROP}, "pipeline is missing"),
        ({"pipeline": ""}, "pipeline is missing"),
        ({"pipeline": ["shop"]}, "pipeline is missing"),
        ({"stage": DROP}, "stage is missing"),
        ({"stage": None}, "stage is missing"),
        ({"environment": DROP}, "environment is not an object"),
        ({"environment": "staging"}, "environment is not an object"),
        ({"environment.clusterName": DROP}, "environment.clusterName is missing"),
        ({"environment.clusterName": 1}, "environment.clusterName is missing"),
        ({"verificationResult": DROP}, "verificationResult is missing"),
        ({"verificationResult": True}, "verificationResult is missing"),
        ({"timeVerified": DROP}, "timeVerified: None"),
        ({"timeVerified": "2026-11-26T12:00:00+00:00"}, "timeVerified: "),
        ({"timeVerified": 1795694400}, "timeVerified: "),
        ({"expires": DROP}, "expires: None"),
        ({"expires": "never"}, "expires: 'never'"),
        ({"observed": None}, "observed is not an object"),
        ({"release": None}, "release is not an object"),
        ({"release": {}}, "digest is not an object"),
        ({"release": {"digest": {"sha256": HEX}}}, "imageSet is not an object"),
        ({"release": {"digest": {"sha256": "x"}, "imageSet": {"sha256": HEX}}}, "release.digest: "),
        ({"release": {"digest": {"sha256": HEX}, "imageSet": {"sha1": "x"}}}, "of sha256 alone"),
        ({"release": {"digest": HEX, "imageSet": {"sha256": HEX}}}, "digest is not an object"),
        ({"observed.from": DROP}, "observed.from: None"),
        ({"observed.to": "yesterday"}, "observed.to: 'yesterday'"),
        ({"critical": None}, "critical is not a list"),
        ({"critical": "stage"}, "critical is not a list"),
        ({"critical": [1]}, "critical is not a list"),
        ({"critical": ["stage", "quorum"]}, r"critical names \['quorum'\]"),
        ({"critical": ["environment.clusterName"]}, "does not understand"),
    ],
)
def test_a_checked_field_that_cannot_be_read_makes_the_pass_useless(
    changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(AttestationError, match=field) as caught:
        StagePassed.parse(changed(GOOD, changes))
    assert caught.value.code == "STATEMENT_INVALID"


def test_fractions_of_a_second_are_read() -> None:
    found = StagePassed.parse(changed(GOOD, {"timeVerified": "2026-11-26T11:59:59.999999999Z"}))

    assert found.time_verified == parse_time("2026-11-26T11:59:59.999999Z")
