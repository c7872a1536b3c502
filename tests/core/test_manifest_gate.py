"""Where manifests are required an object enters as it was released, and not otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stagepass.decision import Answer, Code, Enforcement
from stagepass.release.build import Terms
from tests.core.gated import (
    OBJECTS,
    PRODUCTION,
    REQUIRED,
    ROLE,
    SERVICE,
    World,
    a_pod,
    gated,
    said,
)
from tests.core.objects import pod
from tests.policy.signed import policy
from tests.release.samples import CHECKOUT, COMMIT, CONFIG, DEPLOYMENT, SIDECAR, altered
from tests.world import DAY, DIGEST, DROP, NOW, OTHER_DIGEST, codes


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("document", [*OBJECTS, a_pod()], ids=lambda d: d["kind"])
def test_what_was_released_is_admitted(world: World, document: dict[str, Any]) -> None:
    release = world.released()
    decision = world.judge(document)

    assert decision.answer is Answer.ADMITTED, said(decision)
    assert decision.places == (("shop", "production"),)
    assert {m.signer for m in decision.met if m.requirement == "manifest"} == {"ci"}
    assert decision.releases == (str(release.digest),)


@pytest.mark.parametrize("document", [*OBJECTS, a_pod()], ids=lambda d: d["kind"])
def test_without_a_release_nothing_is(world: World, document: dict[str, Any]) -> None:
    world.released(pod({"containers": [{"name": "a", "image": CHECKOUT}]}))
    decision = world.judge(document)

    assert decision.answer is Answer.DENIED
    assert codes(decision)[0] in ("MANIFEST_UNATTESTED", "MANIFEST_DIFFERS")


def test_a_difference_names_path_got_and_attested(world: World) -> None:
    release = world.released()
    decision = world.judge(altered(DEPLOYMENT, spec__template__spec__containers__0__args__1="9"))

    (violation,) = decision.unmet
    path = "spec.template.spec.containers[0].args[1]"
    assert (violation.code, violation.path) == (Code.MANIFEST_DIFFERS, path)
    assert violation.message == (
        f"differs from release sha256:{release.digest.hex[:12]} of shop/production, signed by ci:"
        f' {path}: got "9", attested "8080"'
    )
    assert violation.requirement == "manifest"
    assert "stagepass release build" in violation.fix
    assert decision.enforcement is Enforcement.ENFORCE


def test_at_most_five_differences_are_shown(world: World) -> None:
    world.released()
    more = {f"key{n}": "x" for n in range(8)}
    decision = world.judge(altered(CONFIG, data={**CONFIG["data"], **more}))

    (violation,) = decision.unmet
    assert violation.message.count(": got ") == 5
    assert violation.message.endswith("; and 3 more")


def test_of_two_releases_either_admits_its_own_and_none_a_mix(world: World) -> None:
    """An object of the one beside an object of the other is no mix: each is as it was released."""
    second = altered(DEPLOYMENT, spec__replicas=3, metadata__labels__tier="web")
    world.released()
    world.released(second, *OBJECTS[1:])

    assert world.judge(DEPLOYMENT).answer is Answer.ADMITTED
    assert world.judge(second).answer is Answer.ADMITTED
    mixed = world.judge(altered(second, metadata__labels__tier=DROP))
    assert codes(mixed) == ["MANIFEST_DIFFERS"]
    assert mixed.unmet[0].message.count(": got ") == 1, "of the nearest"


def test_every_image_of_the_release_must_be_admitted(world: World) -> None:
    """Also for an object that runs none of them."""
    alone = altered(DEPLOYMENT, spec__template__spec__initContainers=DROP)
    alone["spec"]["template"]["spec"]["containers"].pop()
    other = pod({"containers": [{"name": "side", "image": SIDECAR}]})
    world.released(alone, other, CONFIG, passed=[DIGEST])

    for document in (alone, CONFIG):
        decision = world.judge(document)
        assert decision.answer is Answer.DENIED
        assert {v.image for v in decision.violations} == {SIDECAR}
        assert "PASS_MISSING" in codes(decision)


def test_an_image_is_told_of_once_though_the_release_names_it_as_well(world: World) -> None:
    alone = pod({"containers": [{"name": "web", "image": CHECKOUT}]})
    world.released(alone)
    decision = world.judge(alone)

    assert decision.answer is Answer.ADMITTED, said(decision)
    met = [m.requirement for m in decision.met]
    assert len(set(met)) == len(met) == decision.required


def test_a_pass_of_another_image_set_does_not_count(world: World) -> None:
    first = world.released()
    fewer = altered(DEPLOYMENT, spec__template__spec__initContainers=DROP, spec__replicas=5)
    fewer["spec"]["template"]["spec"]["containers"].pop()
    second = world.released(fewer, passed=[])
    assert first.image_set != second.image_set

    decision = world.judge(fewer)
    assert decision.answer is Answer.DENIED
    assert "SUBJECT_MISMATCH" in codes(decision)
    assert "is of another image set" in said(decision)


@pytest.mark.parametrize("by", ["stranger", "scanner", "staging-cluster"])
def test_only_the_stage_s_own_signers_release(world: World, by: str) -> None:
    world.released(by=by)
    decision = world.judge(CONFIG)

    assert codes(decision) == ["MANIFEST_UNATTESTED"]
    assert "SIGNER_UNKNOWN" in said(decision)


def test_a_release_of_another_stage_or_pipeline_is_none(world: World) -> None:
    for terms in (Terms("shop", "staging", "x", COMMIT), Terms("cart", "production", "x", COMMIT)):
        world.released(terms=terms)

    assert codes(world.judge(CONFIG)) == ["MANIFEST_UNATTESTED"]


def test_a_release_without_an_image_of_the_pipeline_admits_nothing(world: World) -> None:
    foreign = pod({"containers": [{"name": "a", "image": f"other.example.com/a@{DIGEST}"}]})
    world.released(CONFIG, passed=[])
    world.released(CONFIG, foreign, passed=[])
    decision = world.judge(CONFIG)

    assert codes(decision) == ["MANIFEST_UNATTESTED"]
    assert "names no image of pipeline 'shop'" in said(decision)


def test_another_stage_that_requires_nothing_is_as_before(world: World) -> None:
    assert world.judge(CONFIG, cluster="staging").notes == (Code.NO_IMAGES,)
    assert world.judge(altered(CONFIG, metadata__namespace="kube-system"), namespace="kube-system")


def test_a_kind_out_of_scope_is_judged_by_its_images_alone(tmp_path: Path) -> None:
    release = {"pipeline.stages.2.release": {"from": ["ci"], "kinds": ["ConfigMap"]}}
    world = World(tmp_path, gated(release))
    world.released()

    assert world.judge(SERVICE).notes == (Code.NO_IMAGES,)
    assert world.judge(altered(DEPLOYMENT, spec__replicas=9)).answer is Answer.ADMITTED
    assert codes(world.judge(altered(CONFIG, data__a="b"))) == ["MANIFEST_DIFFERS"]


@pytest.mark.parametrize("document", [ROLE, SERVICE, CONFIG], ids=lambda d: d["kind"])
def test_without_images_it_belongs_to_any_stage_of_the_place(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    """Two pipelines deploy to one namespace; each holds its own."""
    pipeline = {
        "kind": "Pipeline",
        "metadata": {"name": "cart"},
        "images": ["registry.example.com/shop/**"],
        "stages": [
            {
                "name": "live",
                "clusters": ["prod-eu"],
                "namespaces": ["shop"],
                "signedBy": ["prod-clusters"],
                "manifests": "required",
                "release": {"from": ["ci"]},
            }
        ],
    }
    world = World(tmp_path, policy(REQUIRED, pipeline))
    mine = altered(document, metadata__name="of-cart")
    workload = altered(DEPLOYMENT, metadata__name="of-cart")
    world.released()
    world.released(mine, workload, terms=Terms("cart", "live", "live", COMMIT))

    assert world.judge(document).answer is Answer.ADMITTED
    assert world.judge(mine).answer is Answer.ADMITTED
    other = world.judge(altered(document, metadata__name="of-nobody"))
    assert codes(other) == ["MANIFEST_UNATTESTED"]
    assert {v.pipeline for v in other.violations} == {"shop", "cart"}
    # Both cover the Deployment's images, so both must hold it.
    assert {v.pipeline for v in world.judge(DEPLOYMENT).violations} == {"cart"}


def test_a_stage_that_warns_admits_and_says_what_differs(tmp_path: Path) -> None:
    world = World(tmp_path, gated({"pipeline.stages.2.manifests": "warn"}))
    world.released()

    assert world.judge(DEPLOYMENT).warnings == ()
    for changed in (altered(DEPLOYMENT, spec__replicas=9), altered(CONFIG, data__a="b")):
        decision = world.judge(changed)
        assert (decision.allowed, decision.enforcement) == (True, Enforcement.WARN)
        assert decision.answer is Answer.DENIED
        assert "MANIFEST_DIFFERS: differs from release" in decision.warnings[0]
    unpassed = world.judge(pod({"containers": [{"name": "a", "image": "a.example.com/x:1"}]}))
    assert not unpassed.allowed, "images are enforced as before"


def test_what_only_warns_is_told_after_what_refuses(tmp_path: Path) -> None:
    """By its path it would stand first, and read as if it were what keeps the object out."""
    world = World(tmp_path, gated({"pipeline.stages.2.manifests": "warn"}))
    world.released(passed=[OTHER_DIGEST])
    decision = world.judge(altered(DEPLOYMENT, metadata__labels__tier="web"))

    assert not decision.allowed
    assert [v.code for v in decision.beside] == [Code.MANIFEST_DIFFERS]
    assert codes(decision)[0] == "MANIFEST_DIFFERS"
    told = [v.code for v in decision.unmet]
    assert told[0] is Code.PASS_MISSING
    assert told[-1] is Code.MANIFEST_DIFFERS
    required = World(tmp_path)
    assert required.judge(altered(DEPLOYMENT, metadata__labels__tier="web")).beside == ()


def test_an_object_in_another_version_differs_in_that(world: World) -> None:
    world.released()
    decision = world.judge(altered(DEPLOYMENT, apiVersion="apps/v1beta2"))

    (violation,) = decision.unmet
    assert (violation.code, violation.path) == (Code.MANIFEST_DIFFERS, "apiVersion")


def test_the_signer_s_end_counts_at_entry(world: World) -> None:
    """As that of any other key: what was admitted is kept no longer than until then."""
    ends = NOW.replace(hour=18)
    attestors = {
        "attestors.ci.keys.0.validUntil": ends.isoformat().replace("+00:00", "Z"),
    }
    world.policy = gated(attestors)
    world.released()

    admitted = world.judge(CONFIG)
    assert (admitted.answer, admitted.valid_until) == (Answer.ADMITTED, ends)
    late = world.judge(CONFIG, now=ends)
    assert "MANIFEST_UNATTESTED" in codes(late)
    assert "the key of ci, who signed the release, ended at" in said(late)


def test_two_entries_for_one_key_lend_each_other_nothing(world: World) -> None:
    """One has ended, the other has not begun: neither counts."""
    ended = {"file": "keys/ci.pub", "owner": "ci", "validUntil": "2026-11-26T11:00:00Z"}
    later = {"file": "keys/ci.pub", "owner": "ci", "validFrom": "2026-11-27T00:00:00Z"}
    world.policy = gated(
        {
            "attestors.late": {"keys": [later]},
            "attestors.ci.keys.0": ended,
            "pipeline.stages.2.release": {"from": ["ci", "late"]},
        }
    )
    world.released()

    assert "MANIFEST_UNATTESTED" in codes(world.judge(CONFIG))
    assert world.judge(CONFIG, now=NOW + DAY).answer is Answer.ADMITTED


def test_a_release_signed_before_its_key_begins_does_not_count_yet(world: World) -> None:
    world.policy = gated({"attestors.ci.keys.0.validFrom": "2026-11-27T00:00:00Z"})
    world.released()

    assert codes(world.judge(CONFIG)) == ["MANIFEST_UNATTESTED"]


def test_both_digests_are_of_this_release(world: World) -> None:
    """Guards the helper: what the tests call passed names the set of both images."""
    release = world.released(terms=PRODUCTION)
    assert {i.digest for i in release.statement.images} == {DIGEST, OTHER_DIGEST}
