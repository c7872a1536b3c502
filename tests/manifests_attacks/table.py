"""Every row."""

from __future__ import annotations

from tests.manifests_attacks import evidence, evidence_registry, forged, made, others, pods
from tests.manifests_attacks.evidence import Trick
from tests.manifests_attacks.row import Attack

ROWS: tuple[Attack, ...] = (*pods.ROWS, *others.ROWS, *forged.ROWS, *made.ROWS)
TRICKS: tuple[Trick, ...] = (*evidence.ROWS, *evidence_registry.ROWS)
