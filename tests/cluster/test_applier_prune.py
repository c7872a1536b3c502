"""A deletion that takes data along: refused, approved in the next commit, and done; by the real loop."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.applier_faults.site import API, Site
from tests.cluster.test_applier_hostile import Shop
from tests.simulators.proxy import PASS, Call, Fate

pytestmark = pytest.mark.cluster

_CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "namespace": "shop"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
}
_NAME = "core/PersistentVolumeClaim/shop/data"
_COMMAND = "to approve it: "


@pytest.fixture
def site() -> Iterator[Site]:
    # A short path: etcd's Unix socket has room for 107 characters.
    with tempfile.TemporaryDirectory(prefix="prune-") as folder, Site(Path(folder)) as running:
        yield running


@pytest.fixture
def shop(site: Site) -> Shop:
    """A release with a volume claim, at a stage that `staging` approves what enters."""
    shop, team = Shop(site), site.team
    approval = {"approval": {"from": ["staging"]}}
    team.write_policy(lambda stages: stages[0]["requires"].append(approval))
    where = ("--pipeline", "shop", "--stage", "test", "--evidence", team.sources)
    key = str(team.directory / "staging.key")
    team.stagepass("approve", shop.image, "--key", key, *where)
    shop.good = team.commit(shop.files(yaml.safe_dump(_CLAIM)))
    shop.delivery.wait_applied(shop.good)
    return shop


def approve(shop: Shop, message: str, key: str) -> dict[str, str]:
    """Run the very command that a refusal names, with that key; the file it wrote, by its path."""
    _, program, *words = shlex.split("- " + message.partition(_COMMAND)[2])
    assert program == "stagepass"
    name = words[words.index("--out") + 1]
    file = shop.team.directory / "deploy" / key / name
    replaced = {"KEY": str(shop.team.directory / f"{key}.key"), name: str(file)}
    shop.team.stagepass(*(replaced.get(word, word) for word in words))
    return {name: file.read_text()}


def stays(shop: Shop, files: dict[str, str], why: str) -> None:
    """Commit; the applier refuses that very commit, says why, and the claim is not touched."""
    commit = shop.team.commit(files)

    def is_refused() -> bool:
        trouble = shop.site.state()["trouble"]
        return trouble is not None and trouble["version"]["commit"] == commit

    shop.delivery.wait(is_refused)
    trouble = shop.site.state()["trouble"]
    assert trouble["reason"] == "PROTECTED_PRUNE"
    assert why in trouble["message"]
    assert "deletionTimestamp" not in shop.delivery.live("pvc", "data")["metadata"]


def fail_once(shop: Shop) -> list[Call]:
    """The first deletion of the claim is answered by an error, after the other object is gone."""
    failed: list[Call] = []

    def rule(door: str, call: Call) -> Fate:
        if door == API and call.method == "DELETE" and call.path.endswith("/data") and not failed:
            failed.append(call)
            return Fate(forward=False, status=503, body=b"{}")
        return PASS

    shop.site.rule = rule
    return failed


def test_a_volume_claim_is_deleted_once_the_commit_brings_its_approval(shop: Shop) -> None:
    uid = shop.delivery.live("pvc", "data")["metadata"]["uid"]
    message = shop.refused(shop.files(base=7), "PROTECTED_PRUNE")["message"]

    planned = shop.delivery.run("plan", "--pipeline", "shop", "--stage", "test", "--output", "json")
    document = json.loads(planned.stdout)
    assert (planned.returncode, document["prune"]) == (1, ["core/ConfigMap/shop/base-7", _NAME])
    assert document["blocked"][0]["message"] == message

    approval = approve(shop, message, "staging")
    stays(shop, {**shop.files(base=7), **approve(shop, message, "ci")}, "signed by ci, who")
    stays(shop, {**shop.files(base=6), **approval}, "signed for another digest")
    assert shop.delivery.live("configmap", "base-7")

    failed = fail_once(shop)
    good = shop.team.commit({**shop.files(base=7), **approval}, "move to another volume")
    shop.delivery.wait_applied(good)
    assert failed
    assert not shop.delivery.live("configmap", "base-7")

    going = shop.delivery.live("pvc", "data")["metadata"]
    assert (going["uid"], "deletionTimestamp" in going) == (uid, True)
    # The protection controller's part, which no control plane without one plays.
    patch = json.dumps({"metadata": {"finalizers": None}})
    shop.kubectl("-n", "shop", "patch", "pvc", "data", "--type=merge", "-p", patch)
    shop.delivery.wait(lambda: not shop.delivery.live("pvc", "data"))
    shop.delivery.wait(lambda: "PersistentVolumeClaim" not in json.dumps(shop.site.state()))
    assert shop.delivery.last()["applied"] == good
