"""`python -m applier rbac`: whom the applier may act as, by a policy set, for `kubectl apply -f -`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from applier.rbac import as_yaml, impersonation
from stagepass.policy.store import load_directory
from stagepass.settings import public_key


def rbac(chosen: argparse.Namespace) -> int:
    """Print it; asks no cluster. Raises `PolicyError`, `InputError`."""
    policy = load_directory(Path(chosen.policy), public_key(chosen.root_key))
    documents = impersonation(
        policy, chosen.cluster, namespace=chosen.namespace, account=chosen.account
    )
    sys.stdout.write(as_yaml(documents))
    return 0
