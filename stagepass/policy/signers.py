"""Whether a key may sign for a stage: asked before anything is signed, by the CLI and the applier."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from stagepass.policy.model import PolicySet, Stage


def may_sign(policy: PolicySet, stage: Stage, cluster: str, key_id: str, now: datetime) -> bool:
    """Whether a pass or receipt of `stage` in `cluster`, signed at `now` by that key, would count."""
    if policy.revocations is not None and key_id in policy.revocations.keys:
        return False
    keys = (policy.attestors[name].key(key_id) for name in stage.signed_by)
    return any(k is not None and k.valid_at(now, now) and k.counts_in(cluster) for k in keys)


def is_signer(policy: PolicySet, attestors: Sequence[str], key_id: str, now: datetime) -> bool:
    """Whether what that key signs at `now` counts as signed by one of these attestors."""
    if policy.revocations is not None and key_id in policy.revocations.keys:
        return False
    keys = (policy.attestors[name].key(key_id) for name in attestors)
    return any(key is not None and key.valid_at(now, now) for key in keys)
