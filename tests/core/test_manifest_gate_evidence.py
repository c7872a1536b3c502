"""What lets an object in beside its release: receipts, break-glass; and what takes a release away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stagepass.clock import format_time
from stagepass.decision import Answer, Code
from stagepass.predicates.revocation import Entry
from stagepass.release.store import write_directory
from tests.core.gated import BOTH, PRODUCTION, REQUIRED, World, a_pod, gated, of_set, said
from tests.core.objects import pod
from tests.policy.signed import (
    approval,
    emergency,
    policy,
    receipt,
    revocation_list,
    revocation_of,
    revoked,
)
from tests.policy.test_revocations import of_key
from tests.release.samples import (
    CHECKOUT,
    CONFIG,
    DEPLOYMENT,
    SIDECAR,
    a_release,
    altered,
    payload_of,
)
from tests.world import (
    DAY,
    DIGEST,
    DROP,
    HOUR,
    NOW,
    OTHER_DIGEST,
    VULNERABILITIES,
    codes,
    signed,
    stored,
)

HOSTILE = altered(DEPLOYMENT, spec__template__spec__containers__0__args=["--evil"])
TOOLBOX = "registry.example.com/tools/debug@sha256:" + "d" * 64

EXEMPT = {
    "defaults.exempt": [
        {
            "namespaces": ["shop"],
            "images": ["registry.example.com/tools/*"],
            "reason": "debugging",
            "expires": format_time(NOW + DAY),
        }
    ]
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def break_glass(world: World, *digests: Any) -> None:
    for digest in digests:
        stored(world.root, [emergency(digest=digest)], digest)


@pytest.mark.parametrize("of", ["this", "another", "none"])
def test_a_receipt_is_of_one_release(world: World, of: str) -> None:
    """After the passes have expired only what entered stays, and only as it entered."""
    release = world.released()
    other = a_release(CONFIG, DEPLOYMENT, terms=PRODUCTION)
    named = {"this": of_set(release), "another": of_set(other), "none": {}}[of]
    for digest in BOTH:
        stored(world.root, [receipt(entered=NOW, changes=named, digest=digest)], digest)

    decision = world.judge(DEPLOYMENT, now=NOW + 40 * DAY)
    assert (decision.answer is Answer.ADMITTED) == (of == "this"), said(decision)


def test_a_receipt_keeps_running_what_a_key_released_that_has_ended(tmp_path: Path) -> None:
    """Entry and stay: also for what runs no image itself."""
    world = World(tmp_path, gated({"attestors.ci.keys.0.validUntil": "2026-11-27T00:00:00Z"}))
    release = world.released()
    for digest in BOTH:
        stored(world.root, [receipt(entered=NOW, changes=of_set(release), digest=digest)], digest)

    for document in (DEPLOYMENT, a_pod(), CONFIG):
        assert world.judge(document, now=NOW + 2 * DAY).answer is Answer.ADMITTED
    assert world.judge(HOSTILE, now=NOW + 2 * DAY).answer is Answer.DENIED


@pytest.mark.parametrize("of", ["this", "another", "none"])
def test_an_approval_is_of_one_release(tmp_path: Path, of: str) -> None:
    approved = {"approval": {"from": ["release-managers"], "threshold": 1}}
    world = World(tmp_path, gated({"pipeline.stages.2.requires": [approved]}))
    release = world.released()
    other = a_release(CONFIG, DEPLOYMENT, terms=PRODUCTION)
    named = {"this": of_set(release), "another": of_set(other), "none": {}}[of]
    for digest in BOTH:
        stored(world.root, [approval("alice", changes=named, digest=digest)], digest)

    for document in (DEPLOYMENT, CONFIG):
        decision = world.judge(document)
        assert (decision.answer is Answer.ADMITTED) == (of == "this"), said(decision)


def test_break_glass_for_every_image_excuses_the_manifest_and_is_told(world: World) -> None:
    world.released()
    break_glass(world, DIGEST, OTHER_DIGEST)
    decision = world.judge(HOSTILE)

    assert (decision.answer, decision.notes) == (Answer.ADMITTED, (Code.BREAK_GLASS,))
    assert decision.notices
    assert world.judge(DEPLOYMENT).notes == (), "what is as released needs none"


def test_break_glass_for_one_image_excuses_nothing_of_the_other(world: World) -> None:
    world.released()
    break_glass(world, DIGEST)

    assert codes(world.judge(HOSTILE)) == ["MANIFEST_DIFFERS"]


def test_break_glass_excuses_what_it_was_released_with_only_for_all_own_images(
    world: World,
) -> None:
    """The release has a third image, which nothing admits; the glass is broken for one or for both."""
    third = pod({"containers": [{"name": "c", "image": CHECKOUT.replace(DIGEST.hex, "e" * 64)}]})
    world.released(DEPLOYMENT, third, passed=[OTHER_DIGEST])
    break_glass(world, DIGEST)
    one = world.judge(DEPLOYMENT)
    break_glass(world, OTHER_DIGEST)

    assert one.answer is Answer.DENIED
    assert {v.image for v in one.violations} == {third["spec"]["containers"][0]["image"]}
    # The sidecar has all it needs, and its own evidence is found before the glass is looked at.
    assert world.judge(DEPLOYMENT).answer is Answer.DENIED


def test_without_an_image_there_is_no_glass_to_break(world: World) -> None:
    world.released()
    break_glass(world, DIGEST, OTHER_DIGEST)

    assert codes(world.judge(altered(CONFIG, data__a="b"))) == ["MANIFEST_DIFFERS"]


def debugged(image: str) -> dict[str, Any]:
    found = a_pod()
    added = {"name": "debug", "image": image, "command": ["sh"]}
    found["spec"]["ephemeralContainers"] = [added]
    return found


def another(name: str, **stage: Any) -> dict[str, Any]:
    """A Pipeline of other images in the same place, sorted before or after the shop's."""
    live = {"name": "live", "clusters": ["prod-eu"], "namespaces": ["shop"]}
    return {
        "kind": "Pipeline",
        "metadata": {"name": name},
        "images": [f"registry.example.com/{name}/*"],
        "stages": [{**live, "signedBy": ["prod-clusters"], **stage}],
    }


