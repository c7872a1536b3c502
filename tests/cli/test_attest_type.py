"""`attest --type --policy`: a predicate is signed only where some requirement would count it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stagepass.clock import format_time
from stagepass.predicates.members import APPROVAL, STAGE_PASSED
from tests.cli.conftest import Result, Shop
from tests.world import (
    DIGEST,
    HOUR,
    NOW,
    OTHER_IMAGE,
    PROVENANCE,
    SECOND,
    VULNERABILITIES,
    write_policy,
)

SCAN = "pipeline.stages.2.requires.0.attestation"
FLOOR = {
    "apiVersion": "stagepass.dev/v1",
    "kind": "Baseline",
    "metadata": {"name": "licensed"},
    "images": ["**"],
    "namespaces": ["*"],
    "requires": [
        {
            "attestation": {
                "name": "licences",
                "from": ["scanner"],
                "predicateType": "https://example.com/licences/v1",
                "where": "predicate.free == true",
            }
        }
    ],
}
LICENCES = "https://example.com/licences/v1"


def claim(
    shop: Shop, kind: str, key: str, *arguments: str, predicate: Any = None, **options: str
) -> Result:
    file = shop.root / "predicate.json"
    file.write_text(json.dumps({} if predicate is None else predicate))
    return shop.attest(
        *("--type", kind, "--predicate", str(file), "--key", shop.key(key)),
        *("--policy", str(shop.policy), *arguments),
        **options,
    )


def told(result: Result) -> list[tuple[str, str, str]]:
    """Code, requirement and stage of what refuses."""
    return [(v["code"], v["requirement"], v["stage"]) for v in result.line["violations"]]


def test_what_a_requirement_asks_for_is_signed_and_counts(shop: Shop) -> None:
    assert claim(shop, PROVENANCE, "ci").code == 0
    assert shop.verify("test").code == 0
    assert claim(shop, VULNERABILITIES, "scanner").code == 0


@pytest.mark.parametrize("key", ["scanner", "test-cluster", "stranger"])
def test_a_key_that_no_requirement_names_signs_nothing(shop: Shop, key: str) -> None:
    """The line is that of a refused pass, and says which requirement there is and whose."""
    result = claim(shop, PROVENANCE, key)

    assert (result.code, shop.bundles()) == (1, [])
    assert told(result) == [("SIGNER_UNKNOWN", "provenance", "test")]
    assert "shop/test" in result.line["violations"][0]["message"]
    assert "from ci" in result.line["violations"][0]["message"]
    refused = shop.attest(
        *("--stage", "test", "--key", shop.key("stranger"), "--policy", str(shop.policy))
    )
    assert result.line.keys() == refused.line.keys()
    assert result.line["decision"] == "denied"


def test_people_read_the_reason(shop: Shop) -> None:
    file = shop.root / "predicate.json"
    file.write_text("{}")
    result = shop.run(
        *("attest", f"registry.example.com/shop/checkout@{DIGEST}", "--key", shop.key("stranger")),
        *("--type", PROVENANCE, "--predicate", str(file), "--policy", str(shop.policy)),
        *("--evidence", f"dir:{shop.evidence}"),
    )

    assert result.code == 1
    assert "this key may not sign 'provenance' of shop/test, which is from ci" in result.out


def test_a_false_condition_is_quoted(shop: Shop) -> None:
    write_policy(shop.policy, {f"{SCAN}.where": 'predicate.result == "PASSED"'})
    refused = claim(shop, VULNERABILITIES, "scanner", predicate={"result": "FAILED"})

    assert (refused.code, shop.bundles()) == (1, [])
    assert told(refused) == [("CONDITION_FALSE", "vulnerabilities", "production")]
    assert 'predicate.result == "PASSED"' in refused.line["violations"][0]["message"]
    assert claim(shop, VULNERABILITIES, "scanner", predicate={"result": "PASSED"}).code == 0


def test_a_condition_that_gives_no_verdict_refuses(shop: Shop) -> None:
    write_policy(shop.policy, {f"{SCAN}.where": "predicate.count < 3"})
    result = claim(shop, VULNERABILITIES, "scanner", predicate={"count": "none"})

    assert told(result) == [("CONDITION_ERROR", "vulnerabilities", "production")]
    assert (result.code, shop.bundles()) == (1, [])


@pytest.mark.parametrize(
    ("age", "code"),
    [(HOUR - SECOND, None), (HOUR, "STALE"), (-HOUR, "FUTURE")],
    ids=["in time", "stale", "future"],
)
def test_what_is_stale_before_it_is_signed_is_not(shop: Shop, age: Any, code: str | None) -> None:
    write_policy(shop.policy, {f"{SCAN}.time": "predicate.at", f"{SCAN}.maxAge": "1h"})
    result = claim(shop, VULNERABILITIES, "scanner", predicate={"at": format_time(NOW - age)})

    assert result.code == (0 if code is None else 1)
    assert code is None or told(result) == [(code, "vulnerabilities", "production")]
    assert len(shop.bundles()) == (1 if code is None else 0)


def test_one_of_several_requirements_is_enough_and_else_each_is_told(shop: Shop) -> None:
    """Every stage may ask in its own way; what serves one of them is worth a signature."""
    need = {"name": "built", "from": ["ci"], "predicateType": PROVENANCE, "where": "predicate.b"}
    both = {
        "pipeline.stages.1.requires": [{"attestation": need}],
        "pipeline.stages.0.requires.0.attestation.where": "predicate.a",
    }
    write_policy(shop.policy, both)
    refused = claim(shop, PROVENANCE, "ci", predicate={"a": False, "b": False})

    assert [each[1:] for each in told(refused)] == [("built", "staging"), ("provenance", "test")]
    assert refused.line["places"] == [
        {"pipeline": "shop", "stage": "staging"},
        {"pipeline": "shop", "stage": "test"},
    ]
    assert claim(shop, PROVENANCE, "ci", predicate={"a": False, "b": True}).code == 0


@pytest.mark.parametrize(
    "window", [{"validUntil": "2026-11-26T12:00:00Z"}, {"validFrom": "2026-11-26T12:00:01Z"}]
)
def test_a_key_outside_its_window_signs_nothing(shop: Shop, window: dict[str, str]) -> None:
    write_policy(shop.policy, {f"attestors.ci.keys.0.{name}": at for name, at in window.items()})
    result = claim(shop, PROVENANCE, "ci")

    assert (result.code, shop.bundles()) == (1, [])
    assert told(result) == [("SIGNER_UNKNOWN", "provenance", "test")]


@pytest.mark.parametrize("what", ["--public-key", "--artifact"])
def test_a_revoked_key_or_image_gets_nothing_signed(shop: Shop, what: str) -> None:
    listed = shop.policy / "list.sigstore.json"
    about = str(shop.policy / "keys" / "ci.pub") if what == "--public-key" else str(DIGEST)
    revoke = [what, about, "--reason", "stolen", "--now", format_time(NOW)]
    assert shop.run("revoke", str(listed), "--key", shop.key("scanner"), *revoke).code == 0
    revocations = {"kind": "Revocations", "file": listed.name, "from": ["scanner"]}
    (shop.policy / "revocations.yaml").write_text(
        json.dumps({"apiVersion": "stagepass.dev/v1", **revocations})
    )
    result = claim(shop, PROVENANCE, "ci")

    assert (result.code, shop.bundles()) == (1, [])
    (violation,) = result.line["violations"]
    assert violation["code"] == "REVOKED"
    assert "stolen" in violation["message"]


def test_a_baseline_asks_too_and_for_images_that_no_pipeline_covers(shop: Shop) -> None:
    write_policy(shop.policy, extra={"floor.yaml": json.dumps(FLOOR)})
    nginx = f"docker.io/library/nginx@{DIGEST}"

    refused = claim(shop, LICENCES, "scanner", image=nginx, predicate={"free": False})
    assert told(refused) == [("CONDITION_FALSE", "licensed: licences", "")]
    assert claim(shop, LICENCES, "scanner", image=nginx, predicate={"free": True}).code == 0
    assert claim(shop, LICENCES, "scanner", predicate={"free": True}).code == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"images": ["docker.io/**"]}, 64),
        ({"clusters": ["test"]}, 0),
        ({"clusters": ["elsewhere"]}, 64),
        ({"namespaces": ["shop-*"]}, 0),
        ({"namespaces": ["other"]}, 64),
    ],
    ids=str,
)
def test_with_a_pipeline_a_baseline_asks_only_below_it(
    shop: Shop, changes: dict[str, Any], code: int
) -> None:
    write_policy(shop.policy, extra={"floor.yaml": json.dumps({**FLOOR, **changes})})
    result = claim(shop, LICENCES, "scanner", "--pipeline", "shop", predicate={"free": True})

    assert result.code == code


def test_a_pipeline_narrows_what_is_asked_for(shop: Shop) -> None:
    second = {
        "apiVersion": "stagepass.dev/v1",
        "kind": "Pipeline",
        "metadata": {"name": "second"},
        "images": ["registry.example.com/shop/**"],
        "stages": [{"name": "test", "clusters": ["test"], "namespaces": ["other"]}],
    }
    write_policy(shop.policy, extra={"second.yaml": json.dumps(second)})

    assert claim(shop, PROVENANCE, "ci", "--pipeline", "second").code == 64
    assert claim(shop, PROVENANCE, "ci", "--pipeline", "shop").code == 0
    unknown = claim(shop, PROVENANCE, "ci", "--pipeline", "shp")
    assert (unknown.code, "no pipeline is called 'shp'" in unknown.err) == (64, True)


@pytest.mark.parametrize(
    ("kind", "image", "reason"),
    [
        (
            "https://slsa.dev/provenance/v0.2",
            None,
            f"asked for are {VULNERABILITIES}, {PROVENANCE}",
        ),
        (PROVENANCE, f"docker.io/library/nginx@{DIGEST}", "asks for nothing about"),
        (STAGE_PASSED, None, "`stagepass attest --stage`"),
        (APPROVAL, None, "`stagepass approve`"),
    ],
    ids=["type", "image", "pass", "approval"],
)
def test_what_nobody_asks_for_is_a_mistake_and_says_what_is(
    shop: Shop, kind: str, image: str | None, reason: str
) -> None:
    """A pass by way of --type would leave out whether the stage admits the image."""
    passed = {
        "pipeline": "shop",
        "stage": "test",
        "environment": {"clusterName": "test"},
        "verificationResult": "PASSED",
        "timeVerified": format_time(NOW),
        "expires": format_time(NOW + HOUR),
    }
    result = claim(shop, kind, "ci", image=image or str(OTHER_IMAGE), predicate=passed)

    assert (result.code, result.out, shop.bundles()) == (64, "", [])
    assert reason in result.err


def test_a_policy_that_does_not_load_signs_nothing(shop: Shop) -> None:
    (shop.policy / "policy.yaml").write_text("kind: Nonsense\n")

    assert (claim(shop, PROVENANCE, "ci").code, shop.bundles()) == (64, [])
