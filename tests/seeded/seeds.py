"""Every seeded bug."""

from __future__ import annotations

from tests.seeded import (
    evidence_bugs,
    gate_bugs,
    keyless_bugs,
    manifest_bugs,
    registry_bugs,
    release_bugs,
)

SEEDS = (
    *evidence_bugs.SEEDS,
    *gate_bugs.SEEDS,
    *keyless_bugs.SEEDS,
    *manifest_bugs.SEEDS,
    *registry_bugs.SEEDS,
    *release_bugs.SEEDS,
)
