"""What no test said of releases before the seeded bugs were run: each kills one that had survived."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagepass.decision import Answer
from stagepass.digest import Digest
from stagepass.evidence import DirectorySource
from stagepass.manifests.compare import differences
from stagepass.predicates.release import RELEASE
from stagepass.release.artifact import line_digest
from stagepass.release.build import Terms
from stagepass.release.model import Release, other_subjects
from stagepass.release.store import DirectoryBlobs
from stagepass.statement import Subject, compose
from tests.core.gated import BOTH, OBJECTS, World, a_pod, passes, said
from tests.manifests.samples import RULE, an, put
from tests.release.samples import COMMIT, CONFIG, REPOSITORY, a_release
from tests.world import codes, signed, stored

LINE = line_digest("shop", "production")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def also_about(release: Release, line: Digest) -> bytes:
    """The payload of a release that its signer made about a second line as well."""
    about = release.statement
    others = other_subjects(about, REPOSITORY, COMMIT.subject)
    return compose(
        name="release.json",
        digest=about.digest,
        predicate_type=RELEASE,
        predicate=about.compose(),
        others=[*others, Subject.of("shop/production", line)],
    )


@pytest.mark.parametrize("stage", ["staging", "production"])
def test_a_release_is_of_the_stage_it_says_whatever_else_it_is_about(
    world: World, stage: str
) -> None:
    """CVE-2024-31990: who may sign for one stage adds a subject, and signs for all of them."""
    release = a_release(*OBJECTS, terms=Terms("shop", stage, stage, COMMIT))
    DirectorySource(world.root).write(LINE, signed(also_about(release, LINE), "ci"))
    DirectoryBlobs(world.root).put(release.data)
    for digest in BOTH:
        stored(world.root, passes(release, digest), digest)
    decision = world.judge(CONFIG)

    if stage == "production":
        assert decision.answer is Answer.ADMITTED
    else:
        assert codes(decision) == ["MANIFEST_UNATTESTED"]
        assert "SUBJECT_MISMATCH a release of another stage" in said(decision)


@pytest.mark.parametrize("kind", ["ReplicaSet", "Deployment", "DaemonSet"])
def test_a_pod_is_no_template_s_because_it_names_an_owner(world: World, kind: str) -> None:
    """Portieris: whoever may create a Pod writes its owners, which no API server looks up."""
    world.released()
    owner = {"apiVersion": "apps/v1", "kind": kind, "name": "checkout", "uid": "1"}
    owned = {"metadata__ownerReferences": [{**owner, "controller": True}]}

    assert world.judge(a_pod(**owned)).answer is Answer.ADMITTED
    hostile = world.judge(a_pod(**owned, spec__containers__0__command=["sh"]))
    assert codes(hostile) == ["MANIFEST_DIFFERS"]
    assert hostile.unmet[0].path == "spec.containers[0].command"


@pytest.mark.parametrize(
    ("kind", "where", "default"),
    [
        ("Service", "spec.type", "ClusterIP"),
        ("Deployment", "spec.replicas", 1),
        ("Pod", "spec.restartPolicy", "Always"),
    ],
)
def test_a_custom_kind_under_a_built_in_name_has_no_defaults(
    kind: str, where: str, default: object
) -> None:
    """To its own controller an absent member may mean anything."""
    attested = an("serving.example.com/v1", kind, spec={"x": 1})

    assert [d.path for d in differences(attested, put(attested, where, default), RULE)] == [where]
