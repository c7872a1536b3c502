"""Only a whole signed release is applied, made anew from our own render; and passes and receipts name it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from applier.application import applications
from applier.deciding import allowed_until, decide, questions_of
from applier.failure import Failure, Kind, Reason
from stagepass.decision import Code
from stagepass.release.book import ReleaseBook
from stagepass.release.shelf import Shelf
from stagepass.release.store import DirectoryBlobs, ReleaseSource
from stagepass.verifier import Verifier
from tests.applier.released import COMMIT, GREEN, SOURCE, Place, named
from tests.core.gated import OBJECTS, PRODUCTION, REQUIRED, SERVICE, World
from tests.core.sources import MemorySource
from tests.keyless import world as identities
from tests.policy.signed import APPROVED_BY_TWO, approval, emergency
from tests.release.samples import CONFIG, DEPLOYMENT, SECRET, altered
from tests.world import DIGEST, NOW, OTHER_DIGEST, stored


def test_what_was_released_is_applied_and_named(tmp_path: Path) -> None:
    place = Place(tmp_path)
    release = place.world.released()

    decided = place.decide()

    assert decided.native
    assert decided.release == named(release)
    assert decided.unreleased == ""


@pytest.mark.parametrize(
    "objects",
    [
        (DEPLOYMENT, GREEN, *OBJECTS[2:]),
        (*OBJECTS, altered(CONFIG, metadata__name="more")),
        OBJECTS[:-1],
        (altered(DEPLOYMENT, spec__replicas=3), *OBJECTS[1:]),
    ],
    ids=["changed", "one more", "one less", "replicas"],
)
def test_any_other_set_waits_for_its_release(
    tmp_path: Path, objects: Sequence[Mapping[str, Any]]
) -> None:
    place = Place(tmp_path)
    release = place.world.released()

    failure = place.refused(*objects)

    assert failure.reason is Reason.RELEASE_MISSING
    assert failure.reason.kind is Kind.BLOCKED
    assert str(release.digest) in failure.message  # the nearest
    assert "stagepass release build" in failure.message
    assert "--pipeline shop --stage production" in failure.message
    assert [m.requirement for m in failure.missing][:1] == ["manifest"]


@pytest.mark.parametrize(("signer", "option"), [("ci", "--key KEY"), ("release", "--identity")])
def test_the_command_signs_as_its_signer_can(tmp_path: Path, signer: str, option: str) -> None:
    changes = {**REQUIRED, "pipeline.stages.2.source": SOURCE}
    place = Place(tmp_path)
    place.policy = identities.policy(
        changes={**changes, "pipeline.stages.2.release": {"from": [signer]}}
    )
    place.world = World(tmp_path, place.policy)
    place.application = applications(place.policy, "prod-eu")["shop.production"]

    assert f"then stagepass release attest DIR {option}" in place.refused().message


def test_the_nearest_release_is_told_by_fields_and_without_values(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.world.released(DEPLOYMENT)
    nearest = place.world.released()

    message = place.refused(DEPLOYMENT, GREEN, *OBJECTS[2:]).message

    assert str(nearest.digest) in message
    assert "v1/ConfigMap/shop/settings data.colour" in message
    assert "green" not in message


def test_objects_of_two_releases_are_no_release(tmp_path: Path) -> None:
    """Each of them alone would pass the gate: it is of a release, all of whose images are admitted."""
    place = Place(tmp_path)
    other = altered(SERVICE, spec__ports__0__port=81)
    place.world.released(DEPLOYMENT, CONFIG, other)
    place.world.released(DEPLOYMENT, GREEN, SERVICE)
    mixed = (DEPLOYMENT, CONFIG, SERVICE)
    for each in place.prepared(mixed):
        assert place.world.judge(each).allowed

    assert place.refused(*mixed).reason is Reason.RELEASE_MISSING
    assert place.decide(DEPLOYMENT, GREEN, SERVICE).native


def test_an_approval_of_another_release_with_the_same_objects_counts_for_nothing(
    tmp_path: Path,
) -> None:
    """Every image is judged under the release that is applied, whichever the gate would find."""
    place = Place(tmp_path, {"pipeline.stages.2.requires": [APPROVED_BY_TWO]})
    place.world.released(DEPLOYMENT, CONFIG, SERVICE)
    for objects in ((DEPLOYMENT, CONFIG), (DEPLOYMENT, SERVICE)):
        release = place.world.released(*objects)
        of = {"release": {"digest": {"sha256": release.digest.hex}}}
        for digest in (DIGEST, OTHER_DIGEST):
            both = [approval(who, digest=digest, changes=of) for who in ("alice", "bob")]
            stored(tmp_path, both, digest)
    mixed = (DEPLOYMENT, CONFIG, SERVICE)
    for each in place.prepared(mixed):
        assert place.world.judge(each).allowed

    failure = place.refused(*mixed)

    assert failure.reason is Reason.NOT_ADMITTED
    assert {m.code for m in failure.missing} == {"APPROVALS_MISSING"}
    assert place.decide(DEPLOYMENT, CONFIG).native


def test_a_release_by_another_signer_is_none(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.world.released(by="scanner")

    failure = place.refused()

    assert failure.reason is Reason.RELEASE_MISSING
    why = "SIGNER_UNKNOWN a release of 'production' is signed by scanner, who may not"
    assert why in failure.message


def test_passes_that_are_missing_besides_are_named_at_once(tmp_path: Path) -> None:
    place = Place(tmp_path)

    failure = place.refused()

    assert failure.reason is Reason.RELEASE_MISSING
    assert {m.requirement for m in failure.missing} >= {"manifest", "passed staging@staging"}
    assert {m.image for m in failure.missing if m.image}


def test_a_release_whose_images_have_not_passed_is_not_admitted(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.world.released(passed=(DIGEST,))

    failure = place.refused()

    assert failure.reason is Reason.NOT_ADMITTED
    assert {m.image.rpartition("@")[2] for m in failure.missing} == {str(OTHER_DIGEST)}


def test_what_cannot_be_read_is_undetermined(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.world.released()
    wanted = place.prepared(OBJECTS)
    for file in tmp_path.glob("sha256-*/*"):
        file.unlink()
        file.mkdir()
    verifier = place.world.verifier(ReleaseSource.directory(tmp_path))

    with pytest.raises(Failure) as caught:
        decide(place.application, verifier, wanted, NOW, commit=COMMIT)

    assert caught.value.reason is Reason.UNDETERMINED


@pytest.mark.parametrize("mode", ["warn", "off"])
def test_where_none_is_required_it_is_applied_signed_for_and_told(
    tmp_path: Path, mode: str
) -> None:
    place = Place(tmp_path, {"pipeline.stages.2.manifests": mode})
    release = place.world.released()

    decided = place.decide(DEPLOYMENT, GREEN)

    assert decided.native
    assert decided.release is None
    assert str(release.digest) in decided.unreleased
    assert place.decide().release == named(release)


def test_break_glass_excuses_a_workload_and_is_never_signed_for(tmp_path: Path) -> None:
    place = Place(tmp_path)
    for digest in (DIGEST, OTHER_DIGEST):
        stored(tmp_path, [emergency(digest=digest)], digest)

    decided = place.decide(DEPLOYMENT)

    assert not decided.native
    assert decided.release is None
    assert place.refused(DEPLOYMENT, CONFIG).reason is Reason.RELEASE_MISSING


def test_a_lenient_stage_applies_what_is_not_released_and_never_signs(tmp_path: Path) -> None:
    place = Place(tmp_path, {"pipeline.stages.2.enforcement": "warn"})
    place.world.released()

    assert not place.decide(DEPLOYMENT, GREEN).native


def test_a_secret_is_compared_by_the_salts_of_its_release(tmp_path: Path) -> None:
    """Who released it may have spelled the source, or named the commit, in another way."""
    place = Place(tmp_path, {"pipeline.stages.2.release": {"from": ["ci"], "secrets": "salted"}})
    salted = replace(PRODUCTION, salted=True)
    release = place.world.released(DEPLOYMENT, SECRET, terms=salted)

    assert place.decide(DEPLOYMENT, SECRET).release == named(release)
    other = place.refused(DEPLOYMENT, altered(SECRET, stringData__password="hunter3"))
    assert other.reason is Reason.RELEASE_MISSING
    assert "hunter" not in other.message


def test_a_secret_with_values_can_be_no_release(tmp_path: Path) -> None:
    failure = Place(tmp_path).refused(DEPLOYMENT, SECRET)

    assert failure.reason is Reason.RELEASE_REFUSED
    assert failure.reason.kind is Kind.PERMANENT
    assert "hunter2" not in failure.message


def test_drift_is_judged_with_the_whole_version(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.world.released()

    assert place.decide(only=place.prepared([CONFIG])).native


def test_what_is_no_longer_released_is_no_longer_admitted(tmp_path: Path) -> None:
    place = Place(tmp_path)
    wanted = place.prepared(OBJECTS)

    until = allowed_until(place.application, place.world.verifier(), wanted, NOW, commit=COMMIT)

    assert until == NOW
    place.world.released()
    again = allowed_until(place.application, place.world.verifier(), wanted, NOW, commit=COMMIT)
    assert again is None or again > NOW


@pytest.mark.parametrize("enforcement", ["enforce", "warn"])
def test_what_is_only_told_of_manifests_keeps_no_version_from_passing(
    tmp_path: Path, enforcement: str
) -> None:
    """Where releases lie cannot be asked: the stage would have told of it, and no more."""
    rule = {"from": ["ci"], "repository": "registry.example.com/shop/releases"}
    changes = {
        "pipeline.stages.2.manifests": "warn",
        "pipeline.stages.2.release": rule,
        "pipeline.stages.2.enforcement": enforcement,
    }
    place = Place(tmp_path, changes)
    place.world.released()
    reached = ReleaseSource.directory(tmp_path)
    down = MemorySource([], failure=Code.REGISTRY_UNAVAILABLE)
    book = ReleaseBook(
        place.policy, (ReleaseSource(down, DirectoryBlobs(tmp_path / "none"), True),), Shelf()
    )
    wanted = place.prepared(OBJECTS)
    known = Verifier(place.policy, [reached.bundles], releases=book)
    unknown = Verifier(place.policy, [down], releases=book)

    decided = decide(place.application, known, wanted, NOW, commit=COMMIT)

    assert decided.native
    assert "could not find out" in decided.unreleased
    if enforcement == "warn":  # what could not be read of an image is no telling
        assert not decide(place.application, unknown, wanted, NOW, commit=COMMIT).native


def test_every_image_of_a_release_is_judged_once_for_all_its_objects(tmp_path: Path) -> None:
    """20 images and 200 objects took 9 s at every look, when each judged all images anew."""
    place = Place(tmp_path)
    settings = [altered(CONFIG, metadata__name=f"settings-{i}") for i in range(5)]
    objects = [*OBJECTS, *settings]
    place.world.released(*objects)
    verifier, wanted = place.world.verifier(), place.prepared(objects)
    decide(place.application, verifier, wanted, NOW, commit=COMMIT)

    for _ in range(2):  # what was heard before is heard again
        _, questions = questions_of(place.application, verifier, wanted, NOW, commit=COMMIT)
        heard = Counter((q.image.digest, len(q.claims)) for q in questions if q.at(NOW).met)
        assert {digest for digest, _ in heard} == {DIGEST, OTHER_DIGEST}
        assert max(heard.values()) <= 3, "before evidence is read, and after each batch"
