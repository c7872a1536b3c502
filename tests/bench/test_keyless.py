from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.repository.sources import ROOT


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, Any]]:
    """What a quick run of the section says: sigstore's own verifier, real servers, few rounds."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--output", "json", "keyless"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    (section,) = json.loads(done.stdout)["sections"]
    return {row["measure"]: row for row in section["rows"]}


@pytest.mark.parametrize(
    "proof", ["Rekor v1", "Rekor v1 and a time stamp", "Rekor v2 and a time stamp"]
)
def test_a_bundle_is_verified_beside_sigstores_own_verifier(
    rows: dict[str, dict[str, Any]], proof: str
) -> None:
    row = rows[f"{proof}: CPU a bundle"]

    assert row["reference"] > 0
    assert row["goal"] == "<= 1.2"


def test_a_gate_answers_by_identities_and_by_keys(rows: dict[str, dict[str, Any]]) -> None:
    assert rows["warm, reference keys: CPU a review"]["reference"] > 0


def test_a_set_without_identities_does_not_load_sigstore(rows: dict[str, dict[str, Any]]) -> None:
    """By what its workers hold: the libraries take over 15 MiB."""
    plain, identities = (
        rows[f"worker, {of} (at the start)"] for of in ("keys alone", "identities")
    )

    assert plain["ours"] + 10 < identities["ours"]
