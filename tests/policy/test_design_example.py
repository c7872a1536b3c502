"""The worked example of a whole policy, with everything that a stage can ask for at once."""

from __future__ import annotations

from typing import Any

from stagepass.decision import Answer
from stagepass.policy.evaluate import evaluate
from stagepass.policy.lint import lint
from stagepass.policy.releases import ManifestMode
from tests.policy.signed import shop
from tests.policy.test_manifests import ATTESTED, full
from tests.world import IMAGE, NOW, PROD_EU, verified

_BEFORE = {
    f"pipeline.stages.{n}.{name}": value
    for n in (0, 1)
    for name, value in (("manifests", "warn"), ("release", {"from": ["ci"]}))
}
WHOLE: dict[str, Any] = {
    **_BEFORE,
    "pipeline.stages.2.manifests": "required",
    "pipeline.stages.2.release": {
        "from": ["ci"],
        "repository": "registry.example.com/shop/releases",
        "allow": [{"kinds": ["apps/Deployment"], "pointer": "/spec/replicas", "reason": "scaled"}],
    },
    "pipeline.stages.2.source": {
        "git": "https://git.example.com/shop/deploy.git",
        "ref": "main",
        "path": "production",
        "serviceAccount": {"namespace": "shop", "name": "deployer"},
    },
}


def test_the_whole_policy_loads_and_admits_what_has_everything() -> None:
    policy = shop(WHOLE)
    stage = policy.pipelines[0].stages[2]
    assert (stage.manifests, stage.release is not None) == (ManifestMode.REQUIRED, True)

    claims = {"shop": ATTESTED}
    decision = evaluate(policy, IMAGE, PROD_EU, verified(policy, full()), now=NOW, claims=claims)
    assert decision.answer is Answer.ADMITTED


def test_a_repository_that_matches_the_images_of_the_pipeline_is_fine() -> None:
    unused = {"unused-attestor"}  # this world has people whom nothing names

    assert {finding.rule for finding in lint(shop(WHOLE), now=NOW)} <= unused