class TestEphemeralContainers:
    """Only what is added needs break-glass; the Pod itself must still be as released."""

    def test_of_an_attested_image(self, world: World) -> None:
        world.released()
        decision = world.judge(debugged(CHECKOUT), a_pod())
        (violation,) = decision.unmet
        assert (violation.code, violation.path) == (
            Code.MANIFEST_DIFFERS,
            "spec.ephemeralContainers[0].image",
        )
        break_glass(world, DIGEST)
        assert world.judge(debugged(CHECKOUT), a_pod()).notes == (Code.BREAK_GLASS,)
        changed = debugged(CHECKOUT)
        changed["spec"]["containers"][0]["args"] = ["--evil"]
        assert codes(world.judge(changed, a_pod())) == ["MANIFEST_DIFFERS"]

    def test_no_exemption_excuses_one(self, tmp_path: Path) -> None:
        world = World(tmp_path, gated(EXEMPT))
        world.released()
        decision = world.judge(debugged(TOOLBOX), a_pod())

        assert codes(decision) == ["MANIFEST_DIFFERS"]
        (violation,) = decision.violations
        assert violation.path == "spec.ephemeralContainers[0].image"

    def test_the_strictest_stage_refuses_one_of_no_pipeline(self, tmp_path: Path) -> None:
        lenient = another(
            "first", enforcement="warn", manifests="required", release={"from": ["ci"]}
        )
        world = World(tmp_path, policy({**REQUIRED, **EXEMPT}, lenient))
        world.released()
        decision = world.judge(debugged(TOOLBOX), a_pod())

        assert (codes(decision), decision.allowed) == (["MANIFEST_DIFFERS"], False)

    def test_of_another_pipeline_that_requires_no_manifests(self, tmp_path: Path) -> None:
        world = World(tmp_path, policy(REQUIRED, another("tools")))
        world.released()

        assert codes(world.judge(debugged(TOOLBOX), a_pod())) == ["MANIFEST_DIFFERS"]

    def test_in_a_pod_of_no_image_of_the_pipeline(self, tmp_path: Path) -> None:
        """Its own image is exempt; the pipeline's is added, with any command."""
        world = World(tmp_path, gated(EXEMPT))
        bare = pod({"containers": [{"name": "a", "image": TOOLBOX}]})
        world.released(bare, DEPLOYMENT)
        added = altered(bare)
        added["spec"]["ephemeralContainers"] = [{"name": "x", "image": CHECKOUT, "command": ["sh"]}]

        assert world.judge(bare).answer is Answer.ADMITTED
        assert codes(world.judge(added, bare)) == ["MANIFEST_DIFFERS"]

    def test_a_member_of_that_name_elsewhere_is_a_member(self, tmp_path: Path) -> None:
        """Of a custom resource it may mean anything."""
        kinds = ["Pod", "apps/Deployment", "example.com/Widget"]
        world = World(
            tmp_path, gated({"pipeline.stages.2.release": {"from": ["ci"], "kinds": kinds}})
        )
        widget = {
            "apiVersion": "example.com/v1",
            "kind": "Widget",
            "metadata": {"name": "w", "namespace": "shop"},
            "spec": {"size": 1},
        }
        world.released(DEPLOYMENT, widget)

        assert world.judge(widget).answer is Answer.ADMITTED
        added = altered(widget, spec={"size": 1, "ephemeralContainers": [{"command": ["sh"]}]})
        assert codes(world.judge(added)) == ["MANIFEST_DIFFERS"]


