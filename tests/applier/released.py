"""Production in prod-eu, where only releases are applied, over a directory of evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from applier.application import Application, applications
from applier.deciding import Decided, decide
from applier.failure import Failure
from applier.objects import label_value, prepare
from applier.state import Version
from stagepass.predicates.named_release import NamedRelease
from stagepass.release.model import Release
from tests.core.gated import OBJECTS, World, gated
from tests.release.samples import CONFIG, altered
from tests.world import NOW

SOURCE = {
    "git": "https://git.example.com/shop.git",
    "ref": "main",
    "path": "production",
    "serviceAccount": {"namespace": "shop", "name": "deployer"},
}
COMMIT = "d" * 40
VERSION = Version(COMMIT, "b" * 40)
GREEN = altered(CONFIG, data__colour="green")


class Place:
    """Production's application in prod-eu, where manifests are required."""

    def __init__(self, root: Path, changes: Mapping[str, Any] | None = None) -> None:
        self.policy = gated({"pipeline.stages.2.source": SOURCE, **(changes or {})})
        self.world = World(root, self.policy)
        self.application: Application = applications(self.policy, "prod-eu")["shop.production"]

    def prepared(self, objects: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return prepare(objects, label_value("shop", "production"))

    def decide(self, *objects: Mapping[str, Any], **options: Any) -> Decided:
        """On a fresh verifier, of what was rendered."""
        wanted = self.prepared(objects or OBJECTS)
        verifier = self.world.verifier()
        return decide(self.application, verifier, wanted, NOW, commit=COMMIT, **options)

    def refused(self, *objects: Mapping[str, Any], **options: Any) -> Failure:
        with pytest.raises(Failure) as caught:
            self.decide(*objects, **options)
        return caught.value


def named(release: Release) -> NamedRelease:
    return NamedRelease(release.digest, release.image_set)
