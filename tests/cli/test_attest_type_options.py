"""`attest --type`: which options go with it, and what it says of a predicate that is too large."""

from __future__ import annotations

import pytest

from stagepass.statement import MAX_BYTES
from tests.cli.conftest import Shop
from tests.cli.test_attest_type import claim
from tests.world import PROVENANCE

OF_A_PASS = {
    "--cluster": "test",
    "--namespace": "shop",
    "--cluster-uid": "6f1c",
    "--observed-from": "2026-11-25T12:00:00Z",
    "--observed-to": "2026-11-26T11:00:00Z",
    "--source": "https://git.example.com/shop@c0ffee",
    "--valid-for": "30d",
    "--release": "release.json",
}


@pytest.mark.parametrize("option", OF_A_PASS)
def test_what_describes_a_pass_is_not_dropped_in_silence(shop: Shop, option: str) -> None:
    """Also where what was given is what a pass has by default."""
    result = claim(shop, PROVENANCE, "ci", option, OF_A_PASS[option])

    assert result.code == 64
    assert f"{option} goes with --stage" in result.err
    assert shop.bundles() == []


def test_all_that_goes_with_a_stage_is_named_at_once(shop: Shop) -> None:
    result = claim(shop, PROVENANCE, "ci", "--valid-for", "1h", "--cluster", "test")

    assert result.code == 64
    assert "--cluster and --valid-for go with --stage" in result.err


def test_a_pipeline_narrows_what_a_policy_is_asked_and_nothing_else(shop: Shop) -> None:
    file = shop.root / "predicate.json"
    file.write_text("{}")
    given = ["--type", PROVENANCE, "--predicate", str(file), "--key", shop.key("ci")]
    result = shop.attest(*given, "--pipeline", "shop")

    assert result.code == 64
    assert "--pipeline" in result.err
    assert "give --policy" in result.err
    assert shop.bundles() == []


@pytest.mark.parametrize("size", [MAX_BYTES, MAX_BYTES + 1])
def test_a_predicate_that_is_too_large_is_told_alike_with_a_policy(shop: Shop, size: int) -> None:
    """At the limit the statement around it is over it."""
    file = shop.root / "predicate.json"
    file.write_bytes(b'{"a":"' + b"a" * (size - 8) + b'"}')
    given = ["--type", PROVENANCE, "--predicate", str(file), "--key", shop.key("ci")]
    without = shop.attest(*given)
    result = shop.attest(*given, "--policy", str(shop.policy))

    assert (result.code, result.err) == (64, without.err)
    assert "1048576" in result.err
    assert shop.bundles() == []