def test_a_pod_of_exempt_images_alone_must_be_of_a_release(tmp_path: Path) -> None:
    """Exemptions never excuse manifests."""
    world = World(tmp_path, gated(EXEMPT))
    world.released()
    bare = pod({"containers": [{"name": "a", "image": TOOLBOX}]})

    assert codes(world.judge(bare)) == ["MANIFEST_DIFFERS"]


@pytest.mark.parametrize("what", ["release", "artifact", "key", "attestation", "image"])
def test_what_is_revoked_releases_nothing(tmp_path: Path, what: str) -> None:
    release = a_release(DEPLOYMENT, CONFIG, terms=PRODUCTION)
    entry = {
        "release": Entry("artifact", release.digest.hex, "a hole"),
        "artifact": Entry("artifact", release.artifact_digest.hex, "a hole"),
        "key": of_key("ci"),
        "attestation": revocation_of(signed(payload_of(release), "ci")),
        "image": Entry("artifact", OTHER_DIGEST.hex, "a hole"),
    }[what]
    need = {"name": "scan", "from": ["scanner"], "predicateType": VULNERABILITIES}
    changes = {**REQUIRED, "pipeline.stages.2.requires": [{"attestation": need}]}
    shut = World(tmp_path, revoked(revocation_list(entry), changes=changes))
    open_ = World(tmp_path, revoked(revocation_list(), changes=changes))
    shut.released(DEPLOYMENT, CONFIG)

    for document in (DEPLOYMENT, CONFIG):
        assert open_.judge(document).answer is Answer.ADMITTED
        decision = shut.judge(document)
        assert decision.answer is Answer.DENIED
        assert "REVOKED" in said(decision)


def test_a_second_signer_of_the_same_release_stands_in_for_one_whose_key_ended(
    tmp_path: Path,
) -> None:
    changes = {
        "attestors.ci.keys.0.validUntil": "2026-11-26T13:00:00Z",
        "pipeline.stages.2.release": {"from": ["ci", "scanner"]},
        "pipeline.stages.0.requires": DROP,
    }
    world = World(tmp_path, gated(changes))
    release = world.released()
    write_directory(world.root, release, signed(payload_of(release), "scanner"))

    assert world.judge(CONFIG, now=NOW + 2 * HOUR).answer is Answer.ADMITTED
    assert SIDECAR in said(world.judge(CONFIG, now=NOW + 40 * DAY)), "passes expire"
