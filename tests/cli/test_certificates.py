"""Bundles of certificates through the commands: stored unchanged, listed, judged; and described in cases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stagepass.clock import format_time
from stagepass.digest import Digest
from tests.cli.conftest import Shop
from tests.keyless.world import ENTRY, FROM, ISSUER, files, keyless
from tests.policy.signed import ATTESTORS
from tests.simulators.registry import Registry
from tests.world import IMAGE, NOW, PROVENANCE, statement, write_policy


@pytest.fixture
def bundle(shop: Shop) -> Path:
    """Provenance by the workflow, in a file; the shop's policy asks for it."""
    write_policy(shop.policy, {**ATTESTORS, FROM: ["release"]}, extra=files([ENTRY]))
    path = shop.root / "bundle.json"
    path.write_bytes(keyless())
    return path


def test_it_is_stored_unchanged_listed_and_admits(shop: Shop, bundle: Path) -> None:
    where = ("--evidence", f"dir:{shop.evidence}")
    attached = shop.run("evidence", "attach", str(IMAGE), "--bundle", str(bundle), *where)
    listed = shop.run(
        *("evidence", "ls", str(IMAGE), "--policy", str(shop.policy), *where, "--output", "json")
    )
    verified = shop.run(
        *("verify", str(IMAGE), "--policy", str(shop.policy), "--stage", "test", *where),
        *("--output", "json", "--now", format_time(NOW)),
    )

    assert attached.code == 0
    assert [path.read_bytes() for path in shop.bundles()] == [bundle.read_bytes()]
    assert (listed.line["counts"], listed.line["signer"]) == (True, "ci")
    assert (verified.code, verified.line["decision"]) == (0, "admitted")
    assert [each["signer"] for each in verified.line["evidence"]] == ["ci"]


def test_one_of_a_stranger_is_told_whom_the_policy_wants(shop: Shop, bundle: Path) -> None:
    bundle.write_bytes(keyless(issuer="https://evil.example"))
    where = ("--evidence", f"dir:{shop.evidence}")
    shop.run("evidence", "attach", str(IMAGE), "--bundle", str(bundle), *where)
    verified = shop.run(
        *("verify", str(IMAGE), "--policy", str(shop.policy), "--stage", "test", *where),
        *("--now", format_time(NOW)),
    )

    assert verified.code == 1
    assert "of issuer 'https://evil.example'" in verified.out
    assert f"the nearest wants issuer {ISSUER!r}" in verified.out


def test_the_legacy_layout_has_no_room_for_it(shop: Shop, bundle: Path) -> None:
    with Registry() as registry:
        digest = Digest.parse(registry.push_image("shop/checkout"))
        bundle.write_bytes(keyless(statement(PROVENANCE, digest=digest)))
        image, before = f"{registry.host}/shop/checkout@{digest}", len(registry.requests)
        legacy = ("--layout", "legacy")
        result = shop.run("evidence", "attach", image, "--bundle", str(bundle), *legacy)

    assert result.code == 64
    assert "the legacy layout has no room for a certificate" in result.err
    assert len(registry.requests) == before


def test_a_case_describes_what_an_identity_says(shop: Shop, bundle: Path) -> None:
    del bundle
    case = {
        "name": "the workflow builds what test takes",
        "now": "2026-11-26T12:00:00Z",
        "cluster": "test",
        "namespace": "shop",
        "image": str(IMAGE),
        "evidence": [{"attestation": {"type": PROVENANCE, "by": "release", "predicate": {}}}],
        "expect": {"decision": "admitted"},
    }
    by_ci = {"attestation": {"type": PROVENANCE, "by": "scanner", "predicate": {}}}
    refused = {**case, "name": "and no other", "evidence": [by_ci]}
    refused["expect"] = {"decision": "denied", "codes": ["REQUIREMENT_MISSING", "SIGNER_UNKNOWN"]}
    path = shop.root / "cases.yaml"
    path.write_text(json.dumps({"cases": [case, refused]}))
    result = shop.run("policy", "test", str(path), "--policy", str(shop.policy))

    assert result.code == 0, result.out + result.err
