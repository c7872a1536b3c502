"""A stage whose prunes two people approve, and their approvals."""

from __future__ import annotations

from typing import Any

from applier.application import Application, applications
from applier.prune_approval import Prune
from stagepass.manifest import ObjectId
from stagepass.policy.model import PolicySet
from tests.policy.signed import approval, shop

SOURCE = {
    "pipeline.stages.2.source": {
        "git": "https://git.example.com/deploy.git",
        "ref": "main",
        "path": "production",
        "serviceAccount": {"namespace": "shop", "name": "deployer"},
    }
}
CLAIM = ObjectId("", "PersistentVolumeClaim", "shop", "data")
SET = ObjectId("apps", "StatefulSet", "shop", "db")


def policy(changes: dict[str, Any] | None = None) -> PolicySet:
    return shop({**SOURCE, **(changes or {})})


def application(found: PolicySet, cluster: str = "prod-eu") -> Application:
    return applications(found, cluster)["shop.production"]


def prune(*objects: ObjectId, found: PolicySet | None = None, cluster: str = "prod-eu") -> Prune:
    return Prune(application(found or policy(), cluster), frozenset(objects or (CLAIM, SET)))


DIGEST = prune().digest


def by(name: str, **more: Any) -> bytes:
    return approval(name, digest=more.pop("digest", DIGEST), **more)
