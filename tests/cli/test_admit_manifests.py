"""`stagepass admit` and `scan` where manifests are required: they answer as the gate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Result, Shop
from tests.core.gated import OBJECTS, REQUIRED, World, a_pod, gated
from tests.core.objects import review
from tests.policy.signed import ATTESTORS, beside
from tests.release.samples import CONFIG, DEPLOYMENT, altered
from tests.world import DROP, NOW, write_policy


@pytest.fixture
def world(shop: Shop) -> World:
    write_policy(shop.policy, {**ATTESTORS, **REQUIRED}, extra=beside())
    world = World(shop.evidence, gated({}))
    world.released()
    return world


def judge(shop: Shop, command: str, *documents: Any, more: tuple[str, ...] = ()) -> Result:
    path = shop.root / "objects.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    where = ("--policy", str(shop.policy), "--cluster", "prod-eu", "--output", "json")
    evidence = () if "--evidence" in more else ("--evidence", f"dir:{shop.evidence}")
    at = ("--now", NOW.isoformat().replace("+00:00", "Z"))
    return shop.run(command, str(path), *where, *evidence, *at, *more)


@pytest.mark.usefixtures("world")
class TestAdmit:
    def test_what_was_released(self, shop: Shop) -> None:
        found = judge(shop, "admit", *OBJECTS, a_pod())
        assert (found.code, {line["decision"] for line in found.lines}) == (0, {"admitted"})

    def test_one_changed_field(self, shop: Shop) -> None:
        found = judge(shop, "admit", altered(DEPLOYMENT, spec__replicas=9))
        (violation,) = found.line["violations"]
        assert (found.code, violation["code"]) == (1, "MANIFEST_DIFFERS")
        assert violation["path"] == "spec.replicas"
        assert "got 9, attested 2" in violation["message"]

    def test_as_people_write_it(self, shop: Shop) -> None:
        """Without a namespace, with nulls: as the API server will show it to the gate."""
        written = altered(CONFIG, metadata__namespace=DROP, metadata__creationTimestamp=None)
        assert judge(shop, "admit", written, more=("--namespace", "shop")).code == 0

    def test_a_review(self, shop: Shop) -> None:
        path = shop.root / "review.json"
        codes = []
        for document in (CONFIG, altered(CONFIG, data__a="b")):
            path.write_text(json.dumps(review(document, name="settings")))
            where = ("--policy", str(shop.policy), "--cluster", "prod-eu")
            evidence = ("--evidence", f"dir:{shop.evidence}")
            now = ("--now", "2026-11-26T12:00:00Z")
            codes.append(shop.run("admit", str(path), *where, *evidence, *now).code)
        assert codes == [0, 1]

    def test_offline_a_registry_might_hold_it(self, shop: Shop) -> None:
        both = ("--evidence", f"dir:{shop.evidence}", "--evidence", "registry", "--offline")
        assert judge(shop, "admit", CONFIG, more=both).code == 0
        # The policy names no repository: no registry holds these releases.
        assert judge(shop, "admit", altered(CONFIG, data__a="b"), more=both).code == 1

    def test_scan_judges_what_runs(self, shop: Shop) -> None:
        evil = a_pod(metadata__name="checkout-7d4b9c6f5d-22222")
        evil["spec"]["containers"][0]["command"] = ["sh"]
        found = judge(shop, "scan", a_pod(), evil)
        assert [line["decision"] for line in found.lines] == ["admitted", "denied"]


def test_offline_with_a_repository_it_is_not_known(shop: Shop) -> None:
    rule = {"from": ["ci"], "repository": "registry.example.com/shop/releases"}
    changes = {**ATTESTORS, **REQUIRED, "pipeline.stages.2.release": rule}
    write_policy(shop.policy, changes, extra=beside())
    World(shop.evidence, gated({})).released()
    both = ("--evidence", f"dir:{shop.evidence}", "--evidence", "registry", "--offline")

    assert judge(shop, "admit", CONFIG, more=both).code == 0
    found = judge(shop, "admit", altered(CONFIG, data__a="b"), more=both)
    assert found.code == 2
    assert "--offline" in json.dumps(found.line["violations"])
    assert Path(shop.evidence).is_dir()
