"""`python -m applier rbac`: what the applier may do, by a policy set, for `kubectl apply -f -`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from applier.rbac import as_yaml, impersonation, mirroring
from stagepass.policy.store import load_directory
from stagepass.settings import public_key


def rbac(chosen: argparse.Namespace) -> int:
    """Print it; asks no cluster. Raises `PolicyError`, `InputError`."""
    policy = load_directory(Path(chosen.policy), public_key(chosen.root_key))
    own = {"namespace": chosen.namespace, "account": chosen.account}
    documents = impersonation(policy, chosen.cluster, **own)
    if chosen.mirror:
        documents += mirroring(policy, chosen.cluster, into=chosen.mirror, **own)
    sys.stdout.write(as_yaml(documents))
    return 0
