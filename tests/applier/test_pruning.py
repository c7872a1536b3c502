"""A commit that brings the approval of what it deletes, or does not: over a real repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from applier.failure import Failure, Reason
from applier.inventory import Inventory
from applier.objects import label_value, prepare
from applier.plan import Plan
from applier.prune_approval import FOLDER, NAME
from applier.pruning import Unapproved, plan_approved
from applier.render import render, runs_program
from applier.state import State, Version
from stagepass.manifest import ObjectId
from stagepass.policy.model import PolicySet
from tests.applier.approvals import CLAIM, DIGEST, SET, SOURCE, application, by, policy, prune
from tests.applier.model import Cluster, entries_of
from tests.applier.samples import an, config_map, rules
from tests.applier.world import MAIN, mirror
from tests.keyless import world as identities
from tests.policy.signed import APPROVED_BY_TWO
from tests.simulators.git import GitServer
from tests.world import NOW

KEPT = [config_map(f"kept-{number}") for number in range(8)]
GONE = [an("v1", "PersistentVolumeClaim", "data"), an("apps/v1", "StatefulSet", "db")]


def attempt(
    tmp_path: Path,
    content: bytes | None,
    desired: list[dict[str, Any]],
    *,
    settled: bool = False,
    gone: ObjectId | None = None,
    found: PolicySet | None = None,
) -> Plan:
    """
    The plan for a commit that has `content` for its approval, where `KEPT` and `GONE` run.

    `settled`: it was applied before, and all of them are being deleted.
    """
    found, cluster = found or policy(), Cluster()
    label = label_value("shop", "production")
    owned = entries_of([cluster.apply(each) for each in prepare([*KEPT, *GONE], label)])
    files = {"production/a.yaml": b"# any\n"}
    if content is not None:
        files[f"production/{FOLDER}/{NAME}"] = content
    (tmp_path / "git").mkdir()
    with GitServer(tmp_path / "git") as server:
        commit = server.create("deploy").commit("main", files)
        read = mirror(server.url("deploy"), tmp_path / "mirror")
        read.fetch([MAIN], timeout=20)
    version = Version(commit, read.tree_of(commit, "production"))
    live, wanted = cluster.objects, prepare(desired, label)
    if gone is not None:
        del live[gone]
    if settled:
        for each in live.values():
            each["metadata"]["deletionTimestamp"] = "2026-11-26T11:59:00Z"
    state = State(inventory=Inventory(owned.entries), applied=version if settled else None)
    here = application(found)
    rule = rules(application=label)
    return plan_approved(here, found, read, version, wanted, live, state, rule, NOW)


def test_the_refusal_names_the_digest_and_the_command(tmp_path: Path) -> None:
    with pytest.raises(Unapproved) as refused:
        attempt(tmp_path, None, KEPT)

    failure = refused.value
    assert failure.reason is Reason.PROTECTED_PRUNE
    assert (
        f"stagepass approve --prune {DIGEST} --key KEY --pipeline shop --stage production "
        f"--out production/{FOLDER}/{NAME}"
    ) in failure.message
    assert {entry.id for entry in failure.planned.prune} == {CLAIM, SET}


def test_who_has_an_identity_alone_is_told_no_key(tmp_path: Path) -> None:
    approvers = {"pipeline.stages.2.requires.0.approval.from": ["release"], **SOURCE}
    needed = {"pipeline.stages.2.requires": [APPROVED_BY_TWO]}
    found = identities.policy({"owner": "carol"}, changes={**needed, **approvers})
    with pytest.raises(Unapproved) as refused:
        attempt(tmp_path, None, KEPT, found=found)

    assert f"approve --prune {DIGEST} --identity --pipeline shop" in refused.value.message


def test_with_the_approval_in_the_same_commit_exactly_that_is_deleted(tmp_path: Path) -> None:
    planned = attempt(tmp_path, by("alice") + b"\n" + by("bob") + b"\n", KEPT)

    assert [entry.id for entry in planned.prune] == sorted([CLAIM, SET])
    assert planned.writes == 2


def test_what_is_gone_already_changes_no_approval(tmp_path: Path) -> None:
    """Deleted by hand before, or by an attempt that stopped half-way."""
    planned = attempt(tmp_path, by("alice") + b"\n" + by("bob"), KEPT, gone=SET)

    assert [entry.id for entry in planned.prune] == [CLAIM]
    assert [entry.id for entry in planned.forgotten] == [SET]


def test_one_object_more_than_approved_refuses_all_of_them(tmp_path: Path) -> None:
    with pytest.raises(Failure) as refused:
        attempt(tmp_path, by("alice") + b"\n" + by("bob"), KEPT[1:])

    assert refused.value.reason is Reason.PROTECTED_PRUNE
    assert "signed for another digest" in refused.value.message


def test_an_empty_render_is_approved_by_its_whole_set(tmp_path: Path) -> None:
    asked = prune(CLAIM, SET, *map(ObjectId.of, KEPT))
    content = b"\n".join(by(name, digest=asked.digest) for name in ("alice", "bob"))

    assert {entry.id for entry in attempt(tmp_path, content, []).prune} == asked.objects


def test_an_approved_deletion_that_is_not_over_yet_is_no_new_one(tmp_path: Path) -> None:
    """Finalizers may hold objects longer than an approval lasts."""
    planned = attempt(tmp_path, None, [], settled=True)

    assert planned.prune == ()
    assert len(planned.going) == len(GONE) + len(KEPT)


@pytest.mark.parametrize("name", ["a.yaml", "kustomization.yaml", NAME])
def test_renderers_see_nothing_of_the_approvals_folder(name: str) -> None:
    files = {"x.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: shop}\n"}
    more = {**files, f"{FOLDER}/{name}": b"not: an object\n"}

    assert render(more, ".", sandbox=None) == render(files, ".", sandbox=None)
    assert not runs_program(more, FOLDER)


def test_a_kustomization_cannot_bring_an_approval_to_the_cluster() -> None:
    files = {
        "kustomization.yaml": f"configMapGenerator:\n- name: x\n  files: [{FOLDER}/{NAME}]\n".encode(),
        f"{FOLDER}/{NAME}": b"{}",
    }
    with pytest.raises(Failure) as refused:
        render(files, ".", sandbox=None)

    assert refused.value.reason is Reason.RENDER_REFUSED
