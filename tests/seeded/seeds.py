"""Every seeded bug."""

from __future__ import annotations

from tests.seeded import evidence_bugs, gate_bugs, registry_bugs

SEEDS = (*evidence_bugs.SEEDS, *gate_bugs.SEEDS, *registry_bugs.SEEDS)
